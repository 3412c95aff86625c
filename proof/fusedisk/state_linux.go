// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package fusedisk

import (
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/daybook-db/daybook/proof/journal"
)

// state is the disk: its files, its journal and its faults. Every operation runs under mu, so the
// journal has the operations in the order in which they were done.
type state struct {
	mu       sync.Mutex // guards all fields
	root     *inode
	inodes   map[uint64]*inode
	last     uint64 // number of the newest inode; no number is used twice, so the kernel cannot confuse inodes
	journal  []journal.Op
	faults   []countedFault
	released chan struct{} // closed when the faults are replaced
	capacity int64         // bytes of all files; 0: no limit
	used     int64         // bytes of all files
	delay    time.Duration // each sync takes a random time below this
}

func newState() *state {
	s := &state{last: journal.Root, released: make(chan struct{})}
	s.load(journal.Image{})
	return s
}

// load replaces the content of the disk by an image, and removes the journal and the faults. It
// returns the length of the new journal, whose operations make the image durable.
func (s *state) load(image journal.Image) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.root = &inode{number: journal.Root, entries: make(map[string]*inode)}
	s.inodes = map[uint64]*inode{journal.Root: s.root}
	s.journal, s.faults, s.used = nil, nil, 0
	s.root.addImage(image, func(n *inode) {
		s.addLocked(n)
		kind := journal.Create
		if n.isDir() {
			kind = journal.Mkdir
		}
		s.recordLocked(kind, n, journal.Op{Parent: n.parent.number, Name: n.name})
		if len(n.data) > 0 {
			s.recordLocked(journal.Write, n, journal.Op{Data: slices.Clone(n.data)})
			s.used += int64(len(n.data))
		}
	})
	for _, number := range slices.Sorted(maps.Keys(s.inodes)) {
		kind := journal.Sync
		if s.inodes[number].isDir() {
			kind = journal.SyncDir
		}
		s.recordLocked(kind, s.inodes[number], journal.Op{Began: len(s.journal)})
	}
	return len(s.journal)
}

func (s *state) addLocked(n *inode) {
	s.last++
	n.number = s.last
	s.inodes[n.number] = n
}

func (s *state) recordLocked(kind journal.OpKind, n *inode, op journal.Op) {
	op.Kind, op.Inode, op.Path = kind, n.number, n.path()
	s.journal = append(s.journal, op)
}

// failLocked counts an operation for all faults, and returns the first fault that fails it, or nil.
func (s *state) failLocked(kind journal.OpKind, paths ...string) *Fault {
	var found *Fault
	for i := range s.faults {
		if s.faults[i].meet(kind, paths) && found == nil {
			found = &s.faults[i].Fault
		}
	}
	return found
}

// findLocked returns a directory and the inode that has the name there.
func (s *state) findLocked(dir uint64, name string) (parent, child *inode, errno syscall.Errno) {
	parent = s.inodes[dir]
	if parent == nil {
		return nil, nil, syscall.ESTALE
	}
	if !parent.isDir() {
		return nil, nil, syscall.ENOTDIR
	}
	if child = parent.entries[name]; child == nil {
		return parent, nil, syscall.ENOENT
	}
	return parent, child, 0
}

// create makes a file or a directory.
func (s *state) create(kind journal.OpKind, dir uint64, name string) (*inode, syscall.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parent, _, errno := s.findLocked(dir, name)
	if errno != syscall.ENOENT {
		if errno == 0 {
			errno = syscall.EEXIST
		}
		return nil, errno
	}
	n := &inode{parent: parent, name: name}
	if kind == journal.Mkdir {
		n.entries = make(map[string]*inode)
	}
	op := journal.Op{Parent: dir, Name: name}
	if fault := s.failLocked(kind, n.path()); fault != nil {
		op.Errno = fault.Errno
		s.recordLocked(kind, n, op)
		return nil, fault.Errno
	}
	s.addLocked(n)
	n.lookups++
	parent.entries[name] = n
	s.recordLocked(kind, n, op)
	return n, 0
}

// remove does an Unlink or an Rmdir.
func (s *state) remove(kind journal.OpKind, dir uint64, name string) syscall.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	parent, n, errno := s.findLocked(dir, name)
	switch {
	case errno != 0:
		return errno
	case kind == journal.Rmdir && !n.isDir():
		return syscall.ENOTDIR
	case kind == journal.Unlink && n.isDir():
		return syscall.EISDIR
	case len(n.entries) > 0:
		return syscall.ENOTEMPTY
	}
	op := journal.Op{Parent: dir, Name: name}
	if fault := s.failLocked(kind, n.path()); fault != nil {
		op.Errno = fault.Errno
		s.recordLocked(kind, n, op)
		return fault.Errno
	}
	s.recordLocked(kind, n, op)
	delete(parent.entries, name)
	s.dropLocked(n)
	return 0
}

