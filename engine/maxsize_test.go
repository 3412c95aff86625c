// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// occupied returns the total size of the files of a directory, in bytes.
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

// maxSizeLoad is a kind of stores.
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
			batch = append(batch,
				daybook.StoredValue{RecordName: fmt.Sprintf("plant.sensor%03d", r),
					Value: json.RawMessage(fmt.Sprint(rand.Uint64())), StoredAt: i})
		}
		return db.StoreBatch(ctx, batch)
	}},
	{"records with long names, of one value", func(db *DB, i uint64) error {
		return db.Store(ctx, fmt.Sprintf("%d.%s", rand.Uint64(), digits(900)), json.RawMessage("1"), i)
	}},
	{"the largest values", func(db *DB, i uint64) error {
		return db.Store(ctx, "long", json.RawMessage(`"`+digits(MinMaxSize/maxValuePart-2)+`"`), i)
	}},
	{"at one time", func(db *DB, i uint64) error {
		return db.Store(ctx, fmt.Sprintf("r%d", i%20), json.RawMessage(`"`+digits(2000)+`"`), 0)
	}},
	{"at any time", func(db *DB, i uint64) error {
		return db.Store(ctx, fmt.Sprintf("r%d", rand.IntN(20)), json.RawMessage(`"`+digits(800)+`"`),
			rand.Uint64N(1000)+i)
	}},
	{"with a clock that falls back", func(db *DB, i uint64) error {
		return db.Store(ctx, fmt.Sprintf("r%d", i%20), json.RawMessage(`"`+digits(1500)+`"`), i%500)
	}},
}

// isCheckDue reports whether a test measures the directory after a number of stores: with -long
// after each, otherwise after every eighth.
func isCheckDue(stores uint64) bool { return testenv.Long() || stores%8 == 0 }

// rounds is how often a test fills a directory.
func rounds() int {
	switch {
	case testenv.Long():
		return 3
	case testing.Short():
		return 1
	}
	return 2
}

// TestMaxSize stores until the maximum is reached, compares the size of the directory with it all
// the time, and goes on after a Cleanup.
func TestMaxSize(t *testing.T) {
	const maxSize = MinMaxSize
	for _, load := range maxSizeLoads {
		t.Run(load.name, func(t *testing.T) {
			t.Parallel()
			dir := testenv.TempDir(t)
			db := mustOpen(t, dir, &Options{Durability: DurabilityOS, MaxSize: maxSize, Logger: discard})
			stored, i := uint64(0), uint64(0)
			for round := range rounds() {
				var err error
				for err == nil {
					if err = load.store(db, i); err == nil {
						stored++
					}
					i++
					if !isCheckDue(i) && err == nil {
						continue
					}
					if size := occupied(t, dir); size > maxSize {
						t.Fatalf("round %d: after %d stores the directory has %d bytes; MaxSize is %d", round, i, size,
							maxSize)
					}
				}
				if !errors.Is(err, daybook.ErrNoSpace) {
					t.Fatalf("round %d: after %d stores: %v; want ErrNoSpace", round, i, err)
				}
				if size := occupied(t, dir); round == 0 && size < maxSize/4 {
					t.Errorf("only %d bytes were used of %d", size, maxSize)
				}
				deleted, err := db.Cleanup(ctx, i/2+i/4)
				if err != nil || deleted == 0 {
					t.Fatalf("round %d: Cleanup deleted %d values: %v", round, deleted, err)
				}
				if size := occupied(t, dir); size > maxSize {
					t.Fatalf("round %d: after Cleanup the directory has %d bytes", round, size)
				}
			}
			if stored < 10 {
				t.Errorf("only %d stores fitted", stored)
			}
		})
	}
}

