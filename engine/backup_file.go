// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// BackupFile writes a backup into the file path, as Backup does. The file has that name only when
// it is complete and on stable storage. keep is the number of backups that stay. With 3 they are
// path and, from before, path.1 and path.2, the older one. Others of these names are removed.
//
// Until it is complete, the backup has a hidden name beside path, which ends in ".part". A process
// that was killed leaves such a file; a later call for path removes it once it is an hour old.
// After a power cut path may be missing. Then path.1 is the newest backup.
//
// The directory of path must exist: on a disk that is not mounted it does not.
//
// Errors: daybook.ErrInvalidParams for keep < 1, for an empty path, for one in the daybook's own
// directory or its log's, or where one of the names is that of a directory, or of a link to
// somewhere else; those of Backup, as daybook.ErrCorrupt, which says how to mend it; or the
// operating system's. After an error the earlier backups are there.
func (db *DB) BackupFile(ctx context.Context, path string, keep int) (err error) {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	if keep < 1 {
		return fmt.Errorf("%w: got keep = %d; want 1 (the new backup alone) or more", daybook.ErrInvalidParams, keep)
	}
	if path == "" {
		return fmt.Errorf("%w: got an empty path; want that of a file for the backup", daybook.ErrInvalidParams)
	}
	if path, err = disk.Absolute(path); err != nil {
		return err
	}
	parent, err := disk.OS{}.OpenDirectory(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make the directory first, or mount its disk: %w", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parent.Close()) }()
	if db.isIn(parent, filepath.Dir(path)) {
		return fmt.Errorf("%w: %s is in the directory of the daybook; want a file outside, best on another disk",
			daybook.ErrInvalidParams, path)
	}
	f := backupFile{fs: parent, path: path}
	if err := f.verify(); err != nil {
		return err
	}
	return f.replace(keep, func(w io.Writer) error { return db.Backup(ctx, w) })
}

// isIn reports whether a directory is the daybook's own, or that of its log.
func (db *DB) isIn(dir disk.FS, path string) bool {
	other, err := dir.Stat(path)
	if err != nil {
		return false
	}
	own, err := db.dir.fs.Stat(db.dir.path)
	log, logErr := db.dir.fs.Stat(db.dir.file(logName))
	return err == nil && os.SameFile(own, other) || logErr == nil && os.SameFile(log, other)
}

// backupFile is the newest of some files with backups.
type backupFile struct {
	fs   disk.FS // the open directory of path
	path string
}

// verify returns an error if the newest or an earlier backup is a directory, or a link that may
// lead to one. That is no backup, and must not be renamed: it may be the daybook.
func (f *backupFile) verify() error {
	for n := 0; n == 0 || f.exists(f.numbered(n)); n++ {
		path := f.numbered(n)
		found, err := f.fs.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && found.Mode().Type() == fs.ModeSymlink {
			found, err = f.fs.Stat(path) // fails if the link leads to another directory
		}
		if err != nil || found.IsDir() {
			return fmt.Errorf("%w: %s is there and is no file; want the path of a file", daybook.ErrInvalidParams, path)
		}
	}
	return nil
}

// replace writes a new file, and gives it the name of the newest one.
func (f *backupFile) replace(keep int, write func(io.Writer) error) error {
	if err := f.removeOldParts(); err != nil {
		return err
	}
	id := identity.NewID()
	part := f.partName(fmt.Sprintf("%x", id[:8]))
	err := f.writePart(part, write)
	if err == nil {
		err = f.shift(keep)
	}
	if err == nil {
		err = f.fs.Rename(part, f.path)
	}
	if err != nil {
		if removeErr := f.fs.Remove(part); !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
		return err
	}
	return f.fs.SyncDir(filepath.Dir(f.path))
}

func (f *backupFile) partName(id string) string {
	return filepath.Join(filepath.Dir(f.path), "."+filepath.Base(f.path)+"."+id+".part")
}

func (f *backupFile) writePart(part string, write func(io.Writer) error) error {
	file, err := f.fs.Create(part)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(io.NewOffsetWriter(file, 0), 1<<20)
	if err = write(buffered); err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = file.Datasync()
	}
	return errors.Join(err, file.Close())
}

// maxPartAge is the age after which a part file is removed: no process writes to it any more.
const maxPartAge = time.Hour

// removeOldParts removes the part files that killed processes have left.
func (f *backupFile) removeOldParts() error {
	entries, err := f.fs.ReadDir(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	prefix, suffix, _ := strings.Cut(filepath.Base(f.partName("\x00")), "\x00")
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, prefix) || !strings.HasSuffix(name, suffix) {
			continue
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < maxPartAge {
			continue
		}
		if err := f.fs.Remove(filepath.Join(filepath.Dir(f.path), name)); err != nil {
			return err
		}
	}
	return nil
}

// numbered returns the name of an earlier backup; 0 is the newest one.
func (f *backupFile) numbered(n int) string {
	if n == 0 {
		return f.path
	}
	return fmt.Sprintf("%s.%d", f.path, n)
}

// shift makes room for a new backup: of the earlier ones keep-1 stay.
func (f *backupFile) shift(keep int) error {
	last := 0
	for f.exists(f.numbered(last + 1)) {
		last++
	}
	by := 1
	if !f.exists(f.path) {
		by = 0 // a crash came after the last shift
	}
	for n := last; n >= 0; n-- {
		var err error
		switch {
		case n == 0 && (by == 0 || keep == 1): // the new backup takes the place of this one
		case n+by >= keep:
			err = f.fs.Remove(f.numbered(n))
		case by > 0:
			err = f.fs.Rename(f.numbered(n), f.numbered(n+by))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *backupFile) exists(path string) bool {
	_, err := f.fs.Lstat(path)
	return err == nil
}
