// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
)

// backupsIn returns the number of values in each backup of a directory, by file name.
func backupsIn(t *testing.T, dir string) map[string]uint64 {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]uint64{}
	for _, entry := range entries {
		file, err := os.Open(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		restored := filepath.Join(t.TempDir(), "restored")
		err = Restore(ctx, restored, file)
		_ = file.Close()
		if err != nil {
			t.Fatalf("%s: %v", entry.Name(), err)
		}
		db := mustOpen(t, restored, nil)
		found[entry.Name()] = mustStats(t, db).Values
		mustClose(t, db)
	}
	return found
}

func mustStats(t testing.TB, db *DB) daybook.Stats {
	t.Helper()
	stats, err := db.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

// TestBackupFile makes backups with one more value each, and keeps different numbers of them.
func TestBackupFile(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, t.TempDir(), nil)
	path, values := filepath.Join(dir, "b"), uint64(0)
	for _, test := range []struct {
		keep int
		want map[string]uint64
	}{
		{1, map[string]uint64{"b": 1}},
		{3, map[string]uint64{"b": 2, "b.1": 1}},
		{3, map[string]uint64{"b": 3, "b.1": 2, "b.2": 1}},
		{3, map[string]uint64{"b": 4, "b.1": 3, "b.2": 2}},
		{4, map[string]uint64{"b": 5, "b.1": 4, "b.2": 3, "b.3": 2}},
		{2, map[string]uint64{"b": 6, "b.1": 5}},
		{1, map[string]uint64{"b": 7}},
	} {
		values++
		if err := db.Store(ctx, "r", json.RawMessage("1"), values); err != nil {
			t.Fatal(err)
		}
		if err := db.BackupFile(ctx, path, test.keep); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, backupsIn(t, dir)); diff != "" {
			t.Fatalf("backup %d of %d (-want +got):\n%s", values, test.keep, diff)
		}
	}
}

// TestBackupFileAfterACrash leaves the files that a crash leaves: a part, and no newest backup.
func TestBackupFileAfterACrash(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, t.TempDir(), nil)
	path := filepath.Join(dir, "b")
	if err := db.BackupFile(ctx, path, 1); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	old, young := filepath.Join(dir, ".b.0123.part"), filepath.Join(dir, ".b.4567.part")
	for _, part := range []string{old, young} {
		if err := os.WriteFile(part, []byte("half a backup"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * maxPartAge)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	if err := db.Store(ctx, "r", json.RawMessage("1"), 1); err != nil {
		t.Fatal(err)
	}
	if err := db.BackupFile(ctx, path, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("a part that nobody writes to is still there")
	}
	if err := os.Remove(young); err != nil {
		t.Errorf("a part that somebody may write to was removed: %v", err)
	}
	if diff := cmp.Diff(map[string]uint64{"b": 1, "b.1": 0}, backupsIn(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func openParent(t *testing.T, path string) disk.FS {
	t.Helper()
	parent, err := disk.OS{}.OpenDirectory(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = parent.Close() })
	return parent
}

// TestBackupFileFails fails for several reasons. The earlier backup stays as it is, and no other
// file.
func TestBackupFileFails(t *testing.T) {
	dir, own := t.TempDir(), t.TempDir()
	db := mustOpen(t, own, nil)
	path := filepath.Join(dir, "b")
	if err := db.BackupFile(ctx, path, 1); err != nil {
		t.Fatal(err)
	}
	if err := db.Store(ctx, "r", json.RawMessage("1"), 1); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	err := os.Symlink(own, link)
	if err == nil {
		_, err = os.ReadDir(link)
	}
	if err != nil {
		t.Logf("no symbolic link: %v", err)
		link = own
	}
	ended, end := context.WithCancel(ctx)
	end()
	others := t.TempDir()
	if err := os.Mkdir(filepath.Join(others, "c.1"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		ctx  context.Context
		path string
		keep int
		want error
	}{
		{"ended context", ended, path, 1, context.Canceled},
		{"nothing to keep", ctx, path, 0, daybook.ErrInvalidParams},
		{"its own directory", ctx, filepath.Join(own, "b"), 1, daybook.ErrInvalidParams},
		{"the directory of its log", ctx, filepath.Join(own, logName, "b"), 1, daybook.ErrInvalidParams},
		{"its own directory through a link", ctx, filepath.Join(link, "b"), 1, daybook.ErrInvalidParams},
		{"the daybook", ctx, own, 3, daybook.ErrInvalidParams},
		{"the daybook through a link", ctx, link, 3, daybook.ErrInvalidParams},
		{"a directory", ctx, others, 3, daybook.ErrInvalidParams},
		{"a directory, and a separator", ctx, others + string(filepath.Separator), 3, daybook.ErrInvalidParams},
		{"an earlier backup is a directory", ctx, filepath.Join(others, "c"), 2, daybook.ErrInvalidParams},
		{"no directory", ctx, filepath.Join(dir, "missing", "b"), 1, os.ErrNotExist},
	} {
		if err := db.BackupFile(test.ctx, test.path, test.keep); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v; want %v", test.name, err, test.want)
		}
	}
	if err := db.BackupFile(ctx, "", 1); !errors.Is(err, daybook.ErrInvalidParams) ||
		!strings.Contains(err.Error(), "empty path") {
		t.Errorf("no path: got %v; want ErrInvalidParams that names the empty path", err)
	}
	missing := filepath.Join(dir, "missing")
	err = db.BackupFile(ctx, filepath.Join(missing, "b"), 1)
	if err == nil || !strings.Contains(err.Error(), "make the directory") || !strings.Contains(err.Error(), missing) {
		t.Errorf("no directory: got %v; want what to do, and %s", err, missing)
	}
	f := backupFile{fs: openParent(t, path), path: path}
	fail := errors.New("the source fails")
	if err := f.replace(2, func(w io.Writer) error {
		_, _ = fmt.Fprint(w, "half")
		return fail
	}); !errors.Is(err, fail) {
		t.Errorf("got %v; want the error of the source", err)
	}
	if diff := cmp.Diff(map[string]uint64{"b": 0}, backupsIn(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
