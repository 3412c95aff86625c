// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/daybook-db/daybook/index"
)

// copyAll copies the tree, and returns what the copy has.
func copyAll(ctx context.Context, tree *Tree) (string, error) {
	c, err := tree.Copy(copyPath(tree))
	if err != nil {
		return "", err
	}
	for done := false; !done; {
		if done, err = stepOn(ctx, c); err != nil {
			return "", errors.Join(err, c.Close())
		}
	}
	complete, err := c.Finish()
	if err != nil {
		return "", errors.Join(err, c.Close())
	}
	text, err := readAll(context.Background(), complete)
	return text, errors.Join(err, complete.Close())
}

// stepOn takes a step of a copy, which must come further with it.
func stepOn(ctx context.Context, c *Copy) (done bool, err error) {
	before := c.position
	done, err = c.Step(ctx)
	if err == nil && !done && c.position == before {
		err = errors.New("a step of the copy came no further")
	}
	return done, err
}

// copyAndPrune copies everything, and then prunes the tree and its copy by several rules. Both must
// remain the same.
func copyAndPrune(_ context.Context, tree *Tree) (string, error) {
	c, err := tree.Copy(copyPath(tree))
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	for done := false; !done && err == nil; {
		done, err = c.Step(context.Background())
	}
	everything, _ := index.CompileGlob("*")
	for _, rule := range []Rule{
		{NewerThan: 3, OlderThan: 9}, {OlderThan: 6}, {StoredThrough: 80}, {NewerThan: 14}, {MaxPerRecord: 10},
	} {
		var copyErr error
		with := pruning(func(deletions []Deletion) { copyErr = errors.Join(copyErr, c.Prune(deletions)) })
		with.Holds, with.Lost = Holds{{Pattern: everything, From: 90}}, func([]uint64) {}
		with.NotesOf = func([]uint64) Notes { return nil }
		if err == nil {
			_, err = tree.Prune(ctx, everything, rule, with)
		}
		err = errors.Join(err, copyErr)
	}
	if err != nil {
		return "", err
	}
	want, err := readAll(ctx, tree)
	got, copyErr := readAll(ctx, c.to)
	if got != want {
		copyErr = errors.Join(copyErr, errors.New("the copy has other values"))
	}
	return got, errors.Join(err, copyErr)
}

// backUp makes a backup, and returns what the tree in it has.
func backUp(ctx context.Context, tree *Tree) (string, error) {
	b, err := tree.Backup()
	if err != nil {
		return "", err
	}
	defer b.Close()
	if err := b.Verify(ctx); err != nil {
		return "", err
	}
	data, err := io.ReadAll(b.Reader())
	if err != nil {
		return "", err
	}
	if int64(len(data)) != b.Size() {
		return "", fmt.Errorf("the backup has %d bytes; want %d", len(data), b.Size())
	}
	path := copyPath(tree)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return "", err
	}
	restored, err := Open(tree.mapped.fs, path, options())
	if err != nil {
		return "", fmt.Errorf("the backup does not open: %v", err)
	}
	text, err := readAll(context.Background(), restored)
	want, wantErr := tree.Identity()
	if got, gotErr := restored.Identity(); err == nil && gotErr == nil && wantErr == nil && !got.Equal(want) {
		err = errors.New("it has another identity")
	}
	if err = errors.Join(err, restored.Check(context.Background()), restored.Close()); err != nil {
		err = fmt.Errorf("the backup is damaged: %v", err)
	}
	return text, err
}
