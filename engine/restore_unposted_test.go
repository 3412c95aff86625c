// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/proof/testenv"
)

// mustOpenEmptyTree opens a tree of small transactions, which the test must close.
func mustOpenEmptyTree(t *testing.T) *tree.Tree {
	t.Helper()
	dir := mustOpenDirectory(t, testenv.TempDir(t))
	empty, err := tree.Open(dir.fs, dir.tree, tree.Options{
		ChunkValues: DefaultChunkValues, ChunkBytes: DefaultChunkBytes, TransactionBytes: MinTransactionSize,
	})
	if err != nil {
		t.Fatal(err)
	}
	return empty
}

// TestUnpostedTakesSeveralTransactions posts the values after the tree of a backup in transactions
// that have room for some of the records. Each value must get into the tree once.
func TestUnpostedTakesSeveralTransactions(t *testing.T) {
	const records = 40
	db := mustOpen(t, testenv.TempDir(t), nil)
	for i := range uint64(records) {
		mustStore(t, db, fmt.Sprintf("r%02d", i), `"`+digits(1000)+`"`, i)
	}
	restored := mustOpenEmptyTree(t)
	err := unposted(mustWriteUnposted(t, db)).postTo(restored)
	state, stateErr := restored.State()
	if err := errors.Join(err, stateErr, restored.Check(ctx), restored.Close()); err != nil {
		t.Fatal(err)
	}
	if state.Values != records || state.Records != records || state.Watermark != records {
		t.Errorf("the tree has %d values of %d records, up to number %d; want %d", state.Values, state.Records,
			state.Watermark, records)
	}
	if state.Generation < 4 {
		t.Errorf("it took %d transactions; the test wants several", state.Generation)
	}
}

// TestUnpostedCannotBePosted posts the values after the tree of a backup to a tree that cannot be
// written to, and to one that cannot be read.
func TestUnpostedCannotBePosted(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	mustStore(t, db, "r", "1", 1)
	values := unposted(mustWriteUnposted(t, db))
	restored := mustOpenEmptyTree(t)
	_ = restored.Fail(syscall.EIO)
	if err := values.postTo(restored); !errors.Is(err, syscall.EIO) {
		t.Errorf("a tree that has failed: got %v; want EIO", err)
	}
	if err := restored.Close(); err != nil {
		t.Fatal(err)
	}
	if err := values.postTo(restored); err == nil {
		t.Error("a closed tree: got no error")
	}
}

// TestRestoreOfDamagedUnposted alters what follows the tree of a backup, and the SHA-256 with it. A
// mistake of the program that wrote it does so. Restore must not leave a value out in silence.
func TestRestoreOfDamagedUnposted(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, nil)
	mustStore(t, db, "r", "1", 1)
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	reading := mustOpen(t, dir, &Options{ReadOnly: true})
	backup := mustBackup(t, reading)
	mustClose(t, reading)
	content, trailer := backup[:len(backup)-trailerLen], backup[len(backup)-trailerLen:]
	rest := unpostedLen(trailer)
	if rest == 0 {
		t.Fatal("no value follows the tree")
	}
	for what, at := range map[string]int{
		"the identity": len(content) - int(rest) + unpostedHeaderLen,
		"the value":    len(content) - 1,
	} {
		altered := bytes.Clone(content)
		altered[at] ^= 1
		sum := sha256.New()
		_, _ = sum.Write(altered)
		altered = appendTrailer(altered, int64(len(altered)), rest, sum)
		into := filepath.Join(testenv.TempDir(t), "restored")
		if err := Restore(ctx, into, bytes.NewReader(altered)); !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("%s was altered: got %v; want ErrCorrupt", what, err)
		}
		if _, err := os.Stat(into); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was altered: Restore has left its directory: %v", what, err)
		}
	}
}