// TestMaxSizeDropsOldest stores several times as many values as fit. All stores must succeed, and
// the values that were stored last must remain, whatever their time, at least half of those that
// fit.
func TestMaxSizeDropsOldest(t *testing.T) {
	loads := maxSizeLoads
	if testing.Short() {
		loads = loads[3:] // the others take many more stores
	}
	for _, load := range loads {
		t.Run(load.name, func(t *testing.T) {
			t.Parallel()
			dir := testenv.TempDir(t)
			db := mustOpen(t, dir, &Options{Durability: DurabilityOS, MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest,
				DropKeepNewest: -1, Logger: discard})
			maxCount, last := uint64(0), uint64(0) // number of values, and the last sequence number
			for i := uint64(0); last <= maxCount+maxCount/2; i++ {
				if err := load.store(db, i); err != nil {
					t.Fatalf("store %d: %v", i, err)
				}
				if !isCheckDue(i) {
					continue
				}
				if size := occupied(t, dir); size > MinMaxSize {
					t.Fatalf("after %d stores the directory has %d bytes; MaxSize is %d", i, size, MinMaxSize)
				}
				if i%64 != 0 {
					continue
				}
				stats, err := db.Stats(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if maxCount, last = max(maxCount, stats.Values), stats.LastSequence; stats.Values < maxCount/2 {
					t.Fatalf("after %d stores %d values remain of %d", i, stats.Values, maxCount)
				}
			}
			first, values := uint64(0), uint64(0)
			for _, change := range mustChange(t, db, daybook.Cursor{}) {
				first = cmp.Or(first, change.Cursor.Sequence)
				if values++; change.Cursor.Sequence != first+values-1 {
					t.Fatalf("value %d is followed by value %d, so it is not the first ones that went", first+values-2,
						change.Cursor.Sequence)
				}
			}
			if first <= 1 || first+values-1 != last {
				t.Errorf("of %d values those from %d to %d are left", last, first, first+values-1)
			}
		})
	}
}

// TestMaxSizeBesideScan stores within the loop of a scan, whose pages cannot be used again. The
// scan ends, and no Store is refused.
func TestMaxSizeBesideScan(t *testing.T) {
	t.Parallel() // it waits
	if runtime.GOOS == "windows" {
		t.Skip("an open snapshot holds up checkpoints there")
	}
	const maxSize = MinMaxSize
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir,
		&Options{Durability: DurabilityOS, MaxSize: maxSize, WhenFull: WhenFullDropOldest, Logger: discard})
	store := func(at uint64) { mustStore(t, db, "r", `"`+digits(24_000)+`"`, at) }
	for i := range uint64(400) {
		store(i)
	}
	before := mustStats(t, db)
	yielded, ended := uint64(0), false
	for _, err := range db.Scan(ctx, "*", daybook.QueryParams{}) {
		if err != nil {
			ended = true
			if !errors.Is(err, daybook.ErrSnapshotEnded) {
				t.Errorf("the scan ended with %v; want ErrSnapshotEnded", err)
			}
			break
		}
		if yielded++; yielded == 1 {
			for i := range uint64(600) {
				store(1000 + i)
			}
			if after := mustStats(t, db); after.Values < before.Values/2 {
				t.Errorf("%d values are left of %d", after.Values, before.Values)
			}
			if size := occupied(t, dir); size > maxSize {
				t.Errorf("the directory has %d bytes; MaxSize is %d", size, maxSize)
			}
		}
	}
	if !ended || yielded == before.Values {
		t.Errorf("the scan yielded %d of %d values; want it to end before", yielded, before.Values)
	}
}

func TestMaxSizeOptions(t *testing.T) {
	for _, opts := range []Options{
		{MaxSize: MinMaxSize - 1}, {MaxSize: -1}, {MaxSize: MinMaxSize, Tuning: Tuning{HeadSize: MinMaxSize/16 + 1}},
		{MaxSize: MinMaxSize, Tuning: Tuning{TransactionSize: MinMaxSize/64 + 1}}, {WhenFull: 2}, {WhenFull: -1},
		{OnCorruption: 2},
	} {
		if _, err := Open(t.TempDir(), &opts); !errors.Is(err, daybook.ErrInvalidParams) {
			t.Errorf("%+v: got %v; want ErrInvalidParams", opts, err)
		}
	}
	if _, err := Open(t.TempDir(), &Options{MaxSize: -1}); err == nil || strings.Count(err.Error(), "want") != 1 {
		t.Errorf("a MaxSize of -1: got %v; want one fault", err)
	}
	db := mustOpen(t, t.TempDir(), &Options{MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest})
	mustStore(t, db, "r", "1", 1)
	large := json.RawMessage(`"` + digits(MinMaxSize/maxValuePart) + `"`)
	if err := db.Store(ctx, "r", large, 2); !errors.Is(err, daybook.ErrValueTooLarge) {
		t.Errorf("a value beyond a 128th: got %v; want ErrValueTooLarge", err)
	}
	var batch []daybook.StoredValue
	for range 11 {
		batch = append(batch,
			daybook.StoredValue{RecordName: "r", Value: json.RawMessage(`"` + digits(50<<10) + `"`), StoredAt: 3})
	}
	if err := db.StoreBatch(ctx, batch); !errors.Is(err, daybook.ErrValueTooLarge) {
		t.Errorf("a batch beyond a sixteenth: got %v; want ErrValueTooLarge", err)
	}
	batch = batch[:0]
	for range MinMaxSize / maxBatchPart / batchBytesPerValue {
		batch = append(batch, daybook.StoredValue{RecordName: "r", Value: json.RawMessage("1")})
	}
	if err := db.StoreBatch(ctx, batch); !errors.Is(err, daybook.ErrValueTooLarge) {
		t.Errorf("a batch of %d small values: got %v; want ErrValueTooLarge", len(batch), err)
	}
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"r", "1", 1})
}

