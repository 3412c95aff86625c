// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math/rand/v2"
	"sync"

	"github.com/daybook-db/daybook/engine/internal/disk"
)

// reserveSize is the size of the reserve, in bytes. On a full disk the log may have got a part of
// it. minReserveSize is enough for the pages that the smallest transaction of a prune writes.
const (
	reserveSize    = 1 << 20
	minReserveSize = reserveSize - firstSegmentSize
)

// reserve is a file that takes up space, and nothing else. On a full disk it is removed, so that
// Cleanup, which has to write in order to delete, has some.
type reserve struct {
	dir directory

	mu    sync.Mutex // guards taken
	taken int64      // size of the file; 0: there is none, or it is too short
}

// find looks for the file, and changes nothing.
func (r *reserve) find() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findLocked()
}

func (r *reserve) findLocked() {
	_, size, err := r.dir.fs.ReadStart(r.dir.file(reserveName), 0)
	if r.taken = 0; err == nil && minReserveSize <= size && size <= reserveSize {
		r.taken = size
	}
}

// take writes the file, or what is missing of it. On a full disk it may get less, or nothing; the
// next prune tries again.
func (r *reserve) take() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken == 0 {
		r.findLocked()
	}
	if r.taken == reserveSize {
		return
	}
	file, err := r.openLocked()
	if err != nil {
		return
	}
	_, _ = file.WriteAt(noise()[r.taken:], r.taken) // it stays as long as it gets
	err = file.Datasync()
	_ = file.Close()
	if r.findLocked(); err != nil || r.taken == 0 {
		r.taken = 0
		_ = r.dir.remove(reserveName)
	}
}

func (r *reserve) openLocked() (disk.File, error) {
	if r.taken > 0 {
		return r.dir.fs.Open(r.dir.file(reserveName))
	}
	_ = r.dir.remove(reserveName) // a crash may have left a short one
	return r.dir.fs.Create(r.dir.file(reserveName))
}

// noise returns the content of the reserve. A file system that compresses would give zeros no
// space.
func noise() []byte {
	data := make([]byte, reserveSize)
	rand.NewChaCha8([32]byte{}).Read(data)
	return data
}

// release removes the file, and reports whether that freed its space.
func (r *reserve) release() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken == 0 || r.dir.fs.Remove(r.dir.file(reserveName)) != nil {
		return false
	}
	r.taken = 0
	return true
}

// remove removes the file, complete or not.
func (r *reserve) remove() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dir.remove(reserveName) == nil {
		r.taken = 0
	}
}

// size returns the space that the file takes up, in bytes.
func (r *reserve) size() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.taken
}
