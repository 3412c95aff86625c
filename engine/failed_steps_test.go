// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/proof/testenv"
)

// failing returns a hook that fails operations of a name on paths that end with suffix.
func failing(name, suffix string) func(faultfs.Op) error {
	return func(op faultfs.Op) error {
		if op.Name == name && strings.HasSuffix(op.Path, suffix) {
			return syscall.EIO
		}
		return nil
	}
}

// TestQuarantinedCannotBeListed fails the listing of a log in quarantine. A list without it would
// tell the caller that the disk has more room than it has.
func TestQuarantinedCannotBeListed(t *testing.T) {
	dir, files := quarantineLogAndTree(t)
	db, fsys := openFaulty(t, dir, Options{})
	fsys.SetHook(failing(faultfs.ReadDir, files[1].Name))
	if got, err := db.Quarantined(ctx); !errors.Is(err, syscall.EIO) {
		t.Errorf("Quarantined: got %+v, %v; want EIO", got, err)
	}
	for _, name := range []string{files[0].Name, files[1].Name} {
		if err := db.RemoveQuarantined(ctx, name); !errors.Is(err, syscall.EIO) {
			t.Errorf("RemoveQuarantined(%s): got %v; want EIO", name, err)
		}
	}
	fsys.SetHook(nil)
	if got, err := db.Quarantined(ctx); len(got) != 2 || err != nil {
		t.Errorf("once the disk is well: got %+v, %v; want two files", got, err)
	}
}

// vanished is a file that was removed after its directory was listed.
type vanished struct{ fs.DirEntry }

func (vanished) IsDir() bool                { return false }
func (vanished) Info() (fs.FileInfo, error) { return nil, fs.ErrNotExist }

// TestSizeOfAVanishedFile asks for the size of a file in quarantine that has just been removed.
func TestSizeOfAVanishedFile(t *testing.T) {
	if size, err := (directory{}).sizeOf("vanished", vanished{}); size != 0 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %d, %v; want fs.ErrNotExist", size, err)
	}
}

// TestSaveUsingReserve wants a save that finds no space to be tried once more with that of the
// reserve, which is taken back then; and another failure to be returned at once.
func TestSaveUsingReserve(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	taken := mustTakeTurn(t, db)
	defer taken.end()
	taken.takeReserve()
	for _, test := range []struct {
		name      string
		fails     []error // of one call after another
		want      error
		wantCalls int
	}{
		{"no failure", []error{nil}, nil, 1},
		{"full", []error{daybook.ErrNoSpace, nil}, nil, 2},
		{"full, and the reserve is too small", []error{daybook.ErrNoSpace, daybook.ErrNoSpace}, daybook.ErrNoSpace, 2},
		{"full, and then failed", []error{daybook.ErrNoSpace, syscall.EIO}, syscall.EIO, 2},
		{"failed", []error{syscall.EIO}, syscall.EIO, 1},
	} {
		calls := 0
		err := taken.saveUsingReserve(func() error {
			calls++
			if hasReserve := db.reserve.size() > 0; hasReserve != (calls == 1) {
				t.Errorf("%s: call %d: the reserve is there: %v", test.name, calls, hasReserve)
			}
			return test.fails[calls-1]
		})
		if !errors.Is(err, test.want) || calls != test.wantCalls || db.reserve.size() == 0 {
			t.Errorf("%s: got %v after %d calls, and a reserve of %d bytes; want %v after %d",
				test.name, err, calls, db.reserve.size(), test.want, test.wantCalls)
		}
	}
}

