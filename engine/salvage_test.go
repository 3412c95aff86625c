// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/proof/testenv"
)

// rottenStore is a closed store of three records. Each has five chunks of four values, at the times
// from 1 on. One chunk is damaged: b's values at 9 to 12.
func rottenStore(t *testing.T) (dir string, whole []row) {
	t.Helper()
	dir = testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Durability: OS, Tuning: Tuning{ChunkValues: 4}, Logger: discard})
	for _, name := range []string{"a", "b", "c"} {
		for at := uint64(1); at <= 20; at++ {
			r := row{name, fmt.Sprintf(`"%s %d"`, name, at), at}
			mustStore(t, db, r.Name, r.Value, r.At)
			if name != "b" || at < 9 || at > 12 {
				whole = append(whole, r)
			}
		}
	}
	mustClose(t, db)
	path := filepath.Join(dir, treeName)
	bolt, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer bolt.Close()
	err = bolt.View(func(tx *bbolt.Tx) error {
		chunk := tx.Bucket([]byte("values")).Get(codec.Key{Record: "b", Timestamp: 9}.Append(nil))
		damaged := bytes.Clone(chunk)
		damaged[len(damaged)-1] ^= 1
		data, err := os.ReadFile(path)
		if err == nil {
			write(t, path, string(bytes.ReplaceAll(data, chunk, damaged)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir, whole
}

// from returns the rows with at least the given time.
func from(rows []row, at uint64) []row {
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.At < at })
}

// of returns the rows of one record.
func of(rows []row, name string) []row {
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.Name != name })
}

var oldestFirst = daybook.QueryParams{Order: daybook.OldestFirst}

