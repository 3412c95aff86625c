// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestFilesWithoutADaybook opens files that have no tree: an empty one of bbolt, one without meta
// pages, and a missing one. A file to which nobody may write gets none.
func TestFilesWithoutADaybook(t *testing.T) {
	dir := testenv.TempDir(t)
	empty, garbage := filepath.Join(dir, "empty"), filepath.Join(dir, "garbage")
	db, err := bbolt.Open(empty, 0o600, &bbolt.Options{PageSize: pageSize})
	if err := errors.Join(err, db.Close(), os.WriteFile(garbage, make([]byte, 77), 0o600)); err != nil {
		t.Fatal(err)
	}
	reading := options()
	reading.ReadOnly = true
	for _, test := range []struct {
		name, path string
		open       func(path string) (*Tree, error)
		want       error
	}{
		{"empty, to read", empty, func(path string) (*Tree, error) { return openAt(t, path, reading) }, fs.ErrNotExist},
		{"empty, beside", empty, func(path string) (*Tree, error) {
			return OpenBeside(openDirectory(t, dir), path, options())
		}, fs.ErrNotExist},
		{"garbage, beside", garbage, func(path string) (*Tree, error) {
			return OpenBeside(openDirectory(t, dir), path, options())
		}, daybook.ErrCorrupt},
		{"missing, beside", filepath.Join(dir, "missing"), func(path string) (*Tree, error) {
			return OpenBeside(openDirectory(t, dir), path, options())
		}, fs.ErrNotExist},
	} {
		if tree, err := test.open(test.path); !errors.Is(err, test.want) || tree != nil {
			t.Errorf("%s: got %v, %v; want %v", test.name, tree, err, test.want)
		}
	}
}

// TestIsNewestOfAClosedFile asks a reader beside a writer whose file cannot be asked any more.
func TestIsNewestOfAClosedFile(t *testing.T) {
	path := makeVerbTree(t)
	tree, err := OpenBeside(openDirectory(t, filepath.Dir(path)), path, options())
	if err != nil {
		t.Fatal(err)
	}
	if !tree.IsNewest() {
		t.Error("nobody writes to the file; want that it is the newest")
	}
	if err := tree.Close(); err != nil || tree.IsNewest() {
		t.Errorf("closed, %v; want that it is not said to be the newest", err)
	}
}

// statless is a directory in which files cannot be asked once they were opened a number of times.
type statless struct {
	disk.FS
	left int
}

func (s *statless) OpenFile(path string, flag int, mode os.FileMode) (*os.File, error) {
	s.left--
	return s.FS.OpenFile(path, flag, mode)
}

func (s *statless) Stat(path string) (fs.FileInfo, error) {
	if s.left <= 0 {
		return nil, errOpening
	}
	return s.FS.Stat(path)
}

// TestOpenCannotAskTheFile opens a tree. From the nth opening of a file on, no file can be asked
// whether the path still leads to it. Open must return that error, and release the lock.
func TestOpenCannotAskTheFile(t *testing.T) {
	path := makeVerbTree(t)
	for n := 1; ; n++ {
		fsys := &statless{openDirectory(t, filepath.Dir(path)), n}
		tree, err := Open(fsys, path, options())
		if err == nil {
			if fsys.left <= 0 || n < 3 {
				t.Errorf("no file could be asked after %d openings; got no error", n)
			}
			if err := tree.Close(); err != nil {
				t.Fatal(err)
			}
			return
		}
		if !errors.Is(err, errOpening) {
			t.Errorf("opening %d: got %v; want the error of the file", n, err)
		}
		tree, err = openAt(t, path, options())
		if err != nil {
			t.Fatalf("after a failed Open: %v", err)
		}
		if err := tree.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// replacing is a directory in which another file takes the place of one while that is opened.
type replacing struct {
	disk.FS
	by   string
	left int
}

func (r *replacing) OpenFile(path string, flag int, mode os.FileMode) (*os.File, error) {
	file, err := r.FS.OpenFile(path, flag, mode)
	if r.left--; r.left == 0 && err == nil {
		err = os.Rename(r.by, path)
	}
	return file, err
}

// TestOpenAReplacedFile opens a tree that a compacted one replaces meanwhile. Open must return the
// tree to which the path leads.
func TestOpenAReplacedFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not replace a file that is open")
	}
	for n := 1; ; n++ {
		path, by := makeVerbTree(t), makeNoiseTree(t)
		fsys := &replacing{openDirectory(t, filepath.Dir(path)), by, n}
		tree, err := Open(fsys, path, options())
		if err != nil {
			t.Fatalf("replaced at opening %d: %v", n, err)
		}
		isAt, err := tree.IsAt(path)
		if err := errors.Join(err, tree.Check(ctx), tree.Close()); err != nil || !isAt {
			t.Errorf("replaced at opening %d: %v; the path leads to the tree: %v", n, err, isAt)
		}
		if fsys.left > 0 {
			return
		}
	}
}

// TestInitialMapSize: the address space that is reserved depends on the system.
func TestInitialMapSize(t *testing.T) {
	got := new(Tree).initialMapSize()
	switch {
	case runtime.GOOS == "windows":
		if got != windowsMapSize {
			t.Errorf("got %d; want %d", got, windowsMapSize)
		}
	case math.MaxInt == math.MaxInt32:
		if got != mapSize32 {
			t.Errorf("got %d; want %d", got, mapSize32)
		}
	default:
		if uint64(got) != mapSize {
			t.Errorf("got %d; want %d", got, uint64(mapSize))
		}
	}
	if got := (&Tree{opts: Options{SmallMapping: true}}).initialMapSize(); got != windowsMapSize {
		t.Errorf("small: got %d; want %d", got, windowsMapSize)
	}
}

// TestFormatWithoutIdentity opens a file of format 3. It gets an identity with the next commit.
func TestFormatWithoutIdentity(t *testing.T) {
	path := makeVerbTree(t)
	tree := mustOpen(t, path)
	err := tree.commit(0, func(tx *bbolt.Tx) error {
		meta, format := tx.Bucket([]byte(metaBucket)), uint64(oldestFormat)
		return errors.Join(meta.Delete(identityKey), meta.Delete(placeKey), meta.Delete(keysKey),
			meta.Put(formatKey, encodeFields([]*uint64{&format})))
	})
	if err := errors.Join(err, tree.bolt.Close()); err != nil {
		t.Fatal(err)
	}
	tree = mustOpen(t, path)
	saved, err := tree.Identity()
	next := tree.NextIdentity()
	if err != nil || !saved.IsZero() || next.IsZero() {
		t.Fatalf("got the identity %v, %v, and %v next; want none, and then one", saved, err, next)
	}
	if err := errors.Join(tree.PutNotes(Notes{"a": []byte("note")}), tree.Close()); err != nil {
		t.Fatal(err)
	}
	wantIdentity(t, mustOpen(t, path), next)
}

// TestOpenMeetsAnotherGeneration opens a tree whose checksums are those of an earlier commit than
// the last but one.
func TestOpenMeetsAnotherGeneration(t *testing.T) {
	path := makeVerbTree(t)
	tree := mustOpen(t, path)
	err := tree.commit(0, func(tx *bbolt.Tx) error {
		return putSummary(tx, tree.generation-2, tree.committed.Load().table)
	})
	if err := errors.Join(err, tree.bolt.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, path, options()); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %v; want ErrCorrupt", err)
	}
}
