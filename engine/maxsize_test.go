// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/daybook-db/daybook"
)

// occupied is how long the files of a directory are, together.
func occupied(t testing.TB, dir string) (total int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) { // it was just removed
				return nil
			}
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}

// maxSizeLoad are stores of one kind.
type maxSizeLoad struct {
	name  string
	store func(db *DB, i uint64) error
}

var maxSizeLoads = []maxSizeLoad{
	{"digits, that do not compress", func(db *DB, i uint64) error {
		return db.Store(ctx, fmt.Sprintf("r%d", i%100), json.RawMessage(`"`+digits(2000)+`"`), i)
	}},
	{"small values in batches", func(db *DB, i uint64) error {
		var batch []daybook.StoredValue
		for r := range 500 {
			batch = append(batch, daybook.StoredValue{RecordName: fmt.Sprintf("plant.sensor%03d", r), Value: json.RawMessage(fmt.Sprint(rand.Uint64())), StoredAt: i})
		}
		return db.StoreBatch(ctx, batch)
	}},
	{"records with long names, of one value", func(db *DB, i uint64) error {
		return db.Store(ctx, fmt.Sprintf("%d.%s", rand.Uint64(), digits(900)), json.RawMessage("1"), i)
	}},
	{"the largest values", func(db *DB, i uint64) error {
		return db.Store(ctx, "long", json.RawMessage(`"`+digits(MinMaxSize/largestPart-2)+`"`), i)
	}},
	{"at any time", func(db *DB, i uint64) error {
		return db.Store(ctx, fmt.Sprintf("r%d", rand.IntN(20)), json.RawMessage(`"`+digits(800)+`"`), rand.Uint64N(1000)+i)
	}},
}

// TestMaxSize stores until the bound is reached, looks at the directory all the time, and goes on after a Cleanup.
func TestMaxSize(t *testing.T) {
	const most = MinMaxSize
	for _, load := range maxSizeLoads {
		t.Run(load.name, func(t *testing.T) {
			dir := t.TempDir()
			db := mustOpen(t, dir, &Options{Durability: OS, MaxSize: most, Logger: discard})
			stored, i := uint64(0), uint64(0)
			for round := range 3 {
				var err error
				for err == nil {
					if err = load.store(db, i); err == nil {
						stored++
					}
					i++
					if size := occupied(t, dir); size > most {
						t.Fatalf("round %d: after %d stores the directory has %d bytes; MaxSize is %d", round, i, size, most)
					}
				}
				if !errors.Is(err, daybook.ErrNoSpace) {
					t.Fatalf("round %d: after %d stores: %v; want ErrNoSpace", round, i, err)
				}
				if size := occupied(t, dir); round == 0 && size < most/4 {
					t.Errorf("only %d bytes were used of %d", size, most)
				}
				deleted, err := db.Cleanup(ctx, i/2+i/4)
				if err != nil || deleted == 0 {
					t.Fatalf("round %d: Cleanup deleted %d values: %v", round, deleted, err)
				}
				if size := occupied(t, dir); size > most {
					t.Fatalf("round %d: after Cleanup the directory has %d bytes", round, size)
				}
			}
			if stored < 10 {
				t.Errorf("only %d stores fitted", stored)
			}
		})
	}
}