// TestRot shows that without Quarantine a damaged chunk costs only its values, and those values of
// its record that would be deleted with it.
func TestRot(t *testing.T) {
	dir, whole := rottenStore(t)
	db, err := Open(dir, &Options{Durability: OS, Tuning: Tuning{ChunkValues: 4}, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	deleted, err := db.Cleanup(ctx, 11)
	wantCorrupt(t, "Cleanup", err)
	if deleted != 20 {
		t.Errorf("Cleanup deleted %d values; want 10 of a, and 10 of c", deleted)
	}
	for _, name := range []string{"a", "c"} {
		wantRows(t, mustQuery(t, db, name, oldestFirst), from(of(whole, name), 11)...)
	}
	if got, err := db.Query(ctx, "b", daybook.Between(1, 8)); err != nil || len(got) != 8 {
		t.Errorf("b has %d values before the damage, %v; want 8", len(got), err)
	}
	for at := uint64(21); at <= 40; at++ { // and another record, which follows it by name
		mustStore(t, db, "b", fmt.Sprint(at), at)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Errorf("Checkpoint of values after the damage: %v", err)
	}
	if got, err := db.Query(ctx, "b", daybook.Since(13)); err != nil || len(got) != 28 {
		t.Errorf("b has %d values after the damage, %v; want 28", len(got), err)
	}
	wantCorrupt(t, "Compact", db.Compact(ctx))
	if deleted, err = db.Cleanup(ctx, 13); deleted != 12+2+2 || err != nil {
		t.Errorf("Cleanup of the damaged chunk as a whole: %d, %v; want 16", deleted, err)
	}
	if err := errors.Join(db.Check(ctx), db.Compact(ctx)); err != nil {
		t.Errorf("after the damage is deleted: %v", err)
	}
}

// TestSalvage lets each operation that changes the tree meet the damage, with Quarantine. The
// undamaged values are there afterwards, and the damaged file beside them.
func TestSalvage(t *testing.T) {
	if !canReplaceOpenFiles {
		t.Skip("a file that is open cannot be replaced on Windows")
	}
	tests := []struct {
		name string
		do   func(db *DB) error
		from uint64 // the oldest time that is left
		more []row
	}{
		{"compact", func(db *DB) error { return db.Compact(ctx) }, 1, nil},
		{"prune", func(db *DB) error { _, err := db.Cleanup(ctx, 11); return err }, 11, nil},
		{"prune by count", func(db *DB) error {
			_, err := db.Prune(ctx, "b", daybook.PruneParams{MaxPerRecord: 10})
			return err
		}, 1, nil},
		{"checkpoint", func(db *DB) error { // of what cuts into it
			if err := db.Store(ctx, "b", json.RawMessage("1"), 10); err != nil {
				return err
			}
			return db.Checkpoint(ctx)
		}, 1, []row{{"b", "1", 10}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, whole := rottenStore(t)
			before, err := os.ReadFile(filepath.Join(dir, treeName))
			if err != nil {
				t.Fatal(err)
			}
			opts := &Options{Tuning: Tuning{ChunkValues: 4}, OnCorruption: Quarantine, Logger: discard}
			db := mustOpen(t, dir, opts)
			if err := test.do(db); err != nil {
				t.Errorf("got %v; want it to go on without the damaged chunk", err)
			}
			want := from(append(whole, test.more...), test.from)
			if test.name == "prune by count" {
				want = slices.DeleteFunc(want,
					func(r row) bool { return r.Name == "b" && r.At < 7 }) // 10 of the undamaged values
			}
			slices.SortStableFunc(want,
				func(a, b row) int { return bytes.Compare([]byte(a.Name), []byte(b.Name))*100 + int(a.At) - int(b.At) })
			wantRows(t, mustQuery(t, db, "*", oldestFirst), want...)
			stats, err := db.Stats(ctx)
			aside := filepath.Join(dir, "daybook.corrupt-1.db")
			if err != nil || !slices.Equal(stats.Quarantined, []string{aside}) {
				t.Errorf("Stats say that %q was set aside, %v; want %s", stats.Quarantined, err, aside)
			}
			if after, err := os.ReadFile(aside); err != nil || len(after) < len(before) {
				t.Errorf("%s has %d bytes, %v; want the %d of the damaged file, or more", aside, len(after), err,
					len(before))
			}
			mustClose(t, db)
			db = mustOpen(t, dir, opts)
			wantRows(t, mustQuery(t, db, "*", oldestFirst), want...)
		})
	}
}

// TestSalvageFails fails each operation of a salvage and all later ones, as in a crash. The next
// Open finds the undamaged values.
func TestSalvageFails(t *testing.T) {
	if !canReplaceOpenFiles {
		t.Skip("a file that is open cannot be replaced on Windows")
	}
	opts, err := (&Options{Tuning: Tuning{ChunkValues: 4}, OnCorruption: Quarantine, Logger: discard}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		dir, whole := rottenStore(t)
		fsys := faultfs.New(disk.OS{})
		db, err := open(dir, opts, fsys)
		if err != nil {
			t.Fatal(err)
		}
		failAfter(fsys, n)
		failed := db.Compact(ctx)
		_ = db.abandon()
		db = mustOpen(t, dir, &opts)
		if err := db.Compact(ctx); err != nil {
			t.Fatalf("%d operations succeed: Compact, after it was opened again: %v", n, err)
		}
		wantRows(t, mustQuery(t, db, "*", oldestFirst), whole...)
		for _, name := range []string{copyName, salvagedName} {
			if _, err := os.Lstat(filepath.Join(dir, name)); !os.IsNotExist(err) {
				t.Errorf("%d operations succeed: %s is left over: %v", n, name, err)
			}
		}
		mustClose(t, db)
		if failed == nil {
			if n < 5 {
				t.Errorf("only %d operations had to succeed", n)
			}
			return
		}
	}
}

// TestMaxSizeDropsRot drops the oldest values while some of them are damaged, with and without
// Quarantine.
func TestMaxSizeDropsRot(t *testing.T) {
	for _, onCorruption := range []OnCorruption{Fail, Quarantine} {
		t.Run(onCorruption.String(), func(t *testing.T) {
			dir := testenv.TempDir(t)
			opts := &Options{Durability: OS, MaxSize: MinMaxSize, WhenFull: DropOldest, OnCorruption: onCorruption,
				Logger: discard}
			db, err := Open(dir, opts)
			if err != nil {
				t.Fatal(err)
			}
			store := func(i uint64) {
				t.Helper()
				mustStore(t, db, fmt.Sprintf("r%d", i%5), `"`+digits(4000)+`"`, i)
			}
			i := uint64(0)
			for ; i < 750; i++ {
				store(i)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, treeName)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 3 { // in the middle of pages that continue a leaf, so in a value's bytes
				at := len(data)/4*(n+1) + 1000
				data[at] ^= 1
			}
			write(t, path, string(data))
			if db, err = Open(dir, opts); err != nil {
				t.Fatal(err)
			}
			wantCorrupt(t, "Check", db.Check(ctx))
			for ; i < 2500; i++ {
				store(i)
			}
			if got, err := db.Query(ctx, "*", daybook.Since(i-250)); len(got) != 250 || err != nil {
				t.Errorf("%d of the newest values, %v; want 250", len(got), err)
			}
			if err := db.Check(ctx); err != nil {
				t.Errorf("after all values are deleted: %v", err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSalvageOnOpenFails has values in the log that belong between damaged ones. Each operation
// after the copy of the undamaged part fails, once or for good. Whatever Open does then, the next
// Open has all undamaged values.
func TestSalvageOnOpenFails(t *testing.T) {
	if !canReplaceOpenFiles {
		t.Skip("a file that is open cannot be replaced on Windows")
	}
	opts, err := (&Options{Durability: OS, Tuning: Tuning{ChunkValues: 4, HeadSize: MinHeadSize}, LockTimeout: -1,
		OnCorruption: Quarantine, Logger: discard}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	const inLog = 150 // more than a head
	for n := range 12 {
		for _, once := range []bool{true, false} {
			dir, whole := rottenStore(t)
			db, err := Open(dir, &Options{Durability: OS, Tuning: Tuning{ChunkValues: 4}, Logger: discard})
			if err != nil {
				t.Fatal(err)
			}
			for range inLog {
				mustStore(t, db, "b", `"`+digits(50)+`"`, 10)
			}
			if err := db.abandon(); err != nil {
				t.Fatal(err)
			}
			fsys := faultfs.New(disk.OS{})
			var seen atomic.Int64 // operations since the copy got its name
			fsys.SetHook(func(op faultfs.Op) error {
				if seen.Load() == 0 && (op.Name != faultfs.Rename || filepath.Base(op.Path) != copyName) {
					return nil
				}
				if number := int(seen.Add(1)); number == n+1 || number > n && !once {
					return &os.PathError{Op: op.Name, Path: op.Path, Err: syscall.ENOSPC}
				}
				return nil
			})
			if db, err = open(dir, opts, fsys); err == nil {
				_ = db.abandon()
			}
			if db, err = Open(dir, &opts); err != nil {
				t.Fatalf("operation %d fails, once: %v: the next Open: %v", n, once, err)
			}
			if got := len(mustQuery(t, db, "*", oldestFirst)); got != len(whole)+inLog {
				t.Errorf("operation %d fails, once: %v: %d values are left; want %d", n, once, got, len(whole)+inLog)
			}
			mustClose(t, db)
		}
	}
}

// TestSalvageBesideOpen opens the directory between the steps of a salvage: it is still locked.
func TestSalvageBesideOpen(t *testing.T) {
	if !canReplaceOpenFiles {
		t.Skip("a file that is open cannot be replaced on Windows")
	}
	dir, whole := rottenStore(t)
	opts, err := (&Options{Tuning: Tuning{ChunkValues: 4}, OnCorruption: Quarantine, Logger: discard}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	fsys := faultfs.New(disk.OS{})
	db, err := open(dir, opts, fsys)
	if err != nil {
		t.Fatal(err)
	}
	var second error
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Rename && filepath.Base(op.Path) == salvagedName {
			_, second = Open(dir, &Options{LockTimeout: -1, Logger: discard})
		}
		return nil
	})
	if err := db.Compact(ctx); err != nil || !errors.Is(second, daybook.ErrLocked) {
		t.Errorf("Compact: %v, and Open beside it: %v; want ErrLocked", err, second)
	}
	fsys.SetHook(nil)
	wantRows(t, mustQuery(t, db, "*", oldestFirst), whole...)
	mustClose(t, db)
}

// damageLeaves damages the leaf pages that begin with one of the given keys.
func damageLeaves(t *testing.T, dir string, those func(key string) bool) {
	t.Helper()
	path := filepath.Join(dir, treeName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const header = 16
	size, damaged := os.Getpagesize(), 0
	for id := 2; id*size < len(data); id++ {
		page := data[id*size:]
		flags, elements := binary.LittleEndian.Uint16(page[8:]), binary.LittleEndian.Uint16(page[10:])
		if binary.LittleEndian.Uint64(page) != uint64(id) || flags != leafPage || elements == 0 {
			continue
		}
		start, length := binary.LittleEndian.Uint32(page[header+4:]), binary.LittleEndian.Uint32(page[header+8:])
		if those(string(page[header+start:][:length])) {
			page[header+5] ^= 1 // where the first element begins
			damaged++
		}
		id += int(binary.LittleEndian.Uint32(page[12:]))
	}
	if damaged == 0 {
		t.Fatal("there is no such page")
	}
	write(t, path, string(data))
}

// TestRotManyRecords damages pages with hundreds of records. All other records are cleaned up.
func TestRotManyRecords(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Durability: OS})
	for i := range 3000 {
		mustStore(t, db, fmt.Sprintf("r%04d", i), `"`+digits(60)+`"`, 5)
	}
	mustClose(t, db)
	damageLeaves(t, dir, func(key string) bool { return len(key) == len("r0000")+9 && "r0500" <= key && key < "r0800" })
	db, err := Open(dir, &Options{Durability: OS, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	deleted, err := db.Cleanup(ctx, 10)
	if wantCorrupt(t, "Cleanup", err); deleted < 2000 || deleted > 2900 {
		t.Errorf("deleted %d values; want most of 3000", deleted)
	}
	for _, whole := range []string{"r00*", "r1*", "r2*"} {
		if got, err := db.Query(ctx, whole, daybook.QueryParams{}); err != nil || len(got) > 0 {
			t.Errorf("%d values of %s are left, %v", len(got), whole, err)
		}
	}
}

// TestRotBySize damages a page with the oldest values of the only record. Nothing reads the later
// values through that page.
func TestRotBySize(t *testing.T) {
	const maxBytes = 1 << 20
	for _, onCorruption := range []OnCorruption{Fail, Quarantine} {
		t.Run(onCorruption.String(), func(t *testing.T) {
			dir := testenv.TempDir(t)
			opts := &Options{Durability: OS, OnCorruption: onCorruption, Logger: discard}
			db := mustOpen(t, dir, opts)
			for i := range uint64(750) {
				mustStore(t, db, "r", `"`+digits(4000)+`"`, i)
			}
			mustClose(t, db)
			first := codec.Key{Record: "r", Timestamp: 20}.Append(nil)
			damageLeaves(t, dir, func(key string) bool { return len(key) == len(first) && key < string(first) })
			db, err := Open(dir, opts)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			deleted, err := db.Prune(ctx, "*", daybook.PruneParams{MaxBytes: maxBytes})
			if onCorruption == Fail || !canReplaceOpenFiles {
				wantCorrupt(t, "Prune by size", err)
				return
			}
			stats, failed := db.Stats(ctx)
			if err != nil || failed != nil || deleted == 0 ||
				stats.ValueBytes > maxBytes || stats.ValueBytes < maxBytes-8000 {
				t.Errorf("Prune by size deleted %d values, %v, and left %d bytes, %v; want %d", deleted, err,
					stats.ValueBytes, failed, maxBytes)
			}
		})
	}
}
