// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Modes of new files, before the umask.
const (
	backupMode fs.FileMode = 0o600 // a backup is private, as the directory is that it holds
	exportMode fs.FileMode = 0o666 // an export is made for other programs
)

// writeNewFile writes a file that must not exist yet, and returns its size. The file gets its name
// only when it is complete and on stable storage. Until then it is a hidden part file beside it.
func writeNewFile(name string, mode fs.FileMode, write func(io.Writer) error) (written int64, err error) {
	if err := checkAbsent(name); err != nil {
		return 0, err
	}
	removeOldParts(name)
	file, err := createPart(name, mode)
	if err != nil {
		return 0, creationError(name, err)
	}
	part := file.Name()
	defer os.Remove(part) // if it still has that name
	err = write(file)
	if err == nil {
		written, err = file.Seek(0, io.SeekEnd)
	}
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = renameToNew(part, name)
	}
	return written, err
}

// createPart creates a part file of name, whose mode the umask can only restrict. os.CreateTemp
// creates all files with mode 0600.
func createPart(name string, mode fs.FileMode) (*os.File, error) {
	const maxTries = 1000
	for try := 1; ; try++ {
		part := filepath.Join(filepath.Dir(name), fmt.Sprintf(".%s.%d.part", filepath.Base(name), rand.Uint32()))
		file, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if !errors.Is(err, fs.ErrExist) || try == maxTries {
			return file, err
		}
	}
}

// refuseInside returns an error if a new file would be in the directory of the daybook, or in its
// log. It compares the directories themselves, because links and relative paths have many names.
func refuseInside(dir, name string) error {
	parent, err := filepath.Abs(filepath.Dir(name))
	if err == nil {
		parent, err = filepath.EvalSymlinks(parent)
	}
	if err != nil {
		return nil // creating the file will fail, and report why
	}
	for _, own := range []string{dir, filepath.Join(dir, "wal")} {
		of, err := os.Stat(own)
		if err != nil {
			continue
		}
		for above := parent; ; above = filepath.Dir(above) {
			if found, err := os.Stat(above); err == nil && os.SameFile(found, of) {
				return usagef("%s is in the directory of the daybook itself, %s: name a file elsewhere", name, own)
			}
			if above == filepath.Dir(above) {
				break
			}
		}
	}
	return nil
}

// maxPartAge is the age after which a part file is removed. A process that still writes to it has
// done so more recently.
const maxPartAge = time.Hour

// removeOldParts removes the part files of name that killed processes left. A file that cannot be
// removed does no harm.
func removeOldParts(name string) {
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return // creating the file will fail, and report why
	}
	for _, entry := range entries {
		number, hasPrefix := strings.CutPrefix(entry.Name(), "."+filepath.Base(name)+".")
		number, hasSuffix := strings.CutSuffix(number, ".part")
		if !hasPrefix || !hasSuffix || !isDigits(number) {
			continue
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > maxPartAge {
			_ = os.Remove(filepath.Join(filepath.Dir(name), entry.Name()))
		}
	}
}

// creationError says why the file cannot be created. It does not mention the name of the part file,
// which err has.
func creationError(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s cannot be written: there is no directory %s", name, filepath.Dir(name))
	}
	if pathError := new(fs.PathError); errors.As(err, &pathError) {
		err = pathError.Err
	}
	return fmt.Errorf("%s cannot be written: %w", name, err)
}

func checkAbsent(name string) error {
	info, err := os.Lstat(name)
	switch {
	case err != nil:
		return nil
	case info.IsDir():
		return fmt.Errorf("%s is a directory: name a file in it", name)
	}
	return fmt.Errorf("%s exists already: name another file, or remove it first", name)
}

// renameToNew gives part its name and makes that durable where the system can. It does not replace
// a file that has appeared meanwhile, unless the file system has no hard links.
func renameToNew(part, name string) error {
	if err := os.Link(part, name); errors.Is(err, fs.ErrExist) {
		return checkAbsent(name)
	} else if err != nil {
		if err := os.Rename(part, name); err != nil {
			return err
		}
	}
	if dir, err := os.Open(filepath.Dir(name)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
	return nil
}
