// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"sync"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/engine/internal/wal"
)

// session is the small file that says whether the directory was closed. Open must not take a log
// whose files were removed for one that was closed, nor a tree that was replaced by an older copy
// of itself for the one that was closed. Neither shows it by itself.
//
// The file is written in place, when the log takes its next segment and in Close. A directory
// without the file, as earlier versions left it, is no error: then nothing is known.
type session struct {
	dir    directory
	found  sessionRecord // as Open found it
	length int64         // of the file, as Open found it
	state  sessionState
	// file is nil if no session is kept: it could not be created, or another program's has its
	// name. Only Open and Close set it, while nothing else uses the session.
	file disk.File

	mu     sync.Mutex // is held while the file is written to and synced; guards the fields below
	now    sessionRecord
	synced bool
	failed bool // the last sync
}

// sessionState says what Open found.
type sessionState int

const (
	sessionUnknown sessionState = iota // there is no file
	sessionForeign                     // a file of another program, which stays as it is
	sessionDamaged
	sessionFound
)

// sessionRecord is the content of the file.
type sessionRecord struct {
	closed  bool
	segment uint64 // that was begun last; 0: none, or it may have been released
	// sequence is the number up to which all values are in the tree or in the log; once the
	// directory is closed, in the tree.
	sequence  uint64
	changedAt uint64          // when the tree's file was last written to, once closed; 0: unknown
	origin    identity.Origin // of the values after sequence
}

// A record is encoded as follows, in big-endian order:
//
//	 0  magic      8 bytes, "DAYBKSES"
//	 8  version    uint32, 1
//	12  closed     uint32, 1 or 0
//	16  segment    uint64
//	24  sequence   uint64
//	32  changed at uint64
//	40  store, epoch, parent  16 bytes each
//	88  shared     uint64
//	96  checksum   uint32, CRC-32C of the bytes before it
const (
	sessionMagic   = "DAYBKSES"
	sessionVersion = 1
	sessionLen     = 100
)

func (r *sessionRecord) encode() []byte {
	data := binary.BigEndian.AppendUint32([]byte(sessionMagic), sessionVersion)
	closed := uint32(0)
	if r.closed {
		closed = 1
	}
	data = binary.BigEndian.AppendUint32(data, closed)
	for _, field := range []uint64{r.segment, r.sequence, r.changedAt} {
		data = binary.BigEndian.AppendUint64(data, field)
	}
	for _, id := range [][16]byte{r.origin.Store, r.origin.Epoch, r.origin.Parent} {
		data = append(data, id[:]...)
	}
	data = binary.BigEndian.AppendUint64(data, r.origin.Shared)
	return binary.BigEndian.AppendUint32(data, crc32.Checksum(data, codec.Castagnoli))
}

// decode reports whether data is a record.
func (r *sessionRecord) decode(data []byte) bool {
	if len(data) < sessionLen || string(data[:8]) != sessionMagic ||
		binary.BigEndian.Uint32(data[8:]) != sessionVersion ||
		binary.BigEndian.Uint32(data[96:]) != crc32.Checksum(data[:96], codec.Castagnoli) {
		return false
	}
	*r = sessionRecord{
		closed:    binary.BigEndian.Uint32(data[12:]) == 1,
		segment:   binary.BigEndian.Uint64(data[16:]),
		sequence:  binary.BigEndian.Uint64(data[24:]),
		changedAt: binary.BigEndian.Uint64(data[32:]),
		origin: identity.Origin{
			Store: [16]byte(data[40:]), Epoch: [16]byte(data[56:]), Parent: [16]byte(data[72:]),
			Shared: binary.BigEndian.Uint64(data[88:]),
		},
	}
	return true
}

// read reads the file. A file of zeros is one whose creation a power cut has interrupted. A damaged
// one still has its size, or begins as one; any other file belongs to another program.
func (s *session) read() error {
	data, size, err := s.dir.fs.ReadStart(s.dir.file(sessionName), sessionLen)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	s.length = size
	switch {
	case s.found.decode(data):
		s.state = sessionFound
	case size <= sessionLen && len(bytes.Trim(data, "\x00")) == 0:
		s.state = sessionUnknown
	case size == sessionLen, bytes.HasPrefix(data, []byte(sessionMagic)):
		s.state = sessionDamaged
	default:
		s.state = sessionForeign
	}
	return nil
}

// expectedOfLog returns what the log must have beside a tree. It is nothing if the directory was
// closed, and if a process has opened the directory since that did not know of the session.
func (s *session) expectedOfLog(saved identity.Identity, watermark uint64) wal.Expected {
	found := s.found
	if s.state != sessionFound || found.closed || found.origin.Store != saved.Store ||
		found.isOver(saved, watermark) {
		return wal.Expected{}
	}
	return wal.Expected{Segment: found.segment, Sequence: found.sequence, Origin: found.origin}
}

