// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// TestOpenWhoseReadsFail fails each read of Open in turn. The log's segments are read twice: to
// find their frames and to replay them. An Open that cannot read one must not go on without its
// values.
func TestOpenWhoseReadsFail(t *testing.T) {
	killed := t.TempDir()
	values := writeSegments(t, killed)
	reads := 0
	for n := 0; ; n++ {
		dir := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(dir, os.DirFS(killed)); err != nil {
			t.Fatal(err)
		}
		fsys := faultfs.NewSystem(disk.OS{})
		seen := 0
		fsys.SetHook(func(op faultfs.Op) error {
			if op.Name != faultfs.Read {
				return nil
			}
			if seen++; seen == n+1 {
				return faultfs.ErrInjected
			}
			return nil
		})
		how := &Options{Logger: discard, OnCorruption: OnCorruptionQuarantine}
		if n%2 == 1 {
			how = &Options{Logger: discard, ReadOnly: true}
		}
		opts, err := how.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		db, err := open(dir, opts, fsys)
		fsys.SetHook(nil)
		if err == nil {
			wantNumber(t, db, values, fmt.Sprintf("Open although read %d failed", n))
			mustClose(t, db)
		} else if !errors.Is(err, faultfs.ErrInjected) {
			t.Errorf("read %d fails: got %v; want its error", n, err)
		}
		if seen <= n { // there are no more reads
			reads = n
			break
		}
		db = mustOpen(t, dir, nil)
		wantNumber(t, db, values, fmt.Sprintf("the next Open after read %d failed", n))
		mustClose(t, db)
	}
	if reads < 6 {
		t.Errorf("Open made %d reads; too few for this test, which wants several segments", reads)
	}
}

// writeSegments makes a directory as a killed process leaves it, with several segments in its log.
// It returns the number of values.
func writeSegments(t *testing.T, dir string) int {
	t.Helper()
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS, Logger: discard})
	const values = 20
	for i := range values {
		mustStore(t, db, "r", `"`+strings.Repeat("x", 50_000)+`"`, uint64(i))
	}
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	if segments, err := filepath.Glob(filepath.Join(dir, logName, "*.log")); err != nil || len(segments) < 3 {
		t.Fatalf("segments %q, %v; want at least three", segments, err)
	}
	return values
}

func wantNumber(t *testing.T, db *DB, want int, what string) {
	t.Helper()
	if got := mustQuery(t, db, "*", daybook.QueryParams{}); len(got) != want {
		t.Errorf("%s: got %d values; want %d", what, len(got), want)
	}
}

// TestReadOnlyOpenRemovesNothing has the files that an Open for writing removes or finishes.
func TestReadOnlyOpenRemovesNothing(t *testing.T) {
	dir := t.TempDir()
	writeSegments(t, dir)
	for _, name := range []string{copyName, restoredName, syncName, logName + "/00000000000000000099.new.log"} {
		write(t, filepath.Join(dir, name), "unfinished")
	}
	names := func() (all []string) {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			all = append(all, path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := names()
	mustClose(t, mustOpen(t, dir, &Options{ReadOnly: true}))
	if diff := cmp.Diff(before, names()); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
	mustClose(t, mustOpen(t, dir, nil))
	for _, name := range names() {
		if data, err := os.ReadFile(name); err == nil && string(data) == "unfinished" {
			t.Errorf("an Open for writing left %s", name)
		}
	}
}

// TestCloseSyncsTheLogWithoutACheckpoint fails the last checkpoint. The log then keeps values that
// no sync has made durable yet, so Close must sync it.
func TestCloseSyncsTheLogWithoutACheckpoint(t *testing.T) {
	dir := t.TempDir()
	db, fsys := openFaulty(t, dir, Options{Durability: DurabilityOS})
	mustStore(t, db, "r", "1", 1)
	_ = db.trees.current.Fail(faultfs.ErrInjected)
	var syncs atomic.Int64
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Sync && inLog(op) && !strings.HasSuffix(op.Path, ".new.log") {
			syncs.Add(1)
		}
		return nil
	})
	if err := db.Close(); !errors.Is(err, daybook.ErrFailed) {
		t.Errorf("Close: got %v; want ErrFailed, because the tree has failed", err)
	}
	if syncs.Load() == 0 {
		t.Error("Close did not sync the log, which keeps the only copy of a value")
	}
	db = mustOpen(t, dir, nil)
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"r", "1", 1})
}

// TestTreeWithoutBuckets opens a valid bbolt file that has none of the buckets. It is a new tree
// only where there is no log. Beside a log it was lost.
func TestTreeWithoutBuckets(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, nil)
	mustStore(t, db, "r", "1", 1)
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, TreeFile), string(pages.NewFile(os.Getpagesize())))
	if _, err := Open(dir, nil); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("Open of a tree without buckets beside a log: got %v; want ErrCorrupt", err)
	}
	db = mustOpen(t, dir, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
	if err := db.Store(ctx, "r", json.RawMessage("2"), 2); err != nil {
		t.Fatal(err)
	}
}
