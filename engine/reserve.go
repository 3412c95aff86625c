// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math/rand/v2"
	"path/filepath"
	"sync"

	"github.com/daybook-db/daybook/engine/internal/disk"
)

const (
	reserveName = "reserve"
	// reserveSize is enough for the pages that the smallest transaction of a prune rewrites, in bytes.
	reserveSize = 1 << 20
)

// reserve is a file that does nothing but take up space, so that there is some to give back when the disk
// is full and Cleanup has to write in order to delete.
type reserve struct {
	path string
	fs   disk.FS

	mu    sync.Mutex
	taken bool
}

func newReserve(dir string, fsys disk.FS) *reserve {
	return &reserve{path: filepath.Join(dir, reserveName), fs: fsys}
}

// find looks whether the space is taken, and changes nothing.
func (r *reserve) find() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findLocked()
}

func (r *reserve) findLocked() bool {
	_, size, err := r.fs.ReadStart(r.path, 0)
	r.taken = err == nil && size == reserveSize
	return r.taken
}

// take takes up the space, if it is not taken yet. On a full disk it cannot, and is tried again after the
// next prune.
func (r *reserve) take() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken || r.findLocked() {
		return
	}
	_ = r.fs.Remove(r.path) // one that a crash left short
	file, err := r.fs.Create(r.path)
	if err != nil {
		return
	}
	_, err = file.WriteAt(noise(), 0)
	if err == nil {
		err = file.Datasync()
	}
	_ = file.Close()
	if r.taken = err == nil; !r.taken {
		_ = r.fs.Remove(r.path)
	}
}

// noise is what fills the reserve: a file system that compresses would give zeros no space.
func noise() []byte {
	data := make([]byte, reserveSize)
	rand.NewChaCha8([32]byte{}).Read(data)
	return data
}

// release gives the space back, and reports whether there was any.
func (r *reserve) release() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	released := r.taken && r.fs.Remove(r.path) == nil
	r.taken = r.taken && !released
	return released
}

// size is the space it takes up, in bytes.
func (r *reserve) size() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken {
		return reserveSize
	}
	return 0
}
