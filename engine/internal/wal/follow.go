// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// Follower reads the frames of a log while another process appends to it. It takes no lock and
// changes nothing. The checksums of a frame cover the number of its segment. So each frame that can
// be read is a frame of that segment, even if the file is recycled meanwhile. But a Follower may
// read a frame whose write then fails, so that the frame is undone.
type Follower struct {
	system disk.System
	parent string // the directory of the log's directory; each Read opens it
	name   string // of the log's directory

	fs     disk.FS       // the open parent, during Read
	dir    string        // the path of the log's directory in fs
	number uint64        // of the segment that is read; 0: none yet
	header segmentHeader // of that segment
	offset int64         // of the next frame in the segment
	first  uint64        // sequence number of the first value of that frame
	next   uint64        // sequence number of the next value that counts as unread; 0: any
	missed uint64        // number of values before next that were missed, and that Read has not reported yet
	seen   []seenFrame   // the frames before offset that may still be undone, and at least the last frame
	data   []byte        // the bytes of the segment, at their offsets

	// Origins are those of the segments that were begun, in order, as far as they differ.
	Origins []identity.Origin
	store   [16]byte // of the segment that is read; zero: none, or a segment without an identity

	// Replaced is true if the directory has another log than before, which began again, or belongs
	// to another store.
	Replaced bool
}

// seenFrame is a frame that has been read. While its header is unchanged, the frame is still there,
// because the header has the checksum of the payload.
type seenFrame struct {
	offset int64
	first  uint64 // sequence number of the frame's first value
	header [frameHeaderLen]byte
}

// NewFollower returns a Follower that begins with the first frame in a log: that in the directory
// name, or where a symbolic link of that name leads, in the directory parent. Values up to the
// sequence number after count as read; 0 means that no value does.
func NewFollower(system disk.System, parent, name string, after uint64) *Follower {
	f := &Follower{system: system, parent: parent, name: name}
	f.Skip(after)
	return f
}

// Skip makes the values up to the sequence number after count as read.
func (f *Follower) Skip(after uint64) {
	if after > 0 {
		f.next = max(f.next, after+1)
	}
}

// Read calls fn for each frame that it has not read yet, in order. It returns when there are no
// more frames, or when fn returns false. The first frame may begin with values that count as read.
// missed is the number of values before the frame that were in segments that are gone. The payload
// is valid only during the call.
//
// If frames that Read read earlier have been undone, it calls fn for the frames in their place.
// Then firstSequence is smaller than before.
func (f *Follower) Read(fn func(firstSequence, missed uint64, payload []byte, values int) (more bool)) error {
	opened, err := f.openDirectory()
	if !opened || err != nil {
		return err
	}
	defer func() { _ = f.fs.Close() }()
	for {
		sealed, err := f.readSegment(fn)
		if err != nil || !sealed {
			return err
		}
		if found, err := f.nextSegment(); !found || err != nil {
			return err
		}
	}
}

// openDirectory opens the directory anew, so that one Read reads one directory, and the next one
// finds another that has come in its place. It reports whether there is one.
func (f *Follower) openDirectory() (opened bool, err error) {
	f.fs, err = f.system.OpenDirectory(f.parent)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		if f.dir, err = f.fs.FollowLink(filepath.Join(f.parent, f.name)); err != nil {
			_ = f.fs.Close()
		}
	}
	return err == nil, err
}

