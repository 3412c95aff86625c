// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// Recovery is the result of Scan: the frames to replay, and the state that Open continues from.
type Recovery struct {
	dir       string
	fs        disk.FS
	watermark uint64
	known     Known

	ofAnyStore bool // the tree is lost, so the log says which store it belongs to

	identity identity.Identity // of the tree, with the epochs that only the log has
	lastSeen [16]byte          // epoch of the last segment in use that has one

	isMissing bool // the log's directory does not exist

	segments     []segment // in use, sorted by number
	unused       []segment // prepared, or with the header of another number
	unfinished   []string  // paths of files with a temporary name
	lastSegment  uint64    // the greatest number of a segment
	next         uint64    // sequence number of the next value
	lastAssigned uint64    // the greatest sequence number that a header shows to be assigned

	// DroppedBytes is the length of the torn tail of a crash in the last segment. The frames in it
	// were never acknowledged as durable.
	DroppedBytes int64
}

// NextSequence returns the sequence number of the value that will be appended next.
func (r *Recovery) NextSequence() uint64 { return r.next }

// LastAssigned returns the greatest sequence number that was assigned, as far as the log shows. The
// value itself may be missing.
func (r *Recovery) LastAssigned() uint64 { return max(r.lastAssigned, r.next-1) }

// LastSegment returns the greatest number of a segment.
func (r *Recovery) LastSegment() uint64 { return r.lastSegment }

// Identity returns the identity of the tree, with the epochs that only the log has.
func (r *Recovery) Identity() identity.Identity { return r.identity }

// EpochUsed reports whether a number may have been given to a value in the current epoch, as far as
// the tree and the log show. A log that is lost shows nothing.
func (r *Recovery) EpochUsed() bool {
	now := r.identity.Current()
	return r.IsLost() || r.lastSeen == now.ID || r.next-1 > now.Shared
}

// Unclean reports whether a process that had the log open has not closed it. Then it may have
// appended values that are lost.
//
// After a power cut it may have been appending although no segment is in use: the header of a
// segment in use becomes durable with its first frames. But a segment is durable under its name
// before it is used, so there is a segment then.
func (r *Recovery) Unclean() bool {
	return len(r.segments)+len(r.unused)+len(r.unfinished) > 0 || r.IsLost()
}

// IsLost reports whether the tree has values, and the log's directory does not exist. Close empties
// that directory, and never removes it. So somebody has moved it away, perhaps with values, unless
// the tree was restored and not opened since.
func (r *Recovery) IsLost() bool { return r.isMissing && r.known.Watermark > 0 }

// IsMissing reports whether the log's directory does not exist.
func (r *Recovery) IsMissing() bool { return r.isMissing }

// Size returns the total size of the segments, in bytes.
func (r *Recovery) Size() int64 { return totalSize(r.segments) + totalSize(r.unused) }

func totalSize(segments []segment) (total int64) {
	for _, s := range segments {
		total += s.size
	}
	return total
}

// Replay calls fn for each frame above the watermark, in order, with the sequence number of its
// first value. The payload is valid only during the call.
func (r *Recovery) Replay(fn func(firstSequence uint64, payload []byte, values int) error) error {
	for _, s := range r.segments {
		if s.needed {
			if err := r.replay(s, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Recovery) replay(s segment, fn func(uint64, []byte, int) error) error {
	data, err := s.data, error(nil)
	if data == nil {
		data, err = r.fs.ReadFile(s.path)
	}
	if err != nil {
		return err
	}
	sequence := s.firstSequence
	for at := s.begin(); at < s.end; {
		f, state := readFrame(data, s.number, at)
		if state != goodFrame || f.sealed() {
			return corruptAt(s.path, at, "a frame changed while the log was read")
		}
		if sequence > r.watermark {
			if err := fn(sequence, f.payload, int(f.values)); err != nil {
				return fmt.Errorf("log segment %s at offset %d: %w", s.path, at, err)
			}
		}
		sequence += uint64(f.values)
		at += f.size()
	}
	return nil
}

// Open makes the log ready for appending. It seals the last segment; the first append begins a new
// one. The numbers of new segments are greater than notBefore.
func (r *Recovery) Open(notBefore uint64, opts Options) (*Log, error) {
	if err := r.fs.Mkdir(r.dir); err != nil {
		return nil, err
	}
	// An earlier process may have created the directory and died before it was durable.
	if err := r.fs.SyncDir(filepath.Dir(r.dir)); err != nil {
		return nil, err
	}
	var kept evidence
	if opts.KeepEvidence {
		kept = r.keepEvidence()
	}
	counted := newFiles(r.fs)
	for _, s := range slices.Concat(r.segments, r.unused, kept.unused) {
		counted.set(s.path, s.size)
	}
	for _, path := range kept.unfinished {
		counted.measure(path)
	}
	for _, path := range r.unfinished {
		if err := counted.Remove(path); err != nil {
			return nil, err
		}
	}
	if r.DroppedBytes > 0 {
		opts.Logger.Warn("daybook: dropped the incomplete tail of the log", "dir", r.dir, "bytes", r.DroppedBytes)
	}
	l := newLog(r.dir, counted, opts, max(r.lastSegment, notBefore)+1, r.next)
	l.pool.released, l.evidence = slices.Clone(r.unused), kept
	for i, s := range r.segments {
		if i == len(r.segments)-1 {
			if err := r.seal(&s); err != nil {
				return nil, err
			}
		}
		if !s.needed { // its values are in the tree
			s.lastSequence = min(r.watermark, r.segments[i+1].firstSequence-1)
		}
		l.sealed, l.lastUsed = append(l.sealed, s), s.number
	}
	return l, nil
}

// seal ends the last segment and makes all of it durable, before anything is appended after it. The
// frames that Scan read may not be on the disk. The process may have died before a sync, or the
// sync may have failed. After a failed sync the operating system takes the pages for clean, so
// another sync writes nothing. Therefore seal writes the frames again. It overwrites, so it needs
// no space.
func (r *Recovery) seal(s *segment) error {
	data, err := r.fs.ReadFile(s.path)
	if err != nil {
		return err
	}
	if err := s.verify(data); err != nil {
		return err
	}
	file, err := r.fs.Open(s.path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := writeDurably(file, data[:s.end], 0); err != nil {
		return err
	}
	// The seal vouches for the frames, so they must be durable before it is written. With the seal,
	// damage to them is no longer taken for a torn tail.
	end := frame{durable: s.end}
	if err := writeDurably(file, end.append(nil, s.number, s.end), s.end); err != nil {
		return err
	}
	s.sealed = true
	return nil
}

func writeDurably(file disk.File, data []byte, offset int64) error {
	if _, err := file.WriteAt(data, offset); err != nil {
		return err
	}
	return file.Datasync()
}
