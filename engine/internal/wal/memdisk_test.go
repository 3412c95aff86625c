// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daybook-db/daybook/engine/internal/disk"
)

const sectorSize = 512

// memDisk has the methods of a disk.FS that the log uses, in memory. It simulates power cuts. After
// a power cut, each sector has its bytes from the last sync, or the bytes of any write after that.
// A directory has its entries from the last sync, or the entries after any change since then.
type memDisk struct {
	disk.FS // nil

	mu      sync.Mutex // guards all fields, and the files
	cached  map[string]*memFile
	durable map[string]*memFile
	changes []map[string]*memFile // the entries after each change since the last SyncDir
	written func(*memFile)        // is called after each write to a file, with mu locked; nil: nothing is

	cannotAllocate bool // as a file system without fallocate
}

// memFile is a file. It stays the same memFile when it is renamed.
type memFile struct {
	cached  []byte
	durable []byte
	writes  []memWrite // since the last sync
}

// memWrite is one WriteAt.
type memWrite struct {
	offset int64
	data   []byte
}

func newMemDisk() *memDisk {
	return &memDisk{cached: make(map[string]*memFile), durable: make(map[string]*memFile)}
}

// cutPower loses some of the changes that were not synced. choose returns a number from 0 to n-1.
func (d *memDisk) cutPower(choose func(n int) int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if kept := choose(len(d.changes) + 1); kept > 0 {
		d.durable = d.changes[kept-1]
	}
	for _, path := range slices.Sorted(maps.Keys(d.durable)) {
		d.durable[path].cutPower(choose)
	}
	d.cached, d.changes = maps.Clone(d.durable), nil
}

func (f *memFile) cutPower(choose func(n int) int) {
	size := len(f.durable)
	if choose(2) == 1 {
		size = len(f.cached)
	}
	left := make([]byte, size)
	copy(left, f.durable)
	for start := 0; start < size; start += sectorSize {
		touching := f.touching(start)
		if len(touching) == 0 {
			continue
		}
		for _, w := range touching[:choose(len(touching)+1)] {
			w.apply(left[start:min(start+sectorSize, size)], int64(start))
		}
	}
	f.cached, f.durable, f.writes = left, slices.Clone(left), nil
}

// touching returns the writes to the sector at start.
func (f *memFile) touching(start int) (touching []memWrite) {
	for _, w := range f.writes {
		if w.offset < int64(start+sectorSize) && w.offset+int64(len(w.data)) > int64(start) {
			touching = append(touching, w)
		}
	}
	return touching
}

// apply copies the bytes of the write that are in the sector, which begins at start.
func (w memWrite) apply(sector []byte, start int64) {
	data, at := w.data, w.offset-start
	if at < 0 {
		data, at = data[-at:], 0
	}
	if at < int64(len(sector)) {
		copy(sector[at:], data)
	}
}

// changedLocked records a change of the directory.
func (d *memDisk) changedLocked() { d.changes = append(d.changes, maps.Clone(d.cached)) }

func (d *memDisk) lookUpLocked(op, path string) (*memFile, error) {
	if f := d.cached[path]; f != nil {
		return f, nil
	}
	return nil, &fs.PathError{Op: op, Path: path, Err: fs.ErrNotExist}
}

func (d *memDisk) Create(path string) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cached[path] != nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	f := &memFile{}
	d.cached[path] = f
	d.changedLocked()
	return &memHandle{d, f}, nil
}

func (d *memDisk) Open(path string) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, err := d.lookUpLocked("open", path)
	return &memHandle{d, f}, err
}

func (d *memDisk) ReadFile(path string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, err := d.lookUpLocked("read", path)
	if err != nil {
		return nil, err
	}
	return slices.Clone(f.cached), nil
}

func (d *memDisk) ReadStart(path string, n int) (start []byte, size int64, err error) {
	data, err := d.ReadFile(path)
	return data[:min(n, len(data))], int64(len(data)), err
}

func (d *memDisk) Rename(oldPath, newPath string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, err := d.lookUpLocked("rename", oldPath)
	if err != nil {
		return err
	}
	delete(d.cached, oldPath)
	d.cached[newPath] = f
	d.changedLocked()
	return nil
}

func (d *memDisk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.lookUpLocked("remove", path); err != nil {
		return err
	}
	delete(d.cached, path)
	d.changedLocked()
	return nil
}

func (d *memDisk) ReadDir(dir string) (entries []fs.DirEntry, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, path := range slices.Sorted(maps.Keys(d.cached)) {
		if strings.HasPrefix(path, dir+string(filepath.Separator)) {
			info := memInfo{filepath.Base(path), int64(len(d.cached[path].cached))}
			entries = append(entries, fs.FileInfoToDirEntry(info))
		}
	}
	return entries, nil
}

func (d *memDisk) Verify() error { return nil }

func (d *memDisk) Mkdir(string) error { return nil }

func (d *memDisk) SyncDir(string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.durable, d.changes = maps.Clone(d.cached), nil
	return nil
}

// memHandle is an open file.
type memHandle struct {
	disk *memDisk
	file *memFile
}

func (h *memHandle) WriteAt(data []byte, offset int64) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	f := h.file
	if end := int(offset) + len(data); end > len(f.cached) {
		f.cached = append(f.cached, make([]byte, end-len(f.cached))...)
	}
	copy(f.cached[offset:], data)
	f.writes = append(f.writes, memWrite{offset, slices.Clone(data)})
	if h.disk.written != nil {
		h.disk.written(f)
	}
	return len(data), nil
}

func (h *memHandle) Allocate(size int64) error {
	if h.disk.cannotAllocate {
		return errors.New("invalid argument")
	}
	return disk.WriteZeros(h, size)
}

func (h *memHandle) Datasync() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	h.file.durable, h.file.writes = slices.Clone(h.file.cached), nil
	return nil
}

func (h *memHandle) Close() error { return nil }

// memInfo is the fs.FileInfo of a file.
type memInfo struct {
	name string
	size int64
}

func (i memInfo) Name() string     { return i.name }
func (i memInfo) Size() int64      { return i.size }
func (memInfo) Mode() fs.FileMode  { return 0o600 }
func (memInfo) ModTime() time.Time { return time.Time{} }
func (memInfo) IsDir() bool        { return false }
func (memInfo) Sys() any           { return nil }