// readSegment reads the new frames of the segment, until fn returns false. sealed is true if all
// are read and no more can follow in the segment, because it is sealed or gone.
func (f *Follower) readSegment(fn func(uint64, uint64, []byte, int) bool) (sealed bool, err error) {
	if f.number == 0 {
		return true, nil
	}
	file, err := f.fs.OpenFile(filepath.Join(f.dir, nameOf(f.number)), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	header, err := readUsed(file, f.number)
	if errors.Is(err, daybook.ErrVersion) {
		return false, err
	}
	if err != nil {
		return true, nil // the segment has been released
	}
	if f.offset == 0 || header != f.header { // an earlier version could give a number to another segment
		f.beginSegment(header)
		f.addOrigin(header)
	}
	if int64(len(f.data)) < header.size {
		f.data = make([]byte, header.size)
	}
	return f.readFrames(file, fn), nil
}

// beginSegment begins to read a segment. Until then f.first and f.next are the sequence numbers
// after the segment before it.
func (f *Follower) beginSegment(header segmentHeader) {
	if header.firstSequence < f.first && f.next == f.first {
		f.next = header.firstSequence // the last frames that were read were undone, and their segment is gone
	}
	if f.next > 0 {
		f.missed += header.firstSequence - min(f.next, header.firstSequence)
	}
	f.next = max(f.next, header.firstSequence)
	f.header, f.offset, f.first, f.seen = header, header.len(), header.firstSequence, nil
}

func (f *Follower) addOrigin(header segmentHeader) {
	if f.store = header.origin.Store; !header.hasOrigin() {
		return
	}
	if last := len(f.Origins) - 1; last < 0 || f.Origins[last] != header.origin {
		f.Origins = append(f.Origins, header.origin)
	}
}

// readFrames is readSegment for a file that was the segment when it was opened.
func (f *Follower) readFrames(file *os.File, fn func(uint64, uint64, []byte, int) bool) (sealed bool) {
	data, released := f.readNew(file)
	if released {
		return true
	}
	for {
		frame, state := readFrame(data, f.number, f.offset)
		if state != goodFrame { // not written yet, written in part, or bytes from before the recycling
			return false
		}
		if frame.sealed() {
			return true
		}
		first := f.first
		f.remember(seenFrame{f.offset, first, [frameHeaderLen]byte(data[f.offset:])}, frame.durable)
		f.offset, f.first = f.offset+frame.size(), f.first+uint64(frame.values)
		if f.first <= f.next {
			continue // the values count as read
		}
		missed := f.missed
		f.next, f.missed = f.first, 0
		if !fn(first, missed, frame.payload, int(frame.values)) {
			return false
		}
	}
}

// readNew reads the bytes of the segment from f.offset on, if frames have been written there, and
// returns the bytes of the segment. If frames have been undone, it first goes back to the first of
// them. released is true if the file is no longer the segment.
func (f *Follower) readNew(file *os.File) (data []byte, released bool) {
	for {
		n := 0 // if no frame is there, it stays 0, and only the start was read
		var start [frameHeaderLen]byte
		if m, _ := file.ReadAt(start[:], f.offset); m == len(start) && start != [frameHeaderLen]byte{} {
			n, _ = file.ReadAt(f.data[f.offset:], f.offset)
		}
		// The check comes after the read: bytes that were read while the earlier frames were there
		// do follow these frames.
		undone := f.firstUndone(file)
		if undone < 0 {
			return f.data[:f.offset+int64(n)], false
		}
		if _, err := readUsed(file, f.number); err != nil {
			return nil, true // the frames were not undone: the segment has been recycled
		}
		f.goBack(undone)
	}
}

// remember adds a frame to the frames that may still be undone. It removes the frames that cannot
// be undone: frames that were durable when the new frame was written, and frames that are too far
// before the new frame to be of the same write.
func (f *Follower) remember(s seenFrame, durable int64) {
	f.seen = append(f.seen, s)
	first, last := 0, len(f.seen)-1
	for ; first < last; first++ {
		offset := f.seen[first].offset
		payloads := s.offset - offset - int64(last-first)*frameHeaderLen
		if offset >= durable && payloads <= MaxGrouped {
			break
		}
	}
	f.seen = f.seen[first:]
}

// firstUndone returns the index in f.seen of the first frame that has been undone. It returns -1 if
// all frames are still there, or if they cannot be read.
func (f *Follower) firstUndone(file *os.File) int {
	if len(f.seen) == 0 {
		return -1
	}
	start, end := f.seen[0].offset, f.seen[len(f.seen)-1].offset+frameHeaderLen
	if _, err := file.ReadAt(f.data[start:end], start); err != nil {
		return -1
	}
	return slices.IndexFunc(f.seen, func(s seenFrame) bool {
		return [frameHeaderLen]byte(f.data[s.offset:]) != s.header
	})
}

// goBack goes back to f.seen[to], which has been undone. Other frames with the same sequence
// numbers follow from its offset on.
func (f *Follower) goBack(to int) {
	s := f.seen[to]
	if f.next == f.first { // otherwise Skip has set a later value
		f.next = s.first
	}
	f.offset, f.first, f.seen = s.offset, s.first, f.seen[:to]
}

// readUsed reads the header of a segment. It returns an error if the segment is not in use under
// number.
func readUsed(file *os.File, number uint64) (header segmentHeader, err error) {
	start := make([]byte, segmentHeaderLen)
	if _, err := file.ReadAt(start, 0); err != nil {
		return header, err
	}
	info, err := file.Stat()
	if err != nil {
		return header, err
	}
	header, err = readHeader(file.Name(), start, info.Size())
	if err == nil && (header.number != number || header.prepared()) {
		err = errNoHeader
	}
	return header, err
}

// nextSegment goes to the next segment. It reports whether there is one.
//
// If there is none, and the greatest number in use is smaller than f.number, the log has been
// replaced by another one. But segments may be recycled or removed after the directory was read.
// While there are segments that cannot be read, nothing is decided; the next call reads the
// directory again.
//
// A segment of another store is damage if segments of the store are still there before it.
// Otherwise it belongs to another log, too.
func (f *Follower) nextSegment() (found bool, err error) {
	entries, err := f.fs.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) { // no value was ever stored, or the store has been restored
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var last segmentHeader // of the segment in use with the greatest number up to f.number
	allRead := true
	for _, entry := range entries { // sorted by name, which is by number
		number, ok := numberOf(entry.Name())
		if !ok {
			continue
		}
		header, err := f.readHeader(number)
		switch {
		case errors.Is(err, daybook.ErrVersion):
			return false, err
		case header.number != number:
			allRead = false
		case err == nil && number > f.number && f.isOfOtherStore(header):
			if last.number > 0 {
				return false, corruptAt(filepath.Join(f.dir, nameOf(number)), 0, fmt.Sprintf(
					"it belongs to store %x, but the segment before it to store %x", header.origin.Store, f.store))
			}
			f.beginAgain()
			f.number = number
			return true, nil
		case err == nil && number > f.number:
			f.number, f.offset = number, 0
			return true, nil
		case err == nil:
			last = header
		}
	}
	if !allRead || last.number == 0 || last.number == f.number || f.isEarlier(last) {
		return false, nil
	}
	f.beginAgain()
	return f.nextSegment()
}

// isEarlier reports whether a segment is known to come before the one that is read. It has been
// released, and is still there although that one has been removed.
func (f *Follower) isEarlier(header segmentHeader) bool {
	if !header.hasOrigin() || header.firstSequence > f.header.firstSequence {
		return false
	}
	return header.origin.Epoch == f.header.origin.Parent || slices.Contains(f.Origins, header.origin)
}

// isOfOtherStore reports whether a segment is known to belong to another store than the one that is
// read.
func (f *Follower) isOfOtherStore(header segmentHeader) bool {
	return f.store != [16]byte{} && header.hasOrigin() && header.origin.Store != f.store
}

// beginAgain makes the Follower read another log from its beginning.
func (f *Follower) beginAgain() {
	*f = Follower{system: f.system, parent: f.parent, name: f.name, fs: f.fs, dir: f.dir, data: f.data, Replaced: true}
}

// readHeader is readUsed for the segment with a number. If the file cannot be opened or has no
// valid header, the number in the header is 0.
func (f *Follower) readHeader(number uint64) (segmentHeader, error) {
	file, err := f.fs.OpenFile(filepath.Join(f.dir, nameOf(number)), os.O_RDONLY, 0)
	if err != nil {
		return segmentHeader{}, err
	}
	defer file.Close()
	return readUsed(file, number)
}
