// SPDX-License-Identifier: Apache-2.0

// Package faultfs injects errors into a disk.FS, for tests. An [FS] calls a hook before each
// operation, and so does a [System], whose directories share its hook. If the hook returns an
// error, the operation is not done and fails with that error. A hook that only counts or records
// operations returns nil.
//
//	fsys := faultfs.NewSystem(disk.OS{})
//	... // open a daybook on fsys
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
	Verify  = "verify"
)

// ErrInjected is an error that only hooks return.
var ErrInjected = errors.New("faultfs: injected error")

// ErrDiskFull is the operating system's error of a full disk.
var ErrDiskFull = disk.NoSpaceErrors()[0]

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

// FS is a disk.FS that calls a hook before each operation that can change something or reads
// content. Any number of goroutines may call its methods; each calls the hook itself, so the hook
// must be safe for that.
type FS struct {
	disk.FS // the FS under this one
	*hook
}

// System is a disk.System that calls a hook before each operation, also before those of the
// directories that it opens.
type System struct {
	base disk.System
	*hook
}

// New returns an FS on top of base, without a hook.
func New(base disk.FS) *FS { return &FS{base, new(hook)} }

// NewSystem returns a System on top of base, without a hook.
func NewSystem(base disk.System) *System { return &System{base, new(hook)} }

type hook struct {
	fn atomic.Pointer[func(Op) error]
}

// SetHook replaces the hook, also for files that are already open. nil removes it.
func (h *hook) SetHook(before func(Op) error) {
	if before == nil {
		h.fn.Store(nil)
		return
	}
	h.fn.Store(&before)
}

func (h *hook) before(op Op) error {
	if fn := h.fn.Load(); fn != nil {
		return (*fn)(op)
	}
	return nil
}

func (s *System) OpenDirectory(path string) (disk.FS, error) {
	opened, err := s.base.OpenDirectory(path)
	if err != nil {
		return nil, err
	}
	return &FS{opened, s.hook}, nil
}

func (s *System) MkdirAll(path string) (made []string, err error) {
	if err := s.before(Op{Name: Mkdir, Path: path}); err != nil {
		return nil, err
	}
	return s.base.MkdirAll(path)
}

func (s *System) RemoveDir(path string) error {
	if err := s.before(Op{Name: Remove, Path: path}); err != nil {
		return err
	}
	return s.base.RemoveDir(path)
}

func (s *System) SyncDir(path string) error {
	if err := s.before(Op{Name: SyncDir, Path: path}); err != nil {
		return err
	}
	return s.base.SyncDir(path)
}

func (f *FS) Create(path string) (disk.File, error) {
	return f.wrap(Op{Name: Create, Path: path}, f.FS.Create)
}

func (f *FS) Open(path string) (disk.File, error) {
	return f.wrap(Op{Name: Open, Path: path}, f.FS.Open)
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
	return f.FS.ReadFile(path)
}

func (f *FS) ReadStart(path string, n int) (start []byte, size int64, err error) {
	if err := f.before(Op{Name: Read, Path: path}); err != nil {
		return nil, 0, err
	}
	return f.FS.ReadStart(path, n)
}

func (f *FS) Rename(oldPath, newPath string) error {
	if err := f.before(Op{Name: Rename, Path: oldPath, NewPath: newPath}); err != nil {
		return err
	}
	return f.FS.Rename(oldPath, newPath)
}

func (f *FS) Remove(path string) error {
	if err := f.before(Op{Name: Remove, Path: path}); err != nil {
		return err
	}
	return f.FS.Remove(path)
}

func (f *FS) ReadDir(path string) ([]fs.DirEntry, error) {
	if err := f.before(Op{Name: ReadDir, Path: path}); err != nil {
		return nil, err
	}
	return f.FS.ReadDir(path)
}

func (f *FS) Mkdir(path string) error {
	if err := f.before(Op{Name: Mkdir, Path: path}); err != nil {
		return err
	}
	return f.FS.Mkdir(path)
}

func (f *FS) SyncDir(path string) error {
	if err := f.before(Op{Name: SyncDir, Path: path}); err != nil {
		return err
	}
	return f.FS.SyncDir(path)
}

func (f *FS) Verify() error {
	if err := f.before(Op{Name: Verify}); err != nil {
		return err
	}
	return f.FS.Verify()
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

// Allocate writes zeros: hooks know all bytes of a file from its writes.
func (f *file) Allocate(size int64) error { return disk.WriteZeros(f, size) }

func (f *file) Datasync() error {
	if err := f.fs.before(Op{Name: Sync, Path: f.path}); err != nil {
		return err
	}
	return f.File.Datasync()
}
