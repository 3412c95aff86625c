// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestDamagedMeta puts a wrong value into the bucket "meta" of an open tree. Each call that needs
// the value must say so.
func TestDamagedMeta(t *testing.T) {
	file := mustRead(t, makeVerbTree(t))
	unsummed := func([]byte) []byte {
		note := []byte("a note")
		return append(binary.BigEndian.AppendUint32(nil, noteSum(noteKey("another"), note)), note...)
	}
	garbage := func([]byte) []byte { return []byte("a name and a wrong checksum") }
	other := func([]byte) []byte { return identity.New().Append(nil) }
	for _, test := range []struct {
		name   string
		key    []byte
		change func(old []byte) []byte
		calls  []string
	}{
		{"state", stateKey, flipped,
			[]string{"State", "Post", "PutNotes", "LastStored", "CopyStored", "Check", "Backup"}},
		{"part of a post", partialKey, garbage, []string{"State", "Post", "LastStored", "Check"}},
		{"sum of the notes", notesSumKey, flipped,
			[]string{"Notes", "Notes of a snapshot", "PutNotes", "CopyStored", "Check", "Backup"}},
		{"note", noteKey("noted"), flipped, []string{"Notes", "Notes of a snapshot", "CopyStored", "Check", "Backup"}},
		{"note that is not in the sum", noteKey("another"), unsummed,
			[]string{"Notes", "Notes of a snapshot", "CopyStored", "Check", "Backup"}},
		{"checksums of the pages", summaryKey, flipped, []string{"Check", "Backup"}},
		{"identity", identityKey, flipped, []string{"Check"}},
		{"identity of another store", identityKey, other, []string{"Check"}},
	} {
		for _, v := range verbs(t) {
			if !slices.Contains(test.calls, v.name) {
				continue
			}
			_, err := v.do(t, ctx, file, func(tree *Tree) {
				var old []byte
				err := tree.viewBolt(func(tx *bbolt.Tx) error {
					old = bytes.Clone(tx.Bucket([]byte(metaBucket)).Get(test.key))
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				putMeta(t, tree, test.key, test.change(old))
			})
			if !errors.Is(err, daybook.ErrCorrupt) {
				t.Errorf("the %s is damaged: %s: got %v; want ErrCorrupt", test.name, v.name, err)
			}
		}
	}
}

// flipped returns a value with a bit changed.
func flipped(old []byte) []byte {
	changed := bytes.Clone(old)
	changed[len(changed)/2] ^= 4
	return changed
}

// TestOpenForeignFile opens bbolt files that are no daybooks, or of another format.
func TestOpenForeignFile(t *testing.T) {
	format := func(number uint64) []byte { return encodeFields([]*uint64{&number}) }
	for _, test := range []struct {
		name   string
		bucket string
		format []byte
		want   error
		text   string
	}{
		{"another program's", "users", nil, daybook.ErrCorrupt, `it has a bucket "users" and no "meta"`},
		{"of format 2", metaBucket, format(oldestFormat - 1), daybook.ErrCorrupt, "the file has format 2"},
		{"of a later format", metaBucket, format(formatVersion + 1), daybook.ErrVersion, "format 6"},
		{"without a format", metaBucket, []byte{}, daybook.ErrCorrupt, "the format of the file is missing"},
		{"of a damaged format", metaBucket, flipped(format(formatVersion)), daybook.ErrCorrupt, "its checksum"},
		{"without other buckets", metaBucket, format(formatVersion), daybook.ErrCorrupt, `buckets ["meta"]`},
	} {
		path := filepath.Join(testenv.TempDir(t), "tree")
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucket([]byte(test.bucket))
			if err == nil {
				err = bucket.Put(formatKey, test.format)
			}
			return err
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		before := mustRead(t, path)
		_, err = openAt(t, path, options())
		if !errors.Is(err, test.want) || !strings.Contains(fmt.Sprint(err), test.text) {
			t.Errorf("a file %s: got %v; want %v, %s", test.name, err, test.want, test.text)
		}
		if !bytes.Equal(mustRead(t, path), before) {
			t.Errorf("a file %s was changed", test.name)
		}
	}
}

// TestOpenMissing opens a tree that must exist. Without its file it is damaged, not new.
func TestOpenMissing(t *testing.T) {
	opts := options()
	opts.Existing = true
	missing := filepath.Join(testenv.TempDir(t), "tree")
	empty := missing + ".empty"
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{missing, empty} {
		if _, err := openAt(t, path, opts); !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("Open of %s: got %v; want ErrCorrupt", path, err)
		}
	}
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Open the missing file: %v; want it missing", err)
	}
}

