// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// closedStore makes a store of rows in a new directory and closes it.
func closedStore(t *testing.T, opts *Options, stored ...row) (dir string) {
	t.Helper()
	dir = testenv.TempDir(t)
	db := mustOpen(t, dir, opts)
	for _, r := range stored {
		mustStore(t, db, r.Name, r.Value, r.At)
	}
	mustClose(t, db)
	return dir
}

// openDamaged opens a store that is not expected to pass its check.
func openDamaged(t *testing.T, dir string, opts Options) *DB {
	t.Helper()
	opts.Logger = discard
	db, err := Open(dir, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// lastIn returns the last value of a bucket.
func lastIn(t *testing.T, dir, bucket string) (value []byte) {
	t.Helper()
	file, err := bbolt.Open(filepath.Join(dir, TreeFile), 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	err = file.View(func(tx *bbolt.Tx) error {
		_, last := tx.Bucket([]byte(bucket)).Cursor().Last()
		value = bytes.Clone(last)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// damage changes the last value of a bucket in the file, also in pages that are not in use and
// still have it.
func damage(t *testing.T, dir, bucket string, change func(value []byte)) {
	t.Helper()
	path := filepath.Join(dir, TreeFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before := lastIn(t, dir, bucket)
	after := bytes.Clone(before)
	change(after)
	write(t, path, string(bytes.ReplaceAll(data, before, after)))
}

// damagePages changes the flags of all pages of a kind.
func damagePages(t *testing.T, dir string, flags uint16) {
	t.Helper()
	path := filepath.Join(dir, TreeFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size := os.Getpagesize()
	for page := 2 * size; page < len(data); page += size {
		if binary.LittleEndian.Uint16(data[page+8:]) == flags {
			data[page+8] = 0x40
		}
	}
	overwrite(t, path, data)
}

const (
	leafPage     = 0x02
	freelistPage = 0x10
)

func wantCorrupt(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("%s: got %v; want ErrCorrupt", what, err)
	}
}

// TestDamagedCatalogue inverts a bit in the newest value, of which the catalogue has a copy.
func TestDamagedCatalogue(t *testing.T) {
	dir := closedStore(t, nil, row{"r", `{"celsius":21.5}`, 1}, row{"r", `{"celsius":22.5}`, 2})
	damage(t, dir, "records", func(value []byte) { value[strings.Index(string(value), "22.5")] ^= 4 })
	db := openDamaged(t, dir, Options{})
	_, err := db.Query(ctx, "r", daybook.Latest(1))
	wantCorrupt(t, "Query", err)
	wantCorrupt(t, "Check", db.Check(ctx))
}

// TestDamagedChunk inverts each bit of a chunk in turn. No query and no cleanup uses any part of
// it.
func TestDamagedChunk(t *testing.T) {
	var stored []row
	for i := range uint64(4) {
		stored = append(stored, row{"r", fmt.Sprint(i), 1000 + 10*i})
	}
	dir := closedStore(t, nil, stored...)
	path := filepath.Join(dir, TreeFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	length := len(lastIn(t, dir, "values"))
	for bit := range 8 * length {
		write(t, path, string(good))
		damage(t, dir, "values", func(value []byte) { value[bit/8] ^= 1 << (bit % 8) })
		db, err := Open(dir, &Options{Logger: discard})
		if err != nil { // the beginning of a chunk is covered by its page's checksum too
			wantCorrupt(t, "Open", err)
			continue
		}
		for what, do := range map[string]func() error{
			"Query":   func() error { _, err := db.Query(ctx, "r", daybook.Since(1015)); return err },
			"Cleanup": func() error { _, err := db.Cleanup(ctx, 1015); return err },
			"Check":   func() error { return db.Check(ctx) },
		} {
			if err := do(); !errors.Is(err, daybook.ErrCorrupt) && !errors.Is(err, daybook.ErrVersion) {
				t.Errorf("bit %d flipped: %s: got %v; want ErrCorrupt or ErrVersion", bit, what, err)
			}
		}
		_ = db.Close()
	}
}

// TestMovedDamage shows that a damaged chunk is still known as damaged after a prune has given it
// another key.
func TestMovedDamage(t *testing.T) {
	var stored []row
	for i := range 8 {
		stored = append(stored, row{"r", fmt.Sprintf(`"v%d"`, i), 5})
	}
	opts := Options{Tuning: Tuning{ChunkValues: 2}}
	dir := closedStore(t, &opts, stored...)
	damage(t, dir, "values", func(value []byte) { value[strings.Index(string(value), "v7")+1] ^= 1 })
	db := openDamaged(t, dir, opts)
	if _, err := db.Prune(ctx, "r", daybook.PruneParams{MaxPerRecord: 7}); err != nil {
		wantCorrupt(t, "Prune", err)
	}
	_, err := db.Query(ctx, "r", daybook.QueryParams{})
	wantCorrupt(t, "Query after Prune", err)
}

// TestHiddenChunk shows that a record that has lost a chunk is damage, also if a program that knows
// nothing of checksums removed the chunk.
func TestHiddenChunk(t *testing.T) {
	dir := closedStore(t, &Options{Tuning: Tuning{ChunkValues: 1}}, row{"r", "1", 1}, row{"r", "2", 2},
		row{"s", "3", 3})
	file, err := bbolt.Open(filepath.Join(dir, TreeFile), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = file.Update(func(tx *bbolt.Tx) error {
		key, _ := tx.Bucket([]byte("values")).Cursor().First()
		return tx.Bucket([]byte("values")).Delete(key)
	})
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = Open(dir, nil)
	wantCorrupt(t, "Open", err)
}

// TestDamagedPages shows that panics of bbolt are ErrCorrupt, and leave nothing open that Close or
// another Open would wait for.
func TestDamagedPages(t *testing.T) {
	t.Run("leaves", func(t *testing.T) {
		dir := t.TempDir()
		db := openDamaged(t, dir, Options{})
		mustStore(t, db, "r", "1", 1)
		if err := db.Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
		damagePages(t, dir, leafPage)
		_, err := db.Query(ctx, "*", daybook.QueryParams{})
		wantCorrupt(t, "Query", err)
		if open := db.trees.snapshots.Load(); open > 0 {
			t.Errorf("%d snapshots are open", open)
		}
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	t.Run("freelist", func(t *testing.T) {
		dir := closedStore(t, nil, row{"r", "1", 1})
		path := filepath.Join(dir, TreeFile)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		damagePages(t, dir, freelistPage)
		_, err = Open(dir, nil)
		wantCorrupt(t, "Open", err)
		write(t, path, string(good))
		wantRows(t, mustQuery(t, mustOpen(t, dir, &Options{LockTimeout: -1}), "*", daybook.QueryParams{}),
			row{"r", "1", 1})
	})
}

// TestCutOffUnderScan cuts off the file of the tree during a scan.
func TestCutOffUnderScan(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not cut off a file while it is mapped")
	}
	dir := t.TempDir()
	db := openDamaged(t, dir, Options{})
	random := rand.New(rand.NewPCG(1, 2))
	for i := range uint64(40) {
		noise := make([]byte, 6000)
		for i := range noise {
			noise[i] = byte(random.Uint32())
		}
		value, err := json.Marshal(noise)
		if err != nil {
			t.Fatal(err)
		}
		mustStore(t, db, "r", string(value), i)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range db.Scan(ctx, "r", daybook.QueryParams{}) {
		if last = err; err == nil {
			if err := os.Truncate(filepath.Join(dir, TreeFile), int64(2*os.Getpagesize())); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantCorrupt(t, "Scan", last)
}

// TestTreeOfZeros opens a file of zeros, which a power cut leaves of a file that was being created.
func TestTreeOfZeros(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, TreeFile), strings.Repeat("\x00", 4*os.Getpagesize()))
	db := mustOpen(t, dir, nil)
	mustStore(t, db, "r", "1", 1)
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"r", "1", 1})
}

// TestLostTree shows that a tree that is missing, empty, blank or cut off beside a log is damage,
// not a new tree, and that Open changes nothing.
func TestLostTree(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"missing": os.Remove,
		"empty":   func(path string) error { return os.Truncate(path, 0) },
		"cut off": func(path string) error { return os.Truncate(path, int64(3*os.Getpagesize())) },
		"blank":   func(path string) error { return os.WriteFile(path, make([]byte, 8*os.Getpagesize()), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := closedStore(t, nil, row{"r", "1", 1})
			path := filepath.Join(dir, TreeFile)
			if err := lose(path); err != nil {
				t.Fatal(err)
			}
			before := contents(t, dir)
			for _, opts := range []*Options{nil, {ReadOnly: true}} {
				_, err := Open(dir, opts)
				wantCorrupt(t, "Open", err)
				if err != nil && !strings.Contains(err.Error(), path) {
					t.Errorf("the error does not name the file: %v", err)
				}
			}
			if contents(t, dir) != before {
				t.Error("Open changed the directory")
			}
		})
	}
}

// TestDamagedLog shows that Open returns damage of the log with its file and offset, and changes
// nothing.
func TestDamagedLog(t *testing.T) {
	tests := []struct {
		name   string
		stored uint64
		damage func(segment []byte) []byte
		where  string
		reason string // why the row is here
	}{
		{"a value", 3, func(s []byte) []byte { s[strings.Index(string(s), "value")] ^= 1; return s }, "offset 104",
			"a later commit knew it to be durable"},
		{"the header", 1, func(s []byte) []byte { s[20] ^= 1; return s }, "offset 0", "no later commit vouches for it"},
		{"all of it", 1, func(s []byte) []byte { clear(s); return s }, "offset 0",
			"nothing is left that says it was in use"},
		{"cut off to nothing", 1, func([]byte) []byte { return nil }, "offset 0", "nothing is left at all"},
		{"cut off in the middle", 1, func(s []byte) []byte { return s[:1000] }, "offset 1000", "after all values"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			db, err := Open(dir, &Options{Logger: discard})
			if err != nil {
				t.Fatal(err)
			}
			for i := range test.stored {
				mustStore(t, db, "r", `"value"`, i)
			}
			if err := db.abandon(); err != nil {
				t.Fatal(err)
			}
			segments, err := filepath.Glob(filepath.Join(dir, logName, "*.log"))
			if err != nil || len(segments) == 0 {
				t.Fatal("no segments", err)
			}
			data, err := os.ReadFile(segments[0])
			if err != nil {
				t.Fatal(err)
			}
			write(t, segments[0], string(test.damage(data)))
			before := contents(t, dir)
			_, err = Open(dir, nil)
			wantCorrupt(t, "Open", err)
			if got := fmt.Sprint(err); !strings.Contains(got, segments[0]) || !strings.Contains(got, test.where+":") {
				t.Errorf("got %v; want %s of %s (%s)", err, test.where, segments[0], test.reason)
			}
			if contents(t, dir) != before {
				t.Error("Open changed the directory")
			}
		})
	}
}
