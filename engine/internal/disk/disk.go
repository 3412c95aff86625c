// SPDX-License-Identifier: Apache-2.0

// Package disk is the small part of a file system that the engine uses. System opens a directory
// and returns an FS, through which everything in that directory is done. Tests can inject errors
// under both. OS implements them with the operating system.
//
// A path is a name for people. System.OpenDirectory looks it up once, and holds the directory that
// it finds. Every later operation goes through that handle. So a program that changes its working
// directory, or a directory that is renamed or replaced, cannot lead the engine to the files of
// another daybook.
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

// System is what the engine does with paths before it has opened a directory.
type System interface {
	// OpenDirectory opens an existing directory. The caller closes it.
	OpenDirectory(path string) (FS, error)
	// MkdirAll durably creates a directory and its missing parents with mode 0700. It returns those
	// that it made, also after an error, the innermost first.
	MkdirAll(path string) (made []string, err error)
	// RemoveDir removes an empty directory.
	RemoveDir(path string) error
	// SyncDir makes the creation, renaming and removal of files in a directory durable.
	SyncDir(path string) error
}

// FS is an open directory. It creates, opens, renames and removes files there, and makes those
// changes durable. Paths begin with the path that the directory was opened with, or with one that
// FollowLink returned; a path outside is an error. Any number of goroutines may call the methods at
// once. A file that does not exist is an error that matches fs.ErrNotExist.
type FS interface {
	// Create creates a file with mode 0600 and opens it for reading and writing. The file must not
	// exist yet. When root creates a file, it belongs to the owner of its directory.
	Create(path string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(path string) (File, error)
	// OpenFile is os.OpenFile, with one difference: when root creates a file, it belongs to the
	// owner of its directory.
	OpenFile(path string, flag int, mode fs.FileMode) (*os.File, error)
	// ReadFile returns the bytes of a file. The caller owns the slice.
	ReadFile(path string) ([]byte, error)
	// ReadStart returns up to n bytes from the start of a file, and the size of the whole file.
	ReadStart(path string, n int) (start []byte, size int64, err error)
	// Stat describes a file. It follows symbolic links that stay in the directory.
	Stat(path string) (fs.FileInfo, error)
	// Lstat describes a file, or the symbolic link that has its name.
	Lstat(path string) (fs.FileInfo, error)
	// Rename gives a file a new path and replaces the file that was there. It is durable after
	// SyncDir.
	Rename(oldPath, newPath string) error
	// Remove removes a file. It is durable after SyncDir.
	Remove(path string) error
	// ReadDir returns the entries of a directory, sorted by name.
	ReadDir(path string) ([]fs.DirEntry, error)
	// Mkdir durably creates a directory with mode 0700, unless it exists.
	Mkdir(path string) error
	// SyncDir makes the creation, renaming and removal of files in a directory durable.
	SyncDir(path string) error
	// FreeSpace returns the number of bytes that a user without privileges may still write to the
	// disk of a directory. known is false if the system does not tell.
	FreeSpace(path string) (free int64, known bool)
	// DiskSize returns the number of bytes of the file system of a directory, used and free. known
	// is false if the system does not tell.
	DiskSize(path string) (size int64, known bool)
	// FollowLink returns the path of the file that a symbolic link leads to, and opens the
	// directory of that file as well. The file need not exist, but its directory must; it is on a
	// disk that is not mounted otherwise. A path that is no link is returned unchanged.
	FollowLink(path string) (string, error)
	// Hold opens a directory in this one, so that later operations in it go through its own handle.
	// It must be called before other goroutines use the FS.
	Hold(path string) error
	// Verify returns an error if a path no longer leads to the directory that was opened with it:
	// by OpenDirectory, FollowLink or Hold. It also does if a symbolic link leads elsewhere than
	// when FollowLink followed it.
	Verify() error
	// Close closes the directory. Files that were opened stay open.
	Close() error
}

// File is an open file. WriteAt does not keep the slice that it is given.
type File interface {
	io.WriterAt
	io.Closer
	// Allocate gives an empty file a size and the blocks for it, without writing them: they read as
	// zeros. The Datasync after the first write to such a block also writes metadata. A system
	// without this returns an error that matches errors.ErrUnsupported, and file systems return
	// others. The file is then empty, or has some blocks.
	Allocate(size int64) error
	// Datasync makes all earlier writes durable, together with the metadata that reading them
	// needs, such as the file's size. After an error, the state of all writes since the last
	// successful Datasync is unknown.
	Datasync() error
}

// OS is the operating system.
type OS struct{}

func (OS) OpenDirectory(path string) (FS, error)  { return openDirectory(path) }
func (OS) MkdirAll(path string) ([]string, error) { return mkdirAll(path) }
func (OS) RemoveDir(path string) error            { return os.Remove(path) }

func (OS) SyncDir(path string) error {
	return syncDir(func() (*os.File, error) { return os.Open(path) })
}

// mkdirAll is os.MkdirAll that also makes each directory durable that it creates.
func mkdirAll(path string) (made []string, err error) {
	if info, err := os.Stat(path); err == nil {
		if !info.IsDir() {
			return nil, &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
		}
		return nil, nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if made, err = mkdirAll(parent); err != nil {
			return made, err
		}
	}
	if err := os.Mkdir(path, 0o700); err == nil {
		made = append([]string{path}, made...)
		giveDirectoryToParentOwner(path)
	} else if !errors.Is(err, fs.ErrExist) {
		return made, err
	}
	return made, OS{}.SyncDir(parent)
}

// giveDirectoryToParentOwner is giveEmptyDirectory for a directory that mkdirAll has just created.
func giveDirectoryToParentOwner(path string) {
	parent, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return
	}
	if dir, err := os.OpenFile(path, os.O_RDONLY|onlyDirectory, 0); err == nil {
		giveEmptyDirectory(dir, parent)
		_ = dir.Close()
	}
}

type osFile struct{ *os.File }

func (f osFile) Allocate(size int64) error {
	if err := allocate(f.File, size); err != nil {
		return &fs.PathError{Op: "allocate", Path: f.Name(), Err: err}
	}
	return nil
}

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
func SyncAncestors(system System, path string) error {
	path, err := filepath.Abs(path)
	for parent := filepath.Dir(path); err == nil && parent != path; parent = filepath.Dir(path) {
		path, err = parent, system.SyncDir(parent)
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
