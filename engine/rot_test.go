// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/proof/testenv"
)

// rottenStore is a closed store of three records. Each has five chunks of four values, at the times
// from 1 on. One chunk is damaged: b's values at 9 to 12.
func rottenStore(t *testing.T) (dir string, whole []row) {
	t.Helper()
	dir = testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS, Tuning: Tuning{ChunkValues: 4}, Logger: discard})
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
	path := filepath.Join(dir, TreeFile)
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
			overwrite(t, path, bytes.ReplaceAll(data, chunk, damaged))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir, whole
}

// TestRot shows that without Quarantine a damaged chunk costs only its values, and those values of
// its record that would be deleted with it.
func TestRot(t *testing.T) {
	dir, whole := rottenStore(t)
	db, err := Open(dir, &Options{Durability: DurabilityOS, Tuning: Tuning{ChunkValues: 4}, Logger: discard})
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

// TestMaxSizeDropsRot drops the oldest values while some of them are damaged, with and without
// Quarantine.
func TestMaxSizeDropsRot(t *testing.T) {
	t.Parallel()
	for _, onCorruption := range []OnCorruption{OnCorruptionFail, OnCorruptionQuarantine} {
		t.Run(onCorruption.String(), func(t *testing.T) {
			dir := testenv.TempDir(t)
			opts := &Options{Durability: DurabilityOS, MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest,
				OnCorruption: onCorruption, Logger: discard}
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
			path := filepath.Join(dir, TreeFile)
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

// damageLeaves damages the leaf pages that begin with one of the given keys.
func damageLeaves(t *testing.T, dir string, those func(key string) bool) {
	t.Helper()
	path := filepath.Join(dir, TreeFile)
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
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS})
	for i := range 3000 {
		mustStore(t, db, fmt.Sprintf("r%04d", i), `"`+digits(60)+`"`, 5)
	}
	mustClose(t, db)
	damageLeaves(t, dir, func(key string) bool { return len(key) == len("r0000")+9 && "r0500" <= key && key < "r0800" })
	db, err := Open(dir, &Options{Durability: DurabilityOS, Logger: discard})
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
	for _, onCorruption := range []OnCorruption{OnCorruptionFail, OnCorruptionQuarantine} {
		t.Run(onCorruption.String(), func(t *testing.T) {
			dir := testenv.TempDir(t)
			opts := &Options{Durability: DurabilityOS, OnCorruption: onCorruption, Logger: discard}
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
			if onCorruption == OnCorruptionFail {
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
