// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math/rand/v2"
	"sync"
)

// reserveSize is enough for the pages that the smallest transaction of a prune writes, in bytes.
const reserveSize = 1 << 20

// reserve is a file that takes up space, and nothing else. On a full disk it is removed, so that
// Cleanup, which has to write in order to delete, has some.
type reserve struct {
	dir directory

	mu    sync.Mutex // guards taken
	taken bool       // the file has its full size
}

// find looks for the file, and changes nothing.
func (r *reserve) find() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findLocked()
}

func (r *reserve) findLocked() (found bool) {
	_, size, err := r.dir.fs.ReadStart(r.dir.file(reserveName), 0)
	r.taken = err == nil && size == reserveSize
	return r.taken
}

// take writes the file if it is missing. On a full disk it cannot; the next prune tries again.
func (r *reserve) take() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken || r.findLocked() {
		return
	}
	_ = r.dir.remove(reserveName) // a crash may have left a short one
	file, err := r.dir.fs.Create(r.dir.file(reserveName))
	if err != nil {
		return
	}
	_, err = file.WriteAt(noise(), 0)
	if err == nil {
		err = file.Datasync()
	}
	_ = file.Close()
	if r.taken = err == nil; !r.taken {
		_ = r.dir.remove(reserveName)
	}
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
	released := r.taken && r.dir.fs.Remove(r.dir.file(reserveName)) == nil
	r.taken = r.taken && !released
	return released
}

// remove removes the file, complete or not.
func (r *reserve) remove() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dir.remove(reserveName) == nil {
		r.taken = false
	}
}

// size returns the space that the file takes up, in bytes.
func (r *reserve) size() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken {
		return reserveSize
	}
	return 0
}
