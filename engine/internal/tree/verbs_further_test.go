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
	reading.ReadOnly, existing.Existing = true, true
	unsealed := func(tree *Tree) error { return tree.update(func(*writeTx) error { return nil }) }
	return []verb{
		{name: "Open", run: opening(options(), nothing)},
		{name: "Open what must exist", run: opening(existing, nothing)},
		{name: "Open for reading", run: opening(reading, nothing)},
		{name: "Open an unsealed file", writes: true, run: opening(options(), unsealed)},
		{name: "Open for reading an unsealed file", writes: true, run: opening(reading, unsealed)},
		{name: "Open a new file", run: func(ctx context.Context, tree *Tree) (string, error) {
			return openAndRead(ctx, tree, copyPath(tree), options())
		}},
		{name: "Salvage", passesOver: true, run: func(ctx context.Context, tree *Tree) (string, error) {
			salvaged, err := tree.Salvage(ctx, copyPath(tree))
			if err != nil {
				return "", err
			}
			text, err := readAll(ctx, salvaged)
			return text, errors.Join(err, salvaged.Check(ctx), salvaged.Close())
		}},
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
			return postLater(tree, func(Posting) error { return nil })
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
				return copyMeanwhile(ctx, tree, func(c *Copy) error {
					var copyErr error
					with := pruning(func(d []Deletion) { copyErr = errors.Join(copyErr, c.Prune(d)) })
					err := errors.Join(postLater(tree, c.Post), prune(tree, Rule{NewerThan: 2, OlderThan: 9}, with))
					return errors.Join(err, prune(tree, Rule{OlderThan: 12}, with), copyErr)
				})
			})},
		{name: "CopyStored in parts", run: func(ctx context.Context, tree *Tree) (string, error) {
			tree.opts.TransactionBytes = 12 << 10
			stored, _, err := tree.CopyStored(ctx, copyPath(tree), Rule{StoredThrough: 20}, 1<<20, Pruning{})
			if err != nil {
				return "", err
			}
			text, err := readAll(ctx, stored)
			return text, errors.Join(err, stored.Check(ctx), stored.Close())
		}},
	}
}

// postLater posts the values of laterVerbHistory, in several transactions, and then calls posted.
// It does nothing if the tree has the values.
func postLater(tree *Tree, posted func(Posting) error) error {
	state, err := tree.State()
	h, last := laterVerbHistory()
	if err != nil || state.Watermark >= last {
		return err
	}
	p := h.posting(last)
	p.AllowParts = true
	if _, err := tree.Post(p); err != nil {
		return err
	}
	return posted(h.posting(last))
}

// copyMeanwhile copies the tree, and calls between after the first step. The copy must become equal
// to the tree.
func copyMeanwhile(ctx context.Context, tree *Tree, between func(*Copy) error) error {
	state, err := tree.State()
	if err == nil && state.Partial != (PartialPost{}) { // a copy could not say which part of it it has
		err = postLater(tree, func(Posting) error { return nil })
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
		if done, err = c.Step(ctx); err == nil && steps == 0 {
			err = between(c)
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