// isOver reports whether the tree has an epoch of a later process. That process may have left out
// the epoch of the session, because it has found no values of it. But a tree that does not know
// that epoch yet has no values after its beginning, and no other epoch that begins there, except
// for the one before it.
func (r *sessionRecord) isOver(saved identity.Identity, watermark uint64) bool {
	now, of := saved.Current(), r.origin
	return now.ID != of.Epoch &&
		(saved.Has(of.Epoch) || watermark > of.Shared || now.ID != of.Parent && now.Shared >= of.Shared)
}

// sessionIsUnclean reports whether the session shows that the directory was not closed, or that the
// tree was replaced since.
func (t *turn) sessionIsUnclean() bool {
	s := &t.db.session
	if s.state != sessionFound || !s.found.closed {
		return s.state > sessionForeign
	}
	known, _ := t.tree().Identity()
	state, err := t.tree().State()
	isSame := err == nil && s.found.origin.Store == known.Store && s.found.sequence == state.Watermark
	return !isSame || differs(s.found.changedAt, t.tree().ChangedBeforeOpen())
}

func differs(a, b uint64) bool { return a != 0 && b != 0 && a != b }

// usedEpoch reports whether the session has given numbers to values in an epoch of the tree, or
// knows of a process that did: numbers after the beginning of that epoch were given in it or later.
func (s *session) usedEpoch(store [16]byte, e identity.Epoch) bool {
	found := s.found
	return s.state == sessionFound && found.origin.Store == store &&
		(found.sequence > e.Shared || found.origin.Epoch == e.ID && found.segment > 0)
}

// start begins the session of a process that has opened the log. All values up to a sequence number
// are durable. A directory that was closed counts as closed until the first value is stored.
//
// Where the file cannot be created, or one without content cannot be written to, on a full disk for
// example, no session is kept.
func (s *session) start(origin identity.Origin, sequence uint64, clean bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == sessionForeign {
		return nil
	}
	path := s.dir.file(sessionName)
	opened := sessionRecord{sequence: sequence, origin: origin}
	file, err := s.dir.fs.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if file, err = s.dir.fs.Create(path); err != nil {
			return nil
		}
		s.file = file
		if err = s.writeDurably(opened); err == nil {
			err = s.dir.fs.SyncDir(s.dir.path)
		}
		if err != nil { // nothing knows of the file yet
			s.file = nil
			_ = file.Close()
			_ = s.dir.remove(sessionName)
		}
		return nil
	case err != nil:
		return err
	}
	s.file, s.now, s.synced = file, s.found, true
	if clean && s.state == sessionFound {
		return nil
	}
	err = s.writeDurably(opened)
	if err == nil {
		return nil
	}
	s.file = nil
	if err = errors.Join(tree.WrapNoSpace(err), file.Close()); s.state != sessionFound {
		return nil // the log has all that either content of the file can demand
	}
	return err
}

// Begin records a segment that gets its first frame, or that there is none. The first segment of a
// session is recorded durably, so that a power cut does not leave a directory that seems to be
// closed.
func (s *session) Begin(e wal.Expected) (mayStay bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return false, nil
	}
	before := s.now
	if err := s.write(sessionRecord{segment: e.Segment, sequence: e.Sequence, origin: e.Origin}); err != nil {
		return s.writeDurably(before) != nil, err
	}
	if before.closed {
		err = s.syncLocked()
	}
	return err != nil, err
}

// Sync makes durable what was recorded last.
func (s *session) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.syncLocked()
}

// syncLocked makes durable what was recorded last. After a failed sync the operating system takes
// the bytes for written, and another sync would write nothing. So they are written again.
func (s *session) syncLocked() error {
	if s.file == nil || s.synced {
		return nil
	}
	if s.failed {
		if err := s.write(s.now); err != nil {
			return err
		}
	}
	err := s.file.Datasync()
	s.synced, s.failed = err == nil, err != nil
	return err
}

func (s *session) write(r sessionRecord) error {
	_, err := s.file.WriteAt(r.encode(), 0)
	if err == nil {
		s.now, s.synced = r, false
	}
	return err
}

func (s *session) writeDurably(r sessionRecord) error {
	err := s.write(r)
	if err == nil {
		err = s.syncLocked()
	}
	return err
}

// endSession records that the directory is closed. All values are in the tree, and nothing is
// written to the tree any more.
func (t *turn) endSession() error {
	s := &t.db.session
	closed := sessionRecord{
		closed: true, sequence: t.db.heads.last(), changedAt: t.tree().ChangedAt(),
		origin: t.db.identity.get().Origin(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil || s.now == closed && s.synced {
		return nil
	}
	return s.writeDurably(closed)
}

// size returns the size of the file, in bytes. It does not wait for a write or sync of it.
func (s *session) size() int64 {
	if s.file == nil {
		return s.length
	}
	return max(s.length, sessionLen)
}

// close closes the file.
func (s *session) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}
