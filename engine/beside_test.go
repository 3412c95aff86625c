// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/proof/testenv"
)

// openBeside opens dir beside the writer that has it open.
func openBeside(t *testing.T, dir string) *DB {
	t.Helper()
	db, err := Open(dir, &Options{ReadOnly: true, BesideWriter: true, Logger: discard})
	if err != nil {
		t.Fatalf("Open beside a writer: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if !db.beside {
		t.Fatal("Open took the lock, which a writer has")
	}
	return db
}

func storeMany(t *testing.T, db *DB, from, to uint64) {
	t.Helper()
	for at := from; at < to; at++ {
		mustStore(t, db, fmt.Sprintf("record.%d", at%7), string(killValue(at)), at)
	}
}

// A reader beside a writer answers as the writer does, wherever the values are: in the tree, in
// both, or in the log.
func TestBesideAWriterAnswersAreTheWriters(t *testing.T) {
	dir := testenv.DirInMemory(t)
	writer := mustOpen(t, dir, &Options{Durability: DurabilityOS})
	if err := writer.SetHold(ctx, daybook.Hold{Name: "all", MaxBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	at := uint64(0)
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"an empty daybook", func() error { return nil }},
		{"values in the log alone", func() error { storeMany(t, writer, 0, 300); at = 300; return nil }},
		{"values in the tree alone", func() error { return writer.Checkpoint(ctx) }},
		{"values in both", func() error { storeMany(t, writer, at, at+300); at += 300; return nil }},
		{"some deleted", func() error { _, err := writer.Cleanup(ctx, 100); return err }},
		{"a compacted tree", func() error { return writer.Compact(ctx) }},
	} {
		t.Run(step.name, func(t *testing.T) {
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			reader := openBeside(t, dir)
			for _, limit := range []int{0, 1, 5} {
				params := daybook.QueryParams{LimitPerRecord: limit}
				want, wantErr := writer.Query(ctx, "*", params)
				got, err := reader.Query(ctx, "*", params)
				if !reflect.DeepEqual(want, got) || err != nil || wantErr != nil {
					t.Errorf("with limit %d: %v, %v, %s", limit, err, wantErr, cmp.Diff(want, got))
				}
			}
			want, wantErr := writer.Holds(ctx)
			got, err := reader.Holds(ctx)
			if diff := cmp.Diff(want, got); diff != "" || err != nil || wantErr != nil {
				t.Errorf("Holds: %v, %v, %s", err, wantErr, diff)
			}
			wantStats, wantErr := writer.Stats(ctx)
			gotStats, err := reader.Stats(ctx)
			same := gotStats.Values == wantStats.Values && gotStats.Epoch == wantStats.Epoch &&
				gotStats.Records == wantStats.Records && gotStats.LastSequence == wantStats.LastSequence
			if err != nil || wantErr != nil || !same {
				t.Errorf("Stats: %+v, %v; want %+v, %v", gotStats, err, wantStats, wantErr)
			}
			wantRecords, gotRecords := recordsOf(t, writer), recordsOf(t, reader)
			if diff := cmp.Diff(wantRecords, gotRecords); diff != "" {
				t.Errorf("Records: %s", diff)
			}
		})
	}
}

func recordsOf(t *testing.T, db *DB) (infos []daybook.RecordInfo) {
	t.Helper()
	for info, err := range db.Records(ctx, "*", daybook.Glob) {
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, info)
	}
	return infos
}