// TestOpenErrors describes bbolt's errors of opening a file.
func TestOpenErrors(t *testing.T) {
	full, fault := disk.NoSpaceErrors()[0], errors.New("a fault")
	for _, test := range []struct {
		name      string
		err, want error
	}{
		{"no bbolt file", bolterrors.ErrInvalid, daybook.ErrCorrupt},
		{"damaged meta pages", bolterrors.ErrChecksum, daybook.ErrCorrupt},
		{"a part of a file", errors.New(boltTooSmall), daybook.ErrCorrupt},
		{"another version of bbolt", bolterrors.ErrVersionMismatch, daybook.ErrVersion},
		{"a full disk", full, daybook.ErrNoSpace},
		{"a full disk, as text", errors.New(boltResize + full.Error()), daybook.ErrNoSpace},
		{"a full disk at a sync, as text", errors.New(boltSync + full.Error()), daybook.ErrNoSpace},
		{"a maximum size", bolterrors.ErrMaxSizeReached, daybook.ErrNoSpace},
		{"another fault", fault, fault},
	} {
		if got := describeOpenError("a path", test.err); !errors.Is(got, test.want) {
			t.Errorf("%s: got %v; want %v", test.name, got, test.want)
		}
		isFull := errors.Is(test.want, daybook.ErrNoSpace)
		if got := WrapNoSpace(test.err); errors.Is(got, daybook.ErrNoSpace) != isFull {
			t.Errorf("%s: WrapNoSpace: got %v; want ErrNoSpace: %v", test.name, got, isFull)
		}
	}
	if other := errors.New(boltResize + "another fault"); isNoSpace(other) || isNoSpace(nil) {
		t.Error("an error that says nothing of space is taken for a full disk")
	}
}

// TestCheckMeetsWrongValues checks trees with values that no caller may store.
func TestCheckMeetsWrongValues(t *testing.T) {
	for _, test := range []struct {
		name  string
		value codec.Entry
		text  string
	}{
		{"no JSON", codec.Entry{Timestamp: 5, Sequence: 90_000, Value: []byte("no JSON")}, "value 0"},
		{"not posted yet", codec.Entry{Timestamp: 5, Sequence: 100_001, Value: []byte("1")}, "after the watermark"},
	} {
		tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree"))
		if err := (history{"r": {test.value}}).post(tree, 100_000); err != nil {
			t.Fatal(err)
		}
		err := tree.Check(ctx)
		if !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("a value that is %s: Check: got %v; want ErrCorrupt, %s", test.name, err, test.text)
		}
	}
}

// TestLossOfAHold counts what the deletion of values from low to high costs holds.
func TestLossOfAHold(t *testing.T) {
	const low, high = 10, 20
	for _, test := range []struct {
		name       string
		at         uint64
		some, same bool
		reason     string
	}{
		{"far before", 5, true, true, "all of them are lost"},
		{"just before", 9, true, true, "all of them are lost"},
		{"at the first", 10, true, false, "all but the first are lost"},
		{"at the last but one", 19, true, false, "the last is lost"},
		{"at the last", 20, false, true, "none is lost"},
		{"after", 30, false, true, "none is lost"},
	} {
		holds, lost := Holds{{Pattern: mustPattern(t, "*"), At: test.at, From: test.at}}, make([]uint64, 1)
		spared := holds.of("r", lost)
		if some, same := spared.counts(low, high); some != test.some || same != test.same {
			t.Errorf("a hold %s: got %v, %v; want %v, %v: %s", test.name, some, same, test.some, test.same, test.reason)
		}
		want := uint64(0)
		for sequence := uint64(low); sequence <= high; sequence++ {
			spared.add(&codec.Entry{Sequence: sequence})
			if sequence > test.at {
				want++
			}
		}
		if lost[0] != want {
			t.Errorf("a hold %s loses %d values; want %d", test.name, lost[0], want)
		}
	}
}
