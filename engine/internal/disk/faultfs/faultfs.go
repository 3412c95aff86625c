// SPDX-License-Identifier: Apache-2.0

// Package faultfs injects errors into a disk.FS, for tests. An [FS] calls a hook before each
// operation. If the hook returns an error, the operation is not done and fails with that error. A
// hook that only counts or records operations returns nil.
//
//	fsys := faultfs.New(disk.OS{})
//	... // open a log or a tree on fsys
//	fsys.SetHook(func(op faultfs.Op) error {
//		if op.Name == faultfs.Sync && strings.HasSuffix(op.Path, ".log") {
//			return faultfs.ErrInjected
//		}
//		return nil
//	})
package faultfs

import (
	"errors"
	"io/fs"
	"sync/atomic"

	"github.com/daybook-db/daybook/engine/internal/disk"
)

// The names of operations, for Op.Name.
const (
	Create  = "create"
	Open    = "open"
	Read    = "read" // ReadFile and ReadStart
	Write   = "write"
	Sync    = "sync" // Datasync
	Rename  = "rename"
	Remove  = "remove"
	ReadDir = "readdir"
	Mkdir   = "mkdir"
	SyncDir = "syncdir"
)

// ErrInjected is an error that only hooks return.
var ErrInjected = errors.New("faultfs: injected error")

// Op describes one operation to the hook, before it is done.
type Op struct {
	Name    string
	Path    string
	NewPath string // of a Rename
	Offset  int64  // of a Write
	Data    []byte // of a Write; valid during the call; the hook must not change it
}

// PartialError makes a write fail with Err after its first Written bytes have been written. For
// other operations it is the same as Err.
type PartialError struct {
	Written int
	Err     error
}

func (e *PartialError) Error() string { return e.Err.Error() }
func (e *PartialError) Unwrap() error { return e.Err }

// FS is a disk.FS that calls a hook before each operation. Any number of goroutines may call its
// methods; each calls the hook itself, so the hook must be safe for that.
type FS struct {
	base disk.FS
	hook atomic.Pointer[func(Op) error]
}

// New returns an FS on top of base, without a hook.
func New(base disk.FS) *FS { return &FS{base: base} }

// SetHook replaces the hook, also for files that are already open. nil removes it.
func (f *FS) SetHook(before func(Op) error) {
	if before == nil {
		f.hook.Store(nil)
		return
	}
	f.hook.Store(&before)
}

func (f *FS) before(op Op) error {
	if hook := f.hook.Load(); hook != nil {
		return (*hook)(op)
	}
	return nil
}

func (f *FS) Create(path string) (disk.File, error) {
	return f.wrap(Op{Name: Create, Path: path}, f.base.Create)
}

func (f *FS) Open(path string) (disk.File, error) {
	return f.wrap(Op{Name: Open, Path: path}, f.base.Open)
}

func (f *FS) wrap(op Op, open func(path string) (disk.File, error)) (disk.File, error) {
	if err := f.before(op); err != nil {
		return nil, err
	}
	opened, err := open(op.Path)
	if err != nil {
		return nil, err
	}
	return &file{File: opened, fs: f, path: op.Path}, nil
}

func (f *FS) ReadFile(path string) ([]byte, error) {
	if err := f.before(Op{Name: Read, Path: path}); err != nil {
		return nil, err
	}
	return f.base.ReadFile(path)
}

func (f *FS) ReadStart(path string, n int) (start []byte, size int64, err error) {
	if err := f.before(Op{Name: Read, Path: path}); err != nil {
		return nil, 0, err
	}
	return f.base.ReadStart(path, n)
}

func (f *FS) Rename(oldPath, newPath string) error {
	if err := f.before(Op{Name: Rename, Path: oldPath, NewPath: newPath}); err != nil {
		return err
	}
	return f.base.Rename(oldPath, newPath)
}

func (f *FS) Remove(path string) error {
	if err := f.before(Op{Name: Remove, Path: path}); err != nil {
		return err
	}
	return f.base.Remove(path)
}

func (f *FS) ReadDir(path string) ([]fs.DirEntry, error) {
	if err := f.before(Op{Name: ReadDir, Path: path}); err != nil {
		return nil, err
	}
	return f.base.ReadDir(path)
}

func (f *FS) MkdirAll(path string) error {
	if err := f.before(Op{Name: Mkdir, Path: path}); err != nil {
		return err
	}
	return f.base.MkdirAll(path)
}

func (f *FS) SyncDir(path string) error {
	if err := f.before(Op{Name: SyncDir, Path: path}); err != nil {
		return err
	}
	return f.base.SyncDir(path)
}

type file struct {
	disk.File
	fs   *FS
	path string
}

func (f *file) WriteAt(data []byte, offset int64) (int, error) {
	err := f.fs.before(Op{Name: Write, Path: f.path, Offset: offset, Data: data})
	if err == nil {
		return f.File.WriteAt(data, offset)
	}
	written := 0
	if partial := (*PartialError)(nil); errors.As(err, &partial) {
		written = min(partial.Written, len(data))
		if n, writeErr := f.File.WriteAt(data[:written], offset); writeErr != nil {
			return n, writeErr
		}
	}
	return written, err
}

func (f *file) Datasync() error {
	if err := f.fs.before(Op{Name: Sync, Path: f.path}); err != nil {
		return err
	}
	return f.File.Datasync()
}