// What a reader beside a writer cannot do is refused, and says why. It never changes anything.
func TestBesideAWriterRefuses(t *testing.T) {
	dir := testenv.TempDir(t)
	writer := mustOpen(t, dir, nil)
	storeMany(t, writer, 0, 10)
	reader := openBeside(t, dir)
	var fromChanges error
	for _, err := range reader.Changes(ctx, daybook.ChangesParams{}) {
		fromChanges = err
	}
	_, fromWatch := reader.Watch(ctx, "*", daybook.WatchParams{})
	for method, err := range map[string]error{
		"Check": reader.Check(ctx), "Backup": reader.Backup(ctx, os.Stdout), "Changes": fromChanges, "Watch": fromWatch,
	} {
		if !errors.Is(err, daybook.ErrLocked) || !strings.Contains(err.Error(), method) {
			t.Errorf("%s: got %v; want ErrLocked", method, err)
		}
	}
	if err := reader.Store(ctx, "record", json.RawMessage("1"), 1); !errors.Is(err, daybook.ErrReadOnly) {
		t.Errorf("Store: got %v; want ErrReadOnly", err)
	}
	if _, err := Open(dir, &Options{BesideWriter: true}); !errors.Is(err, daybook.ErrInvalidParams) {
		t.Errorf("BesideWriter without ReadOnly: got %v; want ErrInvalidParams", err)
	}
	if _, err := Open(dir, &Options{ReadOnly: true, LockTimeout: -1}); !errors.Is(err, daybook.ErrLocked) {
		t.Errorf("ReadOnly without BesideWriter: got %v; want ErrLocked", err)
	}
}

// A reader goes on with its moment while the writer goes on. The writer keeps the pages for it.
// With a MaxSize it does not: once it has overwritten a page that the reader needs, and has not
// read before, the reader gets ErrLocked.
func TestBesideAWriterOverwrittenPagesAreErrLocked(t *testing.T) {
	for _, maxSize := range []int64{0, 64 << 20} {
		t.Run(fmt.Sprintf("MaxSize %d", maxSize), func(t *testing.T) {
			dir := testenv.DirInMemory(t)
			writer := mustOpen(t, dir, &Options{Durability: DurabilityOS, MaxSize: maxSize,
				Tuning: Tuning{ChunkValues: 4}})
			at := uint64(0)
			next := func() {
				storeMany(t, writer, at, at+100)
				at += 100
				if err := writer.Checkpoint(ctx); err != nil {
					t.Fatal(err)
				}
			}
			for range 5 {
				next()
			}
			want, err := writer.Query(ctx, "*", daybook.QueryParams{})
			if err != nil {
				t.Fatal(err)
			}
			early, late := openBeside(t, dir), openBeside(t, dir)
			for round := range 5 {
				got, err := early.Query(ctx, "*", daybook.QueryParams{})
				if !reflect.DeepEqual(want, got) || err != nil {
					t.Fatalf("after %d rounds, of pages that were read before: %v, %s", round, err, cmp.Diff(want, got))
				}
				if _, err := writer.Cleanup(ctx, at-150); err != nil {
					t.Fatal(err)
				}
				next()
			}
			got, err := late.Query(ctx, "*", daybook.QueryParams{})
			if maxSize > 0 && !errors.Is(err, daybook.ErrLocked) {
				t.Errorf("after the pages were overwritten: %d values, %v; want ErrLocked", len(got), err)
			}
			if maxSize == 0 && !tree.FillsMapping && (err != nil || !reflect.DeepEqual(want, got)) {
				t.Errorf("the pages were not kept: %d values, %v; want the %d of before", len(got), err, len(want))
			}
			if again := openBeside(t, dir); len(recordsOf(t, again)) != 7 {
				t.Error("the reader that was opened again has other records")
			}
		})
	}
}

