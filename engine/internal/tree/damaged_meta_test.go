// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
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
		{"too little address space", errNoAddressSpace, daybook.ErrFailed},
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

// TestCutoffNamesDamage damages what Cutoff needs beside the headers of chunks: the entry of a
// record whose newest values do not count, and a chunk of which a hold spares a part.
func TestCutoffNamesDamage(t *testing.T) {
	path := makeVerbTree(t)
	file, none := mustRead(t, path), slices.Values([]codec.Entry(nil))
	holds := Holds{{Pattern: mustPattern(t, "a"), At: 20, From: 90}}
	third := func(all uint64) uint64 { return all / 3 }
	named := map[string]int{}
	for _, d := range damagedElements(t, path) {
		v := verb{run: func(ctx context.Context, tree *Tree) (string, error) {
			_, byCount, err := tree.Cutoff(ctx, mustPattern(t, "*"), ByTime, third, nil, 1, none)
			if err != nil {
				return "", err
			}
			_, byHold, err := tree.Cutoff(ctx, mustPattern(t, "*"), ByTime, third, holds, 0, none)
			for what, err := range map[string]error{"entry": byCount, "hold": byHold} {
				if errors.Is(err, daybook.ErrCorrupt) {
					named[what]++
				}
			}
			isEntry := strings.HasSuffix(d.name, " of "+recordsBucket)
			if isEntry && byCount == nil {
				t.Errorf("%s is damaged: got no error; want the damage", d.name)
			}
			return "", err
		}}
		if _, err := v.do(t, ctx, file, func(tree *Tree) { d.to(t, tree) }); err != nil {
			t.Fatalf("%s is damaged: %v", d.name, err)
		}
	}
	if named["entry"] == 0 || named["hold"] == 0 {
		t.Errorf("the damages that were named: %v; want some of both", named)
	}
}

// TestDamagedFreelist damages the list of free pages of an open tree. Check and a backup must say
// so, though no value is lost yet.
func TestDamagedFreelist(t *testing.T) {
	file := mustRead(t, makeVerbTree(t))
	for name, at := range map[string]int{"kind": 8, "length": 10, "first page": 16} {
		at += freelistOf(file)
		for _, v := range verbs(t) {
			if v.name != "Check" && v.name != "Backup" {
				continue
			}
			_, err := v.do(t, ctx, file, func(tree *Tree) {
				overwrite(t, tree.mapped.path, []byte{file[at] ^ 4}, at)
			})
			if !errors.Is(err, daybook.ErrCorrupt) {
				t.Errorf("the %s of the list is damaged: %s: got %v; want ErrCorrupt", name, v.name, err)
			}
		}
	}
}

// TestUnknownVersion reads a chunk of a later format. It must not be taken for damage, which a
// quarantine would put away.
func TestUnknownVersion(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	key := codec.AppendLowerBound(nil, "a", 0)
	var chunk []byte
	err := tree.viewBolt(func(tx *bbolt.Tx) error {
		chunk = bytes.Clone(tx.Bucket([]byte(valuesBucket)).Get(key))
		return nil
	})
	if err != nil || chunk == nil {
		t.Fatalf("the first chunk: %x, %v", chunk, err)
	}
	chunk[0] = 0xff
	putElement(t, tree, valuesBucket, key, chunk)
	if _, err := read(tree, "a"); !errors.Is(err, daybook.ErrVersion) || errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %v; want ErrVersion, and not ErrCorrupt", err)
	}
}