// TestCopyCannotBeSynced puts a directory where the file of a copy is to be.
func TestCopyCannotBeSynced(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	if synced, err := db.syncCopy(7); synced != 7 || err != nil {
		t.Errorf("without a copy: got %d, %v; want 7", synced, err)
	}
	path := db.dir.file(copyName)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if synced, err := db.syncCopy(7); synced != 7 || err == nil {
		t.Errorf("a copy that cannot be opened: got %d, %v; want 7 and an error", synced, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// TestRestoreRefusesAtOnce restores into a directory with a file. The backup is not read then: it
// may be long, or come from a pipe.
func TestRestoreRefusesAtOnce(t *testing.T) {
	dir := testenv.TempDir(t)
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	read := false
	err := Restore(ctx, dir, readerFunc(func([]byte) (int, error) { read = true; return 0, io.EOF }))
	if !errors.Is(err, fs.ErrExist) || read {
		t.Errorf("got %v, and the backup was read: %v; want fs.ErrExist and false", err, read)
	}
}

// TestQuarantineCannotRename fails the renames that would set a damaged file aside. Open must say
// so, and change nothing that the next Open needs.
func TestQuarantineCannotRename(t *testing.T) {
	for _, test := range []struct {
		name   string
		damage func(t *testing.T, dir string)
	}{
		{TreeFile, damages[0].do},
		{logName, func(t *testing.T, dir string) { flip(t, segment(t, dir), "r0", 2) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, _ := quarantineStore(t)
			test.damage(t, dir)
			opts, err := (&Options{OnCorruption: OnCorruptionQuarantine, Logger: discard}).withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			fsys := faultfs.NewSystem(disk.OS{})
			fsys.SetHook(failing(faultfs.Rename, test.name))
			if db, err := open(dir, opts, fsys); !errors.Is(err, syscall.EIO) {
				t.Fatalf("Open: got %v, %v; want EIO", db, err)
			}
			if _, err := os.Stat(filepath.Join(dir, test.name)); err != nil {
				t.Error(err)
			}
			db := mustOpen(t, dir, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
			if files := mustStats(t, db).Quarantined; len(files) != 1 {
				t.Errorf("once the disk is well: %+v are in quarantine; want one file", files)
			}
		})
	}
}

// TestRestoreIsDurable fails the syncs of the directories at the end of a Restore, which leaves
// nothing then.
func TestRestoreIsDurable(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	mustStore(t, db, "r", "1", 1)
	var backup bytes.Buffer
	if err := db.Backup(ctx, &backup); err != nil {
		t.Fatal(err)
	}
	parent := testenv.TempDir(t)
	dir := filepath.Join(parent, "restored")
	for _, failing := range []string{dir, parent} {
		fsys := faultfs.NewSystem(disk.OS{})
		fsys.SetHook(func(op faultfs.Op) error {
			if op.Name == faultfs.SyncDir && op.Path == failing {
				return syscall.EIO
			}
			return nil
		})
		if err := restore(ctx, dir, fsys, bytes.NewReader(backup.Bytes())); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s cannot be synced: got %v; want EIO", failing, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s cannot be synced: the directory is there: %v", failing, err)
		}
	}
	if err := Restore(ctx, dir, bytes.NewReader(backup.Bytes())); err != nil {
		t.Fatal(err)
	}
	wantRows(t, mustQuery(t, mustOpen(t, dir, nil), "*", daybook.QueryParams{}), row{"r", "1", 1})
}

// TestReserveIsSynced fails the sync of the reserve. Space that a power cut takes away is none.
func TestReserveIsSynced(t *testing.T) {
	db, fsys := openFaulty(t, testenv.TempDir(t), Options{})
	db.reserve.remove()
	fsys.SetHook(failing(faultfs.Sync, reserveName))
	db.reserve.take()
	if _, err := db.dir.fs.Stat(db.dir.file(reserveName)); db.reserve.size() != 0 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after a failed sync: %d bytes, %v; want no file", db.reserve.size(), err)
	}
	fsys.SetHook(nil)
	db.reserve.take()
	if info, err := db.dir.fs.Stat(db.dir.file(reserveName)); db.reserve.size() != reserveSize || err != nil ||
		info.Size() != reserveSize {
		t.Errorf("once the disk is well: %d bytes, %v; want %d", db.reserve.size(), err, reserveSize)
	}
}

// TestTreeThatCannotBeLookedAt puts a directory where a damaged tree is to be set aside.
func TestTreeThatCannotBeLookedAt(t *testing.T) {
	dir := mustOpenDirectory(t, testenv.TempDir(t))
	if err := dir.checkTreeNotInUse(nil); err != nil {
		t.Errorf("no tree: %v", err)
	}
	if err := os.Mkdir(dir.file(TreeFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := dir.checkTreeNotInUse(nil); err == nil || errors.Is(err, daybook.ErrLocked) {
		t.Errorf("a directory in its place: got %v; want the operating system's error", err)
	}
}

// TestSalvageIsDurableBeforeTheTreeIsSetAside records the steps that put a salvaged tree in the
// place of a damaged one.
func TestSalvageIsDurableBeforeTheTreeIsSetAside(t *testing.T) {
	db, fsys := openFaulty(t, testenv.TempDir(t), Options{OnCorruption: OnCorruptionQuarantine})
	mustStore(t, db, "r", "1", 1)
	mustCheckpointed(t, db)
	var steps []string
	fsys.SetHook(func(op faultfs.Op) error {
		from := filepath.Base(op.Path)
		switch {
		case from == logName || filepath.Base(filepath.Dir(op.Path)) == logName: // it makes the next segment
		case op.Name == faultfs.Rename:
			steps = append(steps, from)
		case op.Name == faultfs.SyncDir:
			steps = append(steps, op.Name)
		}
		return nil
	})
	err := db.withTurn(ctx, func(t *turn) error { return t.replaceBySalvaged(ctx, daybook.ErrCorrupt, 1) })
	fsys.SetHook(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{copyName, faultfs.SyncDir, TreeFile, salvagedName, faultfs.SyncDir}
	if diff := cmp.Diff(want, steps[:min(len(steps), len(want))]); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}