// TestBatchTooLarge stores batches with one value more than StoreBatch takes, and with the bytes of
// one value more.
func TestBatchTooLarge(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	small := daybook.StoredValue{RecordName: "r", Value: json.RawMessage("1")}
	large := daybook.StoredValue{RecordName: "r", Value: json.RawMessage(`"` + strings.Repeat("a", 1<<20) + `"`)}
	for name, batch := range map[string][]daybook.StoredValue{
		"values": slices.Repeat([]daybook.StoredValue{small}, MaxBatchValues+1),
		"bytes":  slices.Repeat([]daybook.StoredValue{large}, MaxBatchBytes/(1<<20)),
	} {
		err := db.StoreBatch(ctx, batch)
		if !errors.Is(err, daybook.ErrValueTooLarge) || !strings.Contains(err.Error(), "split it") {
			t.Errorf("too many %s: got %v; want ErrValueTooLarge that says what to do", name, err)
		}
	}
}

// TestMaxSizeTogether stores large values from many goroutines. Their groups do not fit as a whole.
func TestMaxSizeTogether(t *testing.T) {
	t.Parallel()
	db := mustOpen(t, testenv.TempDir(t),
		&Options{MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest, DropKeepNewest: -1, Logger: discard})
	var storing sync.WaitGroup
	for g := range 100 {
		storing.Go(func() {
			for i := range uint64(5) {
				if err := db.Store(ctx, fmt.Sprintf("r%d", g), json.RawMessage(`"`+digits(60<<10)+`"`),
					i+1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	storing.Wait()
}

// fillUp stores until MaxSize is reached, or a number of values is stored.
func fillUp(t *testing.T, db *DB, maxStores uint64) (last uint64) {
	t.Helper()
	for last < maxStores {
		err := db.Store(ctx, fmt.Sprintf("r%d", last%100), json.RawMessage(`"`+digits(2000)+`"`), last+1)
		if errors.Is(err, daybook.ErrNoSpace) {
			return last
		}
		if err != nil {
			t.Fatal(err)
		}
		last++
	}
	return last
}

// TestMaxSizeBatches stores the largest batches in a full store, which drops no more values for
// them than it must, and in a store after a cleanup, where they fit again and again.
func TestMaxSizeBatches(t *testing.T) {
	t.Parallel()
	for _, when := range []WhenFull{WhenFullRefuse, WhenFullDropOldest} {
		t.Run(when.String(), func(t *testing.T) {
			dir := testenv.TempDir(t)
			db := mustOpen(t, dir,
				&Options{Durability: DurabilityOS, MaxSize: MinMaxSize, WhenFull: when, Logger: discard})
			last := fillUp(t, db, 4000)
			if when == WhenFullRefuse {
				if _, err := db.Cleanup(ctx, last-10); err != nil {
					t.Fatal(err)
				}
			}
			before, err := db.Stats(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for n := range uint64(5) {
				var batch []daybook.StoredValue
				for range 10 {
					batch = append(batch,
						daybook.StoredValue{RecordName: "batch", Value: json.RawMessage(`"` + digits(50_000) + `"`),
							StoredAt: last + n})
				}
				if err := db.StoreBatch(ctx, batch); err != nil && when == WhenFullDropOldest {
					t.Fatalf("batch %d: %v", n, err)
				} else if err != nil && n < 3 {
					t.Fatalf("batch %d, after Cleanup: %v", n, err)
				}
				if size := occupied(t, dir); size > MinMaxSize {
					t.Fatalf("the directory has %d bytes", size)
				}
			}
			after, err := db.Stats(ctx)
			if err != nil || when == WhenFullDropOldest && after.Values < before.Values/20 {
				t.Errorf("%d values are left of %d (%v)", after.Values, before.Values, err)
			}
		})
	}
}