// Damage is damage beside a writer, too, if that has not changed the file.
func TestBesideAWriterDamageIsErrCorrupt(t *testing.T) {
	dir := testenv.TempDir(t)
	writer, err := Open(dir, &Options{Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = writer.abandon() })
	storeMany(t, writer, 0, 500)
	if err := writer.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	storeMany(t, writer, 500, 600)
	intact := openBeside(t, dir)
	defer intact.Close()

	path := filepath.Join(dir, TreeFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := pageWith(t, data, "record.0\x00")
	flip := func(path string, offset int64) {
		t.Helper()
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		var one [1]byte
		if _, err := file.ReadAt(one[:], offset); err != nil {
			t.Fatal(err)
		}
		one[0] ^= 1
		if _, err := file.WriteAt(one[:], offset); err != nil {
			t.Fatal(err)
		}
	}
	flip(path, int64(page)*4096+16) // in the first element
	opts := &Options{ReadOnly: true, BesideWriter: true, LockTimeout: time.Minute, Logger: discard}
	begin := time.Now()
	db, err := Open(dir, opts)
	if err == nil {
		_, err = db.Query(ctx, "record.0", daybook.QueryParams{})
		_ = db.Close()
	}
	want := fmt.Sprintf("page %d at offset %d", page, page*4096)
	if !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v; want ErrCorrupt that names %s", err, want)
	}
	if took := time.Since(begin); took > opts.LockTimeout/2 {
		t.Errorf("it took %v to tell damage from a change", took)
	}
	flip(path, int64(page)*4096+16)

	segments, err := filepath.Glob(filepath.Join(dir, logName, "*.log"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	slices.Sort(segments)
	for _, segment := range segments {
		flip(segment, 200) // in the first frame; later ones know that it was durable
	}
	if db, err = Open(dir, opts); err == nil {
		_ = db.Close()
	}
	if !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), filepath.Base(dir)) {
		t.Errorf("with a damaged log: got %v; want ErrCorrupt that names the file", err)
	}
}

// pageWith returns the number of the last leaf of chunks that begins with a key.
func pageWith(t *testing.T, file []byte, key string) (page int) {
	t.Helper()
	const leaf, header, element = 2, 16, 16
	for id := 2; id < len(file)/4096; id++ {
		data := file[id*4096:]
		if binary.NativeEndian.Uint16(data[8:]) != leaf || binary.NativeEndian.Uint16(data[10:]) == 0 {
			continue
		}
		position := header + int(binary.NativeEndian.Uint32(data[header+4:]))
		if position+len(key) < len(data) && strings.HasPrefix(string(data[position:position+len(key)]), key) {
			page = id
		}
	}
	if page == 0 {
		t.Fatalf("no leaf begins with %q", key)
	}
	return page
}

// hookedSystem calls a function once, before the first look at the files of the log.
type hookedSystem struct {
	disk.OS
	hook func()
}

type hookedFS struct {
	disk.FS
	system *hookedSystem
}

func (s *hookedSystem) OpenDirectory(path string) (disk.FS, error) {
	opened, err := s.OS.OpenDirectory(path)
	return hookedFS{opened, s}, err
}

func (f hookedFS) ReadDir(path string) ([]os.DirEntry, error) {
	if hook := f.system.hook; hook != nil && filepath.Base(path) == logName {
		f.system.hook = nil
		hook()
	}
	return f.FS.ReadDir(path)
}

// A writer deletes a value, and then stores another one, after the reader has opened the tree and
// before it reads the log. There was no moment at which both values were there.
func TestBesideAWriterShowsOneMoment(t *testing.T) {
	dir := testenv.DirInMemory(t)
	writer := mustOpen(t, dir, nil)
	mustStore(t, writer, "record", `"deleted"`, 1)
	if err := writer.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	opts, err := (&Options{ReadOnly: true, BesideWriter: true, Logger: discard}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	system := &hookedSystem{hook: func() {
		if _, err := writer.Cleanup(ctx, 2); err != nil {
			t.Error(err)
		}
		mustStore(t, writer, "record", `"later"`, 3)
	}}
	reader, err := openBesideWriter(dir, opts, system)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	values, err := reader.Query(ctx, "*", daybook.QueryParams{})
	if err != nil || len(values) != 1 || string(values[0].Value) != `"later"` || system.hook != nil {
		t.Errorf("got %v, %v; want the later value alone", values, err)
	}
}