// TestMaxSizeDropsOldest stores several times what fits, and wants all stores to succeed, the newest values to be there, and
// nothing older than what was dropped.
func TestMaxSizeDropsOldest(t *testing.T) {
	const most = MinMaxSize
	for _, load := range maxSizeLoads[:4] {
		t.Run(load.name, func(t *testing.T) {
			dir := t.TempDir()
			db := mustOpen(t, dir, &Options{Durability: OS, MaxSize: most, WhenFull: DropOldest, Logger: discard})
			i := uint64(0)
			for ; ; i++ {
				if err := load.store(db, i); err != nil {
					t.Fatalf("store %d: %v", i, err)
				}
				if size := occupied(t, dir); size > most {
					t.Fatalf("after %d stores the directory has %d bytes; MaxSize is %d", i, size, most)
				}
				if i%50 != 0 {
					continue
				}
				stats, err := db.Stats(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if stats.LastSequence > 3*stats.Values {
					break
				}
			}
			i++
			oldest, newest, values := uint64(1<<63), uint64(0), map[uint64]int{}
			for v, err := range db.Scan(ctx, "*", daybook.QueryParams{}) {
				if err != nil {
					t.Fatal(err)
				}
				oldest, newest = min(oldest, v.StoredAt), max(newest, v.StoredAt)
				values[v.StoredAt]++
			}
			if newest != i-1 || oldest == 0 || len(values) != int(newest-oldest)+1 {
				t.Errorf("of %d times there are %d, from %d to %d", i, len(values), oldest, newest)
			}
			for at, n := range values {
				if n != values[newest] {
					t.Errorf("%d values are left of time %d; want %d", n, at, values[newest])
				}
			}
		})
	}
}

// TestMaxSizeBesideScan keeps a scan open, whose pages stay taken: nothing more is dropped for that.
func TestMaxSizeBesideScan(t *testing.T) {
	const most = MinMaxSize
	dir := t.TempDir()
	db := mustOpen(t, dir, &Options{Durability: OS, MaxSize: most, WhenFull: DropOldest, Logger: discard})
	store := func(i uint64) error { return db.Store(ctx, "r", json.RawMessage(`"`+digits(4000)+`"`), i) }
	for i := range uint64(1000) {
		if err := store(i); err != nil {
			t.Fatal(err)
		}
	}
	before, err := db.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range db.Scan(ctx, "*", daybook.QueryParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		i := uint64(1000)
		for ; err == nil && i < 10_000; i++ {
			err = store(i)
		}
		stats, failed := db.Stats(ctx)
		if !errors.Is(err, daybook.ErrNoSpace) || failed != nil || stats.Values < before.Values/2 {
			t.Errorf("after %d stores: %v; %d values are left of %d (%v)", i, err, stats.Values, before.Values, failed)
		}
		if size := occupied(t, dir); size > most {
			t.Errorf("the directory has %d bytes; MaxSize is %d", size, most)
		}
		break
	}
	for i := range uint64(3000) {
		if err := store(20_000 + i); err != nil {
			t.Fatalf("after the scan: store %d: %v", i, err)
		}
	}
}

// TestMaxSizeCompact has no room for a copy within the bound, and then has.
func TestMaxSizeCompact(t *testing.T) {
	if !canReplace {
		t.Skip("a file that is open cannot be replaced on Windows")
	}
	dir := t.TempDir()
	db := mustOpen(t, dir, &Options{Durability: OS, MaxSize: 4 * MinMaxSize, Logger: discard})
	i := uint64(0)
	for ; ; i++ {
		if err := db.Store(ctx, "r", json.RawMessage(`"`+digits(4000)+`"`), i); err != nil {
			break
		}
	}
	if err := db.Compact(ctx); !errors.Is(err, daybook.ErrNoSpace) {
		t.Errorf("Compact of a full directory: got %v; want ErrNoSpace", err)
	}
	if _, err := db.Cleanup(ctx, i-i/8); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(ctx); err != nil {
		t.Errorf("Compact after Cleanup: %v", err)
	}
	if size := occupied(t, dir); size > 3*MinMaxSize {
		t.Errorf("the directory still has %d bytes", size)
	}
}

func TestMaxSizeOptions(t *testing.T) {
	for _, opts := range []Options{
		{MaxSize: MinMaxSize - 1}, {MaxSize: -1}, {MaxSize: MinMaxSize, HeadSize: MinMaxSize/16 + 1},
		{MaxSize: MinMaxSize, TransactionSize: MinMaxSize/64 + 1}, {WhenFull: 2}, {WhenFull: -1}, {OnCorruption: 2},
	} {
		if _, err := Open(t.TempDir(), &opts); !errors.Is(err, daybook.ErrInvalidParams) {
			t.Errorf("%+v: got %v; want ErrInvalidParams", opts, err)
		}
	}
	db := mustOpen(t, t.TempDir(), &Options{MaxSize: MinMaxSize, WhenFull: DropOldest})
	mustStore(t, db, "r", "1", 1)
	large := json.RawMessage(`"` + digits(MinMaxSize/largestPart) + `"`)
	if err := db.Store(ctx, "r", large, 2); !errors.Is(err, daybook.ErrValueTooLarge) {
		t.Errorf("a value beyond a 128th: got %v; want ErrValueTooLarge", err)
	}
	var batch []daybook.StoredValue // as a whole it fits into no store of that size
	for range 120 {
		batch = append(batch, daybook.StoredValue{RecordName: "r", Value: json.RawMessage(`"` + digits(50<<10) + `"`), StoredAt: 3})
	}
	if err := db.StoreBatch(ctx, batch); !errors.Is(err, daybook.ErrNoSpace) {
		t.Errorf("a batch beyond MaxSize: got %v; want ErrNoSpace", err)
	}
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"r", "1", 1})
}
