// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/index"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestSealFollowsPrune deletes values in one transaction. A copy of the directory from before the
// seal opens without them, because the transaction is durable. The seal follows by itself. From
// then on the older meta page leads to the same values.
func TestSealFollowsPrune(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Logger: discard})
	for i := range uint64(20) {
		mustStore(t, db, "sensor", `1`, i)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	_, before := newestMeta(t, dir)
	unsealed := filepath.Join(testenv.TempDir(t), "copy")
	err := db.withTurn(ctx, func(turn *turn) error { // so the seal has to wait
		pattern, err := index.Compile(daybook.Pattern{Text: "*"})
		if err != nil {
			return err
		}
		if n, err := turn.prune(ctx, pattern, tree.Rule{OlderThan: 5}); n != 5 || err != nil {
			t.Errorf("deleted %d values, %v; want 5", n, err)
		}
		if _, now := newestMeta(t, dir); now != before+1 {
			t.Errorf("the deletion took %d transactions; want 1", now-before)
		}
		return copyOpen(unsealed, dir)
	})
	if err != nil {
		t.Fatal(err)
	}
	wantOpened(t, unsealed, 15)
	at, now := newestMeta(t, dir)
	for deadline := time.Now().Add(time.Minute); now < before+2; at, now = newestMeta(t, dir) {
		if time.Now().After(deadline) {
			t.Fatal("the deletion is not sealed after a minute")
		}
		time.Sleep(time.Millisecond)
	}
	if now != before+2 {
		t.Errorf("the seal took %d transactions; want 1", now-before-1)
	}
	sealed := filepath.Join(testenv.TempDir(t), "copy")
	if err := copyOpen(sealed, dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(sealed, TreeFile)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 1
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	wantOpened(t, sealed, 15)
}

// copyOpen copies the directory of a daybook that is open, and copies it again if a file is renamed
// meanwhile: a segment that has been prepared gets its name.
func copyOpen(to, from string) error {
	for {
		err := os.CopyFS(to, os.DirFS(from))
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.RemoveAll(to); err != nil {
			return err
		}
	}
}

// newestMeta returns the place of the checksum in the tree's newer meta page, and the number of its
// transaction.
func newestMeta(t *testing.T, dir string) (checksum int, tx uint64) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, TreeFile))
	if err != nil {
		t.Fatal(err)
	}
	for page := range 2 {
		const header, txAt, checksumAt = 16, 48, 56
		start := page*os.Getpagesize() + header
		if number := binary.NativeEndian.Uint64(data[start+txAt:]); number > tx {
			checksum, tx = start+checksumAt, number
		}
	}
	return checksum, tx
}

// wantOpened opens a directory twice, and counts its values each time. The first time may find a
// damaged meta page, which Open writes again. After the second time all of it is verified.
func wantOpened(t *testing.T, dir string, want uint64) {
	t.Helper()
	first, err := Open(dir, &Options{Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	wantStats := func(db *DB) {
		if stats, err := db.Stats(ctx); err != nil || stats.Values != want {
			t.Errorf("there are %d values, %v; want %d", stats.Values, err, want)
		}
	}
	wantStats(first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	wantStats(mustOpen(t, dir, &Options{Logger: discard}))
}

// TestSealIsMeasured seals a deletion. A Stats that runs meanwhile learns that the tree has
// changed.
func TestSealIsMeasured(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Logger: discard})
	mustStore(t, db, "sensor", "1", 1)
	taken := mustTakeTurn(t, db)
	defer taken.end()
	if n, err := taken.prune(ctx, allRecords, tree.Rule{OlderThan: 2}); n != 1 || err != nil {
		t.Fatalf("deleted %d values, %v; want 1", n, err)
	}
	before := db.stats.fileChanges.Load()
	if err := taken.seal(); err != nil || db.stats.fileChanges.Load() == before {
		t.Errorf("%d changes of the files after %d, %v; want another", db.stats.fileChanges.Load(), before, err)
	}
}
