// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/proof/testenv"
)

// quarantineStore makes a directory whose tree holds values 1 to 10, and whose log holds values 11
// to 20, as a killed process leaves it.
func quarantineStore(t *testing.T) (dir string, stored []row) {
	t.Helper()
	dir = testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS, Logger: discard})
	for i := range uint64(20) {
		r := row{fmt.Sprintf("r%d", i%3), fmt.Sprint(i + 1), i + 1}
		mustStore(t, db, r.Name, r.Value, r.At)
		stored = append(stored, r)
		if i == 9 {
			mustClose(t, db)                                 // a checkpoint alone leaves them in the log, too
			db = mustOpen(t, dir, &Options{Logger: discard}) // each sync says that earlier frames are durable
		}
	}
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	return dir, stored
}

// segment returns the path of the only segment of a log that holds values.
func segment(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, logName, "*.log"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%v: %v", paths, err)
	}
	return paths[0]
}

// flip inverts the byte after the nth occurrence of a text.
func flip(t *testing.T, path, text string, nth int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for range nth {
		next := bytes.Index(data[at:], []byte(text))
		if next < 0 {
			t.Fatalf("%s does not hold %q so often", path, text)
		}
		at += next + len(text)
	}
	data[at] ^= 1
	write(t, path, string(data))
}

// byTime returns rows in the order in which they were stored.
func byTime(rows []row) []row {
	slices.SortFunc(rows, func(a, b row) int { return int(a.At) - int(b.At) })
	return rows
}

// damages are ways to damage a quarantineStore, each with the values that remain.
var damages = []struct {
	name        string
	do          func(t *testing.T, dir string)
	first, last int // values that are left, numbered from 1
	aside       []string
}{
	{"both meta pages", func(t *testing.T, dir string) {
		path := filepath.Join(dir, TreeFile)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		size := os.Getpagesize()
		data[30] ^= 1
		data[size+30] ^= 1
		write(t, path, string(data))
	}, 11, 20, []string{"daybook.corrupt-1.db"}},
	{"the tree is cut off", func(t *testing.T, dir string) {
		if err := os.Truncate(filepath.Join(dir, TreeFile), int64(3*os.Getpagesize())); err != nil {
			t.Fatal(err)
		}
	}, 11, 20, []string{"daybook.corrupt-1.db"}},
	{"the tree is lost", func(t *testing.T, dir string) {
		if err := os.Remove(filepath.Join(dir, TreeFile)); err != nil {
			t.Fatal(err)
		}
	}, 11, 20, nil},
	{"a frame", func(t *testing.T, dir string) { flip(t, segment(t, dir), "r0", 2) }, 1, 15, []string{"wal.corrupt-1"}},
	{"the first frame", func(t *testing.T, dir string) { flip(t, segment(t, dir), "r1", 1) }, 1, 10,
		[]string{"wal.corrupt-1"}},
	{"a segment's header", func(t *testing.T, dir string) { flip(t, segment(t, dir), "DAYBKLOG", 1) }, 1, 10,
		[]string{"wal.corrupt-1"}},
	{"the log is lost", func(t *testing.T, dir string) {
		if err := os.RemoveAll(filepath.Join(dir, logName)); err != nil {
			t.Fatal(err)
		}
	}, 1, 10, nil},
}

// TestQuarantine damages a store and opens it. The undamaged values must be there, the damaged file
// must be kept byte for byte, and sequence numbers must continue.
func TestQuarantine(t *testing.T) {
	for _, damage := range damages {
		t.Run(damage.name, func(t *testing.T) {
			dir, stored := quarantineStore(t)
			damage.do(t, dir)
			if damage.name != "the log is lost" { // it looks like a log that was posted
				if db, err := Open(dir, &Options{Logger: discard}); !errors.Is(err, daybook.ErrCorrupt) {
					_ = db.Close()
					t.Fatalf("Open: got %v; want ErrCorrupt", err)
				}
			}
			damaged := filesIn(t, dir)
			wantQuarantined(t, dir, Options{}, stored[damage.first-1:damage.last], damage.last, damage.aside, damaged)
		})
	}
}

// filesIn returns the files of a directory, by name.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var data []byte
			data, err = os.ReadFile(path)
			name, _ := filepath.Rel(dir, path)
			files[name] = string(data)
		}
		if errors.Is(err, fs.ErrNotExist) { // a store that is open makes and renames segments
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// wantQuarantined opens a damaged store twice.
func wantQuarantined(
	t *testing.T, dir string, opts Options, want []row, last int, aside []string, damaged map[string]string,
) {
	t.Helper()
	opts.OnCorruption, opts.Durability, opts.Logger = OnCorruptionQuarantine, DurabilityOS, discard
	db := mustOpen(t, dir, &opts)
	wantRows(t, byTime(mustQuery(t, db, "*", daybook.QueryParams{})), want...)
	stats, err := db.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, file := range stats.Quarantined {
		name, err := filepath.Rel(dir, file.Path)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, name)
	}
	if !slices.Equal(got, aside) {
		t.Errorf("set aside %q; want %q", got, aside)
	}
	now := filesIn(t, dir)
	for name, data := range damaged {
		to := "daybook.corrupt-1.db"
		if name != TreeFile {
			to = strings.Replace(name, logName, "wal.corrupt-1", 1)
		}
		if slices.Contains(aside, strings.Split(filepath.ToSlash(to), "/")[0]) && now[to] != data {
			t.Errorf("%s is not what %s was", to, name)
		}
	}
	mustStore(t, db, "more", "1", 1)
	changes := mustChange(t, db, db.cursorAt(uint64(last)))
	if len(changes) != 1 || changes[0].Cursor.Sequence < uint64(last)+1 {
		t.Errorf("after value %d: %v; want the one value that was stored later", last, changes)
	}
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	again := mustOpen(t, dir, &Options{Logger: discard})
	if got := mustQuery(t, again, "*", daybook.QueryParams{}); len(got) != len(want)+1 {
		t.Errorf("after that: %v", got)
	}
	mustClose(t, again)
}