// dropLocked notes that an inode has lost its name. The inode stays until the kernel has forgotten
// it.
func (s *state) dropLocked(n *inode) {
	n.unlinked = true
	s.used -= int64(len(n.data))
	s.forgetLocked(n, 0)
}

// forgetLocked removes the kernel's references to an inode, and the inode if it has neither
// references nor a name.
func (s *state) forgetLocked(n *inode, lookups uint64) {
	n.lookups -= min(lookups, n.lookups)
	if n.unlinked && n.lookups == 0 {
		delete(s.inodes, n.number)
	}
}

func (s *state) rename(dir, newDir uint64, name, newName string) syscall.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	parent, n, errno := s.findLocked(dir, name)
	switch {
	case errno != 0:
		return errno
	case dir != newDir:
		return syscall.EXDEV
	case name == newName:
		return 0
	}
	replaced := parent.entries[newName]
	switch {
	case replaced != nil && replaced.isDir():
		return syscall.EISDIR
	case replaced != nil && n.isDir():
		return syscall.ENOTDIR
	}
	op := journal.Op{Parent: dir, Name: name, NewName: newName}
	if fault := s.failLocked(journal.Rename, n.path(), path.Join(parent.path(), newName)); fault != nil {
		op.Errno = fault.Errno
		s.recordLocked(journal.Rename, n, op)
		return fault.Errno
	}
	if replaced != nil {
		op.Replaced = replaced.number
		s.dropLocked(replaced)
	}
	s.recordLocked(journal.Rename, n, op)
	delete(parent.entries, name)
	parent.entries[newName] = n
	n.name = newName
	return 0
}

// write returns the number of bytes that it wrote.
func (s *state) write(number uint64, offset int64, data []byte) (int, syscall.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.inodes[number]
	if n == nil {
		return 0, syscall.ESTALE
	}
	op := journal.Op{Offset: offset}
	fits := s.fitsLocked(n, offset, len(data))
	if fits < len(data) {
		op.Errno = syscall.ENOSPC
	}
	short := true // a full disk makes a write short
	if fault := s.failLocked(journal.Write, n.path()); fault != nil {
		op.Errno, fits, short = fault.Errno, min(fault.Written, fits), fault.Short
	}
	op.Data = slices.Clone(data[:fits])
	before := len(n.data)
	if fits > 0 {
		n.write(offset, op.Data)
	}
	s.accountLocked(n, before)
	s.recordLocked(journal.Write, n, op)
	if op.Errno != 0 && !(short && fits > 0) {
		return 0, op.Errno
	}
	return fits, 0
}

// lengthen writes zeros from the end of a file on until it has a size.
func (s *state) lengthen(number uint64, size int64) syscall.Errno {
	for {
		length, errno := s.length(number)
		if errno != 0 || length >= size {
			return errno
		}
		if written, errno := s.write(number, length, make([]byte, min(size-length, MaxWrite))); errno != 0 {
			return errno
		} else if written == 0 {
			return syscall.ENOSPC
		}
	}
}

func (s *state) length(number uint64) (int64, syscall.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.inodes[number]; n != nil {
		return int64(len(n.data)), 0
	}
	return 0, syscall.ESTALE
}

// fitsLocked returns the number of bytes of a write that there is room for.
func (s *state) fitsLocked(n *inode, offset int64, length int) int {
	grows := offset + int64(length) - int64(len(n.data))
	if s.capacity == 0 || grows <= 0 {
		return length
	}
	return int(max(0, int64(length)-max(0, grows-max(0, s.capacity-s.used))))
}

// accountLocked updates the used bytes after the size of a file has changed.
func (s *state) accountLocked(n *inode, before int) {
	if !n.unlinked {
		s.used += int64(len(n.data) - before)
	}
}

func (s *state) truncateLocked(n *inode, size int64) syscall.Errno {
	op := journal.Op{Size: size}
	if s.capacity > 0 && size-int64(len(n.data)) > s.capacity-s.used {
		op.Errno = syscall.ENOSPC
	}
	if fault := s.failLocked(journal.Truncate, n.path()); fault != nil {
		op.Errno = fault.Errno
	}
	s.recordLocked(journal.Truncate, n, op)
	if op.Errno == 0 {
		before := len(n.data)
		n.resize(size)
		s.accountLocked(n, before)
	}
	return op.Errno
}

// sync does a Sync or a SyncDir.
func (s *state) sync(kind journal.OpKind, number uint64) syscall.Errno {
	s.mu.Lock()
	began := len(s.journal)
	n, delay := s.inodes[number], s.delay
	s.mu.Unlock()
	if n == nil {
		return syscall.ESTALE
	}
	if delay > 0 {
		time.Sleep(rand.N(delay))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	op := journal.Op{Began: began}
	if fault := s.failLocked(kind, n.path()); fault != nil && fault.Hold {
		released := s.released
		s.mu.Unlock()
		<-released
		s.mu.Lock()
	} else if fault != nil {
		op.Errno = fault.Errno
	}
	s.recordLocked(kind, n, op)
	return op.Errno
}
