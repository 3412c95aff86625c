// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/index"
)

// laterVerbHistory has the same values as verbHistory once more, with greater numbers.
func laterVerbHistory() (h history, last uint64) {
	h, first := verbHistory()
	for record := range h {
		for i := range h[record] {
			h[record][i].Sequence += first
		}
	}
	return h, 2 * first
}

// verbsOfFiles returns verbs that open, make and close files, and those that write no values.
func verbsOfFiles() []verb {
	opening := func(opts Options, prepare func(*Tree) error) func(context.Context, *Tree) (string, error) {
		return func(ctx context.Context, tree *Tree) (string, error) {
			if err := prepare(tree); err != nil {
				return "", err
			}
			path := copyPath(tree)
			if err := copyFile(path, tree.mapped.path); err != nil {
				return "", err
			}
			return openAndRead(ctx, tree, path, opts)
		}
	}
	nothing := func(*Tree) error { return nil }
	reading, existing := options(), options()
	reading.ReadOnly, reading.Existing, existing.Existing = true, true, true
	unsealed := func(tree *Tree) error { return tree.update(func(*writeTx) error { return nil }) }
	return []verb{
		{name: "Open", run: opening(existing, nothing)},
		{name: "Open for reading", run: opening(reading, nothing)},
		{name: "Open an unsealed file", writes: true, run: opening(existing, unsealed)},
		{name: "Open for reading an unsealed file", writes: true, run: opening(reading, unsealed)},
		{name: "Open a new file", run: func(ctx context.Context, tree *Tree) (string, error) {
			return openAndRead(ctx, tree, copyPath(tree), options())
		}},
		{name: "Salvage", passesOver: true, run: salvageAll},
		{name: "SaveIdentity", writes: true, run: func(_ context.Context, tree *Tree) (string, error) {
			tree.SetIdentity(identity.New())
			return fmt.Sprint(tree.IdentitySaved()), tree.SaveIdentity()
		}},
		{name: "SaveLastSegment", writes: true, run: func(_ context.Context, tree *Tree) (string, error) {
			return "", tree.SaveLastSegment(9)
		}},
		{name: "RoomForNext", run: func(_ context.Context, tree *Tree) (string, error) {
			file, free, pinned, err := tree.RoomForNext()
			return fmt.Sprint(file, free, pinned), err
		}},
		{name: "PutNotes without notes", writes: true, run: func(_ context.Context, tree *Tree) (string, error) {
			return "", tree.PutNotes(Notes{"noted": nil, "more": nil})
		}},
	}
}

func copyFile(to, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}

// openAndRead opens a file beside a tree, and returns what it has.
func openAndRead(ctx context.Context, beside *Tree, path string, opts Options) (string, error) {
	opened, err := Open(beside.mapped.fs, path, opts)
	if err != nil {
		return "", err
	}
	text, err := readAll(ctx, opened)
	if found, identityErr := opened.Identity(); opts.Existing {
		text, err = fmt.Sprint(text, found), errors.Join(err, identityErr)
	}
	return text, errors.Join(err, opened.Check(ctx), opened.Close())
}

// verbsInParts returns verbs that take several transactions.
func verbsInParts(t *testing.T) []verb {
	everything := mustPattern(t, "*")
	inParts := func(run func(ctx context.Context, tree *Tree) error) func(context.Context, *Tree) (string, error) {
		return func(ctx context.Context, tree *Tree) (string, error) {
			tree.opts.TransactionBytes = 12 << 10
			return "", run(ctx, tree)
		}
	}
	prune := func(tree *Tree, rule Rule, with Pruning) error {
		return second(tree.Prune(ctx, everything, rule, with))
	}
	return []verb{
		{name: "Post in parts", writes: true, inParts: true, run: inParts(func(_ context.Context, tree *Tree) error {
			return postAfterVerbs(tree, nil)
		})},
		{name: "Prune in parts", writes: true, inParts: true, run: inParts(func(_ context.Context, tree *Tree) error {
			return prune(tree, Rule{OlderThan: math.MaxUint64}, pruning(func([]Deletion) {}))
		})},
		{name: "Prune a span in parts", writes: true, inParts: true,
			run: inParts(func(_ context.Context, tree *Tree) error {
				return prune(tree, Rule{NewerThan: 2, OlderThan: 17}, pruning(func([]Deletion) {}))
			})},
		{name: "Copy while posting and pruning", writes: true, inParts: true,
			run: inParts(func(ctx context.Context, tree *Tree) error {
				return copyMeanwhile(ctx, tree, postAfterVerbs)
			})},
		{name: "CopyStored in parts", run: func(ctx context.Context, tree *Tree) (string, error) {
			tree.opts.TransactionBytes = 6 << 10
			return copyStored20(ctx, tree)
		}},
	}
}

