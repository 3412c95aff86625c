// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"io/fs"
	"sync"

	"github.com/daybook-db/daybook/engine/internal/disk"
)

// files is the directory of an open log, in which nothing else creates, renames or removes files.
// It counts each file from before it is created until after it is removed, whatever the file is
// for. So its size is never less than what the files take up.
type files struct {
	disk.FS

	mu    sync.Mutex // guards the fields below
	sizes map[string]int64
	total int64
}

func newFiles(fsys disk.FS) *files { return &files{FS: fsys, sizes: make(map[string]int64)} }

// Create creates a file that will have a size.
func (f *files) Create(path string, size int64) (disk.File, error) {
	f.set(path, size)
	file, err := f.FS.Create(path)
	if err != nil {
		f.measure(path)
	}
	return file, err
}

// Rename renames a file.
func (f *files) Rename(from, to string) error {
	err := f.FS.Rename(from, to)
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.total -= f.sizes[to]
		f.sizes[to] = f.sizes[from]
		delete(f.sizes, from)
	}
	return err
}

// Remove removes a file.
func (f *files) Remove(path string) error {
	err := f.FS.Remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		f.set(path, 0)
	} else { // it may be shorter than was meant
		f.measure(path)
	}
	return err
}

// measure counts a file with the size that it has on the disk.
func (f *files) measure(path string) {
	_, size, err := f.ReadStart(path, 0)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		f.set(path, size)
	}
}

func (f *files) set(path string, size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total += size - f.sizes[path]
	if f.sizes[path] = size; size == 0 {
		delete(f.sizes, path)
	}
}

// size returns the total size of the files, in bytes.
func (f *files) size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.total
}