// TestQuarantineFaults fails each operation, and from there on all, while a damaged store is
// opened, and opens it again. The same values remain as without the failure.
func TestQuarantineFaults(t *testing.T) {
	for _, damage := range damages {
		t.Run(damage.name, func(t *testing.T) {
			t.Parallel()
			for step := 0; ; step++ {
				dir, stored := quarantineStore(t)
				damage.do(t, dir)
				fsys := faultfs.NewSystem(disk.OS{})
				done := failAfter(fsys, step)
				options, err := (&Options{OnCorruption: OnCorruptionQuarantine, Durability: DurabilityOS,
					Logger: discard}).withDefaults()
				if err != nil {
					t.Fatal(err)
				}
				db, err := open(dir, options, fsys)
				if err == nil {
					_ = db.abandon()
				}
				db = mustOpen(t, dir, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
				wantRows(t, byTime(mustQuery(t, db, "*", daybook.QueryParams{})), stored[damage.first-1:damage.last]...)
				if files := filesIn(t, dir); len(damage.aside) > 0 && damage.aside[0] == "daybook.corrupt-1.db" {
					if _, twice := files["daybook.corrupt-2.db"]; twice || files["daybook.corrupt-1.db"] == "" {
						t.Errorf("step %d: set aside twice, or not at all", step)
					}
				}
				mustClose(t, db)
				if done() <= step {
					break
				}
			}
		})
	}
}

func TestQuarantineReadOnly(t *testing.T) {
	dir, _ := quarantineStore(t)
	damages[0].do(t, dir)
	before := filesIn(t, dir)
	_, err := Open(dir, &Options{ReadOnly: true, Logger: discard})
	wantCorrupt(t, "read-only", err)
	if after := filesIn(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Error("a read-only Open changed files")
	}
}

// TestQuarantineReleased damages the header of a segment whose values are all in the tree. No value
// of a later segment is lost.
func TestQuarantineReleased(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS, Logger: discard})
	const stored = 3000
	for i := range uint64(stored) {
		mustStore(t, db, "r", `"`+digits(2000)+`"`, i+1)
		if i+1 == stored-10 { // so few follow that the log uses at most one released segment again
			if err := db.Checkpoint(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(db.log.Sync(), db.abandon()); err != nil {
		t.Fatal(err)
	}
	path := segment(t, dir)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if first := binary.LittleEndian.Uint64(data[24:]); first > stored/4 {
		t.Fatalf("the log begins with value %d; want a segment that has been released", first)
	}
	flip(t, path, "DAYBKLOG", 1)
	db = mustOpen(t, dir, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
	if got := mustChange(t, db, daybook.Cursor{}); len(got) != stored {
		t.Errorf("%d values are left; want %d", len(got), stored)
	}
}

// TestQuarantinePart has a part of a head in the tree, and damage in the log after the records of
// that part.
func TestQuarantinePart(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, &Options{Logger: discard})
	const records, stored = 4, 40
	runs := make([]tree.Run, records)
	for i := range stored {
		name, value := fmt.Sprintf("r%d", i%records), fmt.Sprint(1000+i)
		mustStore(t, db, name, value, uint64(i+1))
		runs[i%records].Record = name
		runs[i%records].Values = append(runs[i%records].Values,
			codec.Entry{Timestamp: uint64(i + 1), Sequence: uint64(i + 1), Value: []byte(value)})
	}
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	postPart(t, dir, stored, runs, 1)
	flip(t, segment(t, dir), "1038", 1) // just after it: the last value, of r3
	db = mustOpen(t, dir, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
	if got := mustQuery(t, db, "*", daybook.QueryParams{}); len(got) != stored-1 {
		t.Errorf("%d values are left; want all but the last", len(got))
	}
	mustStore(t, db, "r3", "1", 100)
	if got := mustChange(t, db, db.cursorAt(stored)); len(got) != 1 {
		t.Errorf("after the last stored value: %v", got)
	}
}

// TestQuarantineDamagedTree damages a chunk to which values of the log are to be posted.
func TestQuarantineDamagedTree(t *testing.T) {
	opts := Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: MinHeadSize, ChunkValues: 10}, Logger: discard}
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, &opts)
	for i := range uint64(100) {
		mustStore(t, db, "r", `"`+digits(100)+`"`, 10*i)
	}
	mustClose(t, db)
	damage(t, dir, "values", func(value []byte) { value[len(value)-1] ^= 1 })
	db, err := Open(dir, &opts)
	if err != nil {
		t.Fatal(err)
	}
	stored := 0
	for ; err == nil && stored < 1000; stored++ {
		err = db.Store(ctx, "r", []byte(`"`+digits(100)+`"`), 985) // between two of its values
	}
	wantCorrupt(t, "Store, when the head cannot be posted", err)
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	opts.OnCorruption = OnCorruptionQuarantine
	db = mustOpen(t, dir, &opts)
	minimum := stored + 80 // undamaged values of the tree, and values of the log
	if got := mustQuery(t, db, "*", daybook.QueryParams{}); len(got) < minimum || len(got) >= stored+99 ||
		len(db.quarantinedNow()) != 1 {
		t.Errorf("%d values are left, %v was set aside; want %d to %d, and the tree", len(got),
			db.quarantinedNow(), minimum, stored+98)
	}
}