// copyStored20 returns what CopyStored copies if the first 20 values are not wanted.
func copyStored20(ctx context.Context, tree *Tree) (string, error) {
	stored, _, err := tree.CopyStored(ctx, copyPath(tree), Rule{StoredThrough: 20}, 1<<20, Pruning{})
	return readAndClose(ctx, stored, err)
}

// salvageAll returns what a salvaged tree has.
func salvageAll(ctx context.Context, tree *Tree) (string, error) {
	salvaged, err := tree.Salvage(ctx, copyPath(tree))
	return readAndClose(ctx, salvaged, err)
}

// readAndClose returns what a new tree has, which must be undamaged.
func readAndClose(ctx context.Context, made *Tree, err error) (string, error) {
	if err != nil {
		return "", err
	}
	text, err := readAll(ctx, made)
	return text, errors.Join(err, made.Check(ctx), made.Close())
}

// postAfterVerbs posts the values of laterVerbHistory to a tree that has those of verbHistory.
func postAfterVerbs(tree *Tree, c *Copy) error {
	h, last := laterVerbHistory()
	return postOnce(tree, c, h, last)
}

// postOnce posts a history in parts, unless the tree has it, and then to a copy. nil:
// there is no copy.
func postOnce(tree *Tree, c *Copy, h history, last uint64) error {
	state, err := tree.State()
	if err != nil || state.Watermark >= last {
		return err
	}
	p := h.posting(last)
	p.AllowParts = true
	if _, err := tree.Post(p); err != nil || c == nil {
		return err
	}
	return c.Post(h.posting(last))
}

// copyMeanwhile copies the tree. After the first step it posts, and prunes by several rules. The
// copy must become equal to the tree.
func copyMeanwhile(ctx context.Context, tree *Tree, post func(*Tree, *Copy) error) error {
	state, err := tree.State()
	if err == nil && state.Partial != (PartialPost{}) { // a copy could not say what it has of the post
		err = post(tree, nil)
	}
	if err != nil {
		return err
	}
	c, err := tree.Copy(copyPath(tree))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for steps, done := 0, false; !done; steps++ {
		if done, err = stepOn(ctx, c); err == nil && steps == 0 {
			err = errors.Join(post(tree, c), pruneBoth(tree, c))
		}
		if err != nil {
			return err
		}
	}
	copied, err := c.Finish()
	if err != nil {
		return err
	}
	want, err := readAll(ctx, tree)
	got, copyErr := readAll(ctx, copied)
	if err = errors.Join(err, copyErr, copied.Check(ctx)); err == nil && got != want {
		err = errors.New("the copy has other values")
	}
	return err
}

// pruneBoth prunes a tree and its copy.
func pruneBoth(tree *Tree, c *Copy) error {
	everything, err := index.CompileGlob("*")
	with := pruning(func(d []Deletion) { err = errors.Join(err, c.Prune(d)) })
	for _, rule := range []Rule{{NewerThan: 2, OlderThan: 4}, {OlderThan: 2}} {
		_, pruneErr := tree.Prune(ctx, everything, rule, with)
		err = errors.Join(err, pruneErr)
	}
	return err
}
