// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestMaxSizeReserveGone opens a directory whose tree has grown into the space of the reserve, to
// its end. All of that is free, so it takes values as any other directory does.
func TestMaxSizeReserveGone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there the tree's file doubles, and so does not grow into the space of the reserve")
	}
	for _, when := range []WhenFull{WhenFullRefuse, WhenFullDropOldest} {
		t.Run(when.String(), func(t *testing.T) {
			dir := testenv.TempDir(t)
			opts := &Options{Durability: DurabilityOS, MaxSize: MinMaxSize, WhenFull: when, Logger: discard}
			growIntoReserve(t, dir, opts)
			db := mustOpen(t, dir, opts)
			for i := range uint64(3000) {
				err := db.Store(ctx, "r", json.RawMessage(`"`+digits(4000)+`"`), i)
				if when == WhenFullRefuse && i > 500 && errors.Is(err, daybook.ErrNoSpace) {
					break
				}
				if err != nil {
					t.Fatalf("store %d: %v", i, err)
				}
				if size := occupied(t, dir); i%16 == 0 && size > MinMaxSize {
					t.Fatalf("after %d stores the directory has %d bytes", i, size)
				}
			}
			mustClose(t, db)
			if size := occupied(t, dir); size > MinMaxSize {
				t.Errorf("after Close the directory has %d bytes", size)
			}
		})
	}
}

// growIntoReserve makes a directory whose tree takes up its part and the reserve's.
func growIntoReserve(t *testing.T, dir string, opts *Options) {
	t.Helper()
	db := mustOpen(t, dir, opts)
	mustStore(t, db, "r", "1", 1)
	part := db.opts.budget().treePart()
	mustClose(t, db)
	if err := os.Remove(filepath.Join(dir, reserveName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, TreeFile), part+reserveSize); err != nil {
		t.Fatal(err)
	}
}
