// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/proof/testenv"
)

func TestOpenRefuses(t *testing.T) {
	notADaybook := func(t *testing.T, dir string) {
		other, err := bbolt.Open(filepath.Join(dir, TreeFile), 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if err := other.Update(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucket([]byte("theirs"))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name    string
		prepare func(t *testing.T, dir string)
		opts    *Options
		want    error
		words   string
	}{
		{"impossible options, all named", nil,
			&Options{Durability: 9, Tuning: Tuning{HeadSize: 1, TransactionSize: 1, ChunkValues: -1}},
			daybook.ErrInvalidParams, "TransactionSize"},
		{"a file that is not bbolt", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, TreeFile), strings.Repeat("x", 1<<16))
		}, nil, daybook.ErrCorrupt, TreeFile},
		{"another program's bbolt file", notADaybook, nil, daybook.ErrCorrupt, "theirs"},
		{"a newer format of the tree", newerTree, nil, daybook.ErrVersion, "format 6"},
		{"a log without what a checkpoint was posting", halfPosted, nil, daybook.ErrCorrupt,
			"ends with sequence number 1"},
		{"read-only where there is nothing", nil, &Options{ReadOnly: true}, fs.ErrNotExist, "holds no daybook"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if test.prepare != nil {
				test.prepare(t, dir)
			}
			before := contents(t, dir)
			db, err := Open(dir, test.opts)
			if err == nil {
				db.Close()
			}
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.words) {
				t.Errorf("Open: got %v; want %v with %q", err, test.want, test.words)
			}
			if after := contents(t, dir); after != before {
				t.Errorf("Open changed the directory")
			}
		})
	}
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// overwrite writes other bytes into a file of the same size, which may be mapped into memory:
// Windows does not cut off such a file, as write does first.
func overwrite(t *testing.T, path string, data []byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteAt(data, 0)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// contents returns the names and bytes of all files below dir.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all.WriteString(path + "\x00" + string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// newerTree makes a store whose tree has the next format version.
func newerTree(t *testing.T, dir string) {
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	bolt, err := bbolt.Open(filepath.Join(dir, TreeFile), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer bolt.Close()
	err = bolt.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucket([]byte("also")); err != nil { // as a format may have
			return err
		}
		format := binary.BigEndian.AppendUint64(nil, 6)
		format = binary.BigEndian.AppendUint32(format, crc32.Checksum(format, codec.Castagnoli))
		return tx.Bucket([]byte("meta")).Put([]byte("format"), format)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// halfPosted makes a store whose tree says that values up to sequence number 3 were being posted,
// and whose log ends with number 1.
func halfPosted(t *testing.T, dir string) {
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustStore(t, db, "a", "1", 1)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	postPart(t, dir, 3, []tree.Run{
		{Record: "a", Values: []codec.Entry{{Timestamp: 2, Sequence: 2, Value: []byte("2")}}},
		{Record: "b", Values: []codec.Entry{{Timestamp: 2, Sequence: 3, Value: []byte("2")}}},
	}, 1)
}

func TestOpenOnAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "not a directory")
	for _, path := range []string{file, filepath.Join(file, "below"), filepath.Join(file, "far", "below")} {
		testenv.EndsWithin(t, time.Minute, func() {
			if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("Open of %s: got %v; want an error that names the file", path, err)
			}
		})
	}
}

func TestOpenLocked(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir, nil)
	for _, opts := range []*Options{{LockTimeout: -1}, {LockTimeout: 60 * time.Millisecond},
		{LockTimeout: -1, ReadOnly: true}} {
		_, err := Open(dir, opts)
		if !errors.Is(err, daybook.ErrLocked) || !strings.Contains(err.Error(), dir) ||
			!strings.Contains(err.Error(), "close") {
			t.Errorf("Open(%+v) of an open directory: got %v; want ErrLocked, the path, and what to do", opts, err)
		}
	}
}

func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustStore(t, db, "r", "1", 1)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	mustStore(t, db, "r", "2", 2)
	if err := db.abandon(); err != nil { // so that the log must be replayed
		t.Fatal(err)
	}
	before := contents(t, dir)
	one := mustOpen(t, dir, &Options{ReadOnly: true})
	two := mustOpen(t, dir, &Options{ReadOnly: true})
	for _, db := range []*DB{one, two} {
		wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"r", "2", 2}, row{"r", "1", 1})
		if _, err := db.Stats(ctx); err != nil {
			t.Errorf("Stats: %v", err)
		}
		if err := db.Store(ctx, "r", json.RawMessage("3"), 3); !errors.Is(err, daybook.ErrReadOnly) {
			t.Errorf("Store: got %v; want ErrReadOnly", err)
		}
		if _, err := db.Cleanup(ctx, 3); !errors.Is(err, daybook.ErrReadOnly) {
			t.Errorf("Cleanup: got %v; want ErrReadOnly", err)
		}
	}
	mustClose(t, one)
	mustClose(t, two)
	if contents(t, dir) != before {
		t.Error("reading changed the directory")
	}
}

// TestReadOnlyStats shows that the sizes of a read-only store include the log.
func TestReadOnlyStats(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, nil)
	mustStore(t, db, "r", "1", 1)
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	stats, err := mustOpen(t, dir, &Options{ReadOnly: true}).Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if want := occupied(t, filepath.Join(dir, logName)); stats.LogBytes != want || stats.DiskBytes != occupied(t, dir) {
		t.Errorf("LogBytes = %d, DiskBytes = %d; want %d, %d", stats.LogBytes, stats.DiskBytes, want, occupied(t, dir))
	}
}
