// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package fusedisk

import (
	"maps"
	"slices"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/daybook-db/daybook/proof/journal"
)

// server answers the requests of the kernel. It refuses those that it has no method for.
type server struct {
	fuse.RawFileSystem
	*state

	listingsMu sync.Mutex                 // guards the fields below
	listings   map[uint64][]fuse.DirEntry // of open directories, by handle
	lastHandle uint64
}

func newServer(s *state) *server {
	return &server{
		RawFileSystem: fuse.NewDefaultRawFileSystem(), state: s, listings: make(map[uint64][]fuse.DirEntry),
	}
}

func (*server) String() string { return "fusedisk" }

// fillAttributes describes an inode to the kernel. The kernel must not cache the attributes,
// because it has to ask again after a failed write.
func fillAttributes(n *inode, attr *fuse.Attr) {
	size := uint64(len(n.data))
	*attr = fuse.Attr{Ino: n.number, Size: size, Blocks: (size + 511) / 512, Mode: mode(n), Nlink: 1, Blksize: 4096}
	if n.unlinked {
		attr.Nlink = 0
	}
}

func mode(n *inode) uint32 {
	if n.isDir() {
		return syscall.S_IFDIR | 0o700
	}
	return syscall.S_IFREG | 0o600
}

func fillEntry(n *inode, out *fuse.EntryOut) {
	out.NodeId = n.number
	fillAttributes(n, &out.Attr)
}

func (s *server) Lookup(_ <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, n, errno := s.findLocked(header.NodeId, name)
	if errno == 0 {
		n.lookups++
		fillEntry(n, out)
	}
	return fuse.Status(errno)
}

func (s *server) Forget(number, lookups uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.inodes[number]; n != nil {
		s.forgetLocked(n, lookups)
	}
}

func (s *server) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.inodes[in.NodeId]
	if n == nil {
		return fuse.Status(syscall.ESTALE)
	}
	fillAttributes(n, &out.Attr)
	return fuse.OK
}

// SetAttr sets the size. It ignores the other attributes, which this file system does not have.
func (s *server) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.inodes[in.NodeId]
	if n == nil {
		return fuse.Status(syscall.ESTALE)
	}
	if size, ok := in.GetSize(); ok {
		if errno := s.truncateLocked(n, int64(size)); errno != 0 {
			return fuse.Status(errno)
		}
	}
	fillAttributes(n, &out.Attr)
	return fuse.OK
}

func (s *server) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	n, errno := s.create(journal.Create, in.NodeId, name)
	if errno == 0 {
		s.describeNew(n, &out.EntryOut)
		out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	}
	return fuse.Status(errno)
}

func (s *server) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	n, errno := s.create(journal.Mkdir, in.NodeId, name)
	if errno == 0 {
		s.describeNew(n, out)
	}
	return fuse.Status(errno)
}

func (s *server) describeNew(n *inode, out *fuse.EntryOut) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fillEntry(n, out)
}

func (s *server) Unlink(_ <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	return fuse.Status(s.remove(journal.Unlink, header.NodeId, name))
}

func (s *server) Rmdir(_ <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	return fuse.Status(s.remove(journal.Rmdir, header.NodeId, name))
}

func (s *server) Rename(_ <-chan struct{}, in *fuse.RenameIn, name, newName string) fuse.Status {
	if in.Flags != 0 {
		return fuse.EINVAL
	}
	return fuse.Status(s.rename(in.NodeId, in.Newdir, name, newName))
}

// Open lets the kernel keep its cache of the file, because only this mount changes the file, and
// because a mapping must stay coherent.
func (s *server) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.inodes[in.NodeId]
	if n == nil {
		return fuse.Status(syscall.ESTALE)
	}
	if fault := s.failLocked(journal.Open, n.path()); fault != nil {
		return fuse.Status(fault.Errno)
	}
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

func (s *server) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.inodes[in.NodeId]
	if n == nil {
		return nil, fuse.Status(syscall.ESTALE)
	}
	if fault := s.failLocked(journal.Read, n.path()); fault != nil {
		return nil, fuse.Status(fault.Errno)
	}
	read := 0
	if in.Offset < uint64(len(n.data)) {
		read = copy(buf, n.data[in.Offset:])
	}
	return fuse.ReadResultData(buf[:read]), fuse.OK
}

func (s *server) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	written, errno := s.write(in.NodeId, int64(in.Offset), data)
	return uint32(written), fuse.Status(errno)
}

// Fallocate lengthens a file. In the journal it is a write of zeros, of which a power cut may lose
// any part: the file is then as short, or has the zeros that it would have had.
func (s *server) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	if in.Mode != 0 {
		return fuse.Status(syscall.EOPNOTSUPP)
	}
	return fuse.Status(s.lengthen(in.NodeId, int64(in.Offset+in.Length)))
}

func (s *server) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return fuse.Status(s.sync(journal.Sync, in.NodeId))
}

func (s *server) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return fuse.Status(s.sync(journal.SyncDir, in.NodeId))
}

// Flush is called when a file is closed. It makes nothing durable.
func (s *server) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.ENOSYS }

// OpenDir takes a list of the directory's entries, so that reading it in pieces sees one state.
func (s *server) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := s.inodes[in.NodeId]
	if dir == nil {
		return fuse.Status(syscall.ESTALE)
	}
	var listing []fuse.DirEntry
	for i, name := range slices.Sorted(maps.Keys(dir.entries)) {
		child := dir.entries[name]
		listing = append(listing, fuse.DirEntry{Name: name, Ino: child.number, Mode: mode(child), Off: uint64(i + 1)})
	}
	s.listingsMu.Lock()
	defer s.listingsMu.Unlock()
	s.lastHandle++
	s.listings[s.lastHandle] = listing
	out.Fh = s.lastHandle
	return fuse.OK
}

func (s *server) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	s.listingsMu.Lock()
	defer s.listingsMu.Unlock()
	listing := s.listings[in.Fh]
	for _, e := range listing[min(in.Offset, uint64(len(listing))):] {
		if !out.AddDirEntry(e) {
			break
		}
	}
	return fuse.OK
}

func (s *server) ReleaseDir(in *fuse.ReleaseIn) {
	s.listingsMu.Lock()
	defer s.listingsMu.Unlock()
	delete(s.listings, in.Fh)
}

func (s *server) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	const block = 4096
	total := s.capacity
	if total == 0 {
		total = 1 << 40
	}
	free := uint64(max(0, total-s.used)) / block
	*out = fuse.StatfsOut{
		Blocks: uint64(total) / block, Bfree: free, Bavail: free, Bsize: block, Frsize: block, NameLen: 255,
	}
	return fuse.OK
}
