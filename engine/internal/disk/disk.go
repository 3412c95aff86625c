// SPDX-License-Identifier: Apache-2.0

// Package disk is the small part of a file system that the engine uses: the interface FS, under
// which tests can inject errors, and OS, which implements it with the operating system.
package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/daybook-db/daybook"
)

// FS creates, opens, renames and removes files, and makes those changes durable. Paths are
// absolute, or relative to the working directory. Any number of goroutines may call the methods at
// once. A path that does not exist is an error that matches fs.ErrNotExist.
type FS interface {
	// Create creates a file with mode 0600 and opens it for reading and writing. The file must not
	// exist yet. When root creates a file, it belongs to the owner of its directory.
	Create(path string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(path string) (File, error)
	// ReadFile returns the bytes of a file. The caller owns the slice.
	ReadFile(path string) ([]byte, error)
	// ReadStart returns up to n bytes from the start of a file, and the size of the whole file.
	ReadStart(path string, n int) (start []byte, size int64, err error)
	// Rename gives a file a new path and replaces the file that was there. It is durable after
	// SyncDir.
	Rename(oldPath, newPath string) error
	// Remove removes a file. It is durable after SyncDir.
	Remove(path string) error
	// ReadDir returns the entries of a directory, sorted by name.
	ReadDir(path string) ([]fs.DirEntry, error)
	// MkdirAll durably creates a directory and its missing parents with mode 0700.
	MkdirAll(path string) error
	// SyncDir makes the creation, renaming and removal of files in a directory durable.
	SyncDir(path string) error
}

// File is an open file. WriteAt does not keep the slice that it is given.
type File interface {
	io.WriterAt
	io.Closer
	// Datasync makes all earlier writes durable, together with the metadata that reading them
	// needs, such as the file's size. After an error, the state of all writes since the last
	// successful Datasync is unknown.
	Datasync() error
}

// OS is the operating system's file system.
type OS struct{}

func (OS) Create(path string) (File, error) {
	f, err := create(path, os.O_RDWR, 0o600)
	return osFile{f}, err
}

// OpenFile is os.OpenFile, with one difference: when root creates a file, it belongs to the owner
// of its directory.
func OpenFile(path string, flag int, mode os.FileMode) (*os.File, error) {
	if flag&os.O_CREATE != 0 {
		if f, err := create(path, flag, mode); !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return os.OpenFile(path, flag, mode)
}

// create creates a file that must not exist yet. So the file that is given to the owner of the
// directory is always a new one: a symbolic link to another file counts as existing.
func create(path string, flag int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag|os.O_CREATE|os.O_EXCL, mode)
	if err == nil {
		giveToDirectoryOwner(f)
	}
	return f, err
}

func (OS) Open(path string) (File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	return osFile{f}, err
}

func (OS) ReadFile(path string) ([]byte, error)       { return os.ReadFile(path) }
func (OS) Rename(oldPath, newPath string) error       { return os.Rename(oldPath, newPath) }
func (OS) Remove(path string) error                   { return os.Remove(path) }
func (OS) ReadDir(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }
func (OS) MkdirAll(path string) error                 { return mkdirAll(path) }

func (OS) ReadStart(path string, n int) (start []byte, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	start = make([]byte, n)
	got, err := f.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	return start[:got], info.Size(), nil
}

// mkdirAll is os.MkdirAll that also makes each directory durable that it creates.
func mkdirAll(path string) error {
	if info, err := os.Stat(path); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
		}
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := mkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err == nil {
		giveDirectoryToParentOwner(path)
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	return OS{}.SyncDir(parent)
}

type osFile struct{ *os.File }

func (f osFile) Datasync() error { return Datasync(f.File) }

// Datasync is File.Datasync for a file of the operating system.
func Datasync(f *os.File) error {
	if err := datasync(f); err != nil {
		return &fs.PathError{Op: "sync", Path: f.Name(), Err: err}
	}
	return nil
}

// NoSpaceErrors returns the operating system's errors that say that the disk or the quota is full.
func NoSpaceErrors() []error { return slices.Clone(noSpace) }

// IsNoSpace reports whether err says that the disk or the quota is full.
func IsNoSpace(err error) bool {
	return slices.ContainsFunc(noSpace, func(full error) bool { return errors.Is(err, full) })
}

// WrapNoSpace returns an error that matches daybook.ErrNoSpace if err says that the disk or the
// quota is full. It returns other errors unchanged. WrapNoSpace of package tree also knows the
// texts of bbolt's errors.
func WrapNoSpace(err error) error {
	if IsNoSpace(err) && !errors.Is(err, daybook.ErrNoSpace) {
		return fmt.Errorf("%w: %w", daybook.ErrNoSpace, err)
	}
	return err
}

// SyncAncestors makes the directories above path durable. It stops without an error at the first
// directory that may not be read, or whose file system cannot sync directories: such a directory
// was not made for path.
func SyncAncestors(fsys FS, path string) error {
	path, err := filepath.Abs(path)
	for parent := filepath.Dir(path); err == nil && parent != path; parent = filepath.Dir(path) {
		path, err = parent, fsys.SyncDir(parent)
	}
	for _, end := range []error{fs.ErrPermission, errors.ErrUnsupported, syscall.EINVAL, syscall.EROFS} {
		if errors.Is(err, end) {
			return nil
		}
	}
	return err
}

// WriteZeros writes size zero bytes at the start of f, so that later writes there do not allocate
// blocks.
func WriteZeros(f io.WriterAt, size int64) error {
	zeros := make([]byte, min(size, 256<<10))
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}
