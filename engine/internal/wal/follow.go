// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/daybook-db/daybook"
)

// Follower reads the frames of a log while another process writes to it. It takes no lock and changes nothing. A frame has
// the number of its segment in its checksums, so one that can be read is one of that segment, whatever happens to
// the file meanwhile. But it may be read before the write of it fails, which undoes it.
type Follower struct {
	dir    string
	number uint64 // of the segment that it reads
	offset int64  // where its next frame will be
	first  uint64 // sequence number of the first value there
	next   uint64 // sequence number of the next value; 0: whatever comes
	missed uint64 // values before that, which it has not told of yet
	read   []told // the frames right before offset that may still be undone; at least the last one
	data   []byte // the segment is read into, each byte to its offset

	// Replaced says that another log than before is in the directory, which began anew.
	Replaced bool
}

// told is a frame that has been read. It is there as long as its header is, which has the payload's checksum.
type told struct {
	offset int64
	first  uint64 // sequence number of its first value
	header [frameHeaderLen]byte
}

// NewFollower returns one that begins with what the log in dir holds. Values up to a sequence number count as read; 0: none.
func NewFollower(dir string, after uint64) *Follower {
	f := &Follower{dir: dir}
	f.Skip(after)
	return f
}

// Skip takes the values up to a sequence number for read.
func (f *Follower) Skip(after uint64) {
	if after > 0 {
		f.next = max(f.next, after+1)
	}
}

// Read calls fn for each frame that it has not read yet, in order, until there is no more for now, or fn returns false. The
// first may begin with values that count as read. missed is how many values came before it in segments that are gone. The payload is valid during the call.
// When frames that it read have been undone, it calls fn for those in their place, and firstSequence goes back to theirs.
func (f *Follower) Read(fn func(firstSequence, missed uint64, payload []byte, values int) (more bool)) error {
	for {
		sealed, more, err := f.readSegment(fn)
		if err != nil || !more || !sealed {
			return err
		}
		if moved, err := f.move(); !moved || err != nil {
			return err
		}
	}
}

// readSegment reads what is new in a segment, and reports whether that is sealed, or gone, and whether to go on.
func (f *Follower) readSegment(fn func(uint64, uint64, []byte, int) bool) (sealed, more bool, err error) {
	if f.number == 0 {
		return true, true, nil
	}
	file, err := os.Open(filepath.Join(f.dir, nameOf(f.number)))
	if errors.Is(err, fs.ErrNotExist) {
		return true, true, nil
	}
	if err != nil {
		return false, false, err
	}
	defer file.Close()
	header, err := readUsed(file, f.number)
	if errors.Is(err, daybook.ErrVersion) {
		return false, false, err
	}
	if err != nil {
		return true, true, nil // it has been released
	}
	if f.offset == 0 {
		f.enter(header)
	}
	if int64(len(f.data)) < header.size {
		f.data = make([]byte, header.size)
	}
	return f.readFrames(file, fn)
}

// enter begins a segment, for which f.first and f.next are still those behind the one before.
func (f *Follower) enter(header segmentHeader) {
	if header.firstSequence < f.first && f.next == f.first {
		f.next = header.firstSequence // the last frames that it read were undone, and are gone with their segment
	}
	if f.next > 0 {
		f.missed += header.firstSequence - min(f.next, header.firstSequence)
	}
	f.next = max(f.next, header.firstSequence)
	f.offset, f.first, f.read = segmentHeaderLen, header.firstSequence, nil
}

// readFrames does what readSegment does, of a file that was the segment when it was opened.
func (f *Follower) readFrames(file *os.File, fn func(uint64, uint64, []byte, int) bool) (sealed, more bool, err error) {
	data, released := f.readNew(file)
	if released {
		return true, true, nil
	}
	for {
		frame, state := readFrame(data, f.number, f.offset)
		if state != goodFrame { // nothing or a part of it has been written, or it is left of an earlier life of the file
			return false, true, nil
		}
		if frame.sealed() {
			return true, true, nil
		}
		first := f.first
		f.remember(told{f.offset, first, [frameHeaderLen]byte(data[f.offset:])}, frame.durable)
		f.offset, f.first = f.offset+frame.size(), f.first+uint64(frame.values)
		if f.first <= f.next {
			continue // they count as read
		}
		missed := f.missed
		f.next, f.missed = f.first, 0
		if !fn(first, missed, frame.payload, int(frame.values)) {
			return false, false, nil
		}
	}
}

// readNew returns the segment's bytes, of which those from f.offset on have been read, as far as something is written there.
// It first goes back if there is cause to. released says that the file is not the segment any more.
func (f *Follower) readNew(file *os.File) (data []byte, released bool) {
	for {
		n := 0 // it stays so where nothing has been written yet, which is found out cheaply
		var start [frameHeaderLen]byte
		if m, _ := file.ReadAt(start[:], f.offset); m == len(start) && start != [frameHeaderLen]byte{} {
			n, _ = file.ReadAt(f.data[f.offset:], f.offset)
		}
		undone := f.undone(file) // only now: what stands behind frames that are there is what belongs behind them
		if undone < 0 {
			return f.data[:f.offset+int64(n)], false
		}
		if _, err := readUsed(file, f.number); err != nil {
			return nil, true // the frames are not undone: the segment has been used again
		}
		f.goBack(undone)
	}
}

// remember keeps a frame that has been read, and forgets those that cannot be undone any more: what was durable when it was
// written, and what is too far before it to be of the same write.
func (f *Follower) remember(t told, durable int64) {
	f.read = append(f.read, t)
	forgotten, last := 0, len(f.read)-1
	for ; forgotten < last; forgotten++ {
		oldest := f.read[forgotten].offset
		payloads := t.offset - oldest - int64(last-forgotten)*frameHeaderLen
		if oldest >= durable && payloads <= MaxGrouped {
			break
		}
	}
	f.read = f.read[forgotten:]
}

// undone returns which of the frames that it remembers is the first that is not there any more; -1: they all are, or cannot be read.
func (f *Follower) undone(file *os.File) int {
	if len(f.read) == 0 {
		return -1
	}
	start, end := f.read[0].offset, f.read[len(f.read)-1].offset+frameHeaderLen
	if _, err := file.ReadAt(f.data[start:end], start); err != nil {
		return -1
	}
	return slices.IndexFunc(f.read, func(t told) bool { return [frameHeaderLen]byte(f.data[t.offset:]) != t.header })
}

// goBack has it read again from a remembered frame on, in whose place and behind it other frames come, with the same sequence
// numbers.
func (f *Follower) goBack(to int) {
	t := f.read[to]
	if f.next == f.first { // else it was told to go on behind that
		f.next = t.first
	}
	f.offset, f.first, f.read = t.offset, t.first, f.read[:to]
}

// readUsed reads the header of a segment that is in use under a number.
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

// move goes on with the next segment, if there is one.
func (f *Follower) move() (moved bool, err error) {
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) { // nothing was ever stored, or it has been restored
		return false, nil
	}
	smaller := false                // the greatest number in use is smaller than its segment's, so this is another log
	for _, entry := range entries { // sorted by name, which is by number
		number, ok := numberOf(entry.Name())
		if !ok {
			continue
		}
		file, err := os.Open(filepath.Join(f.dir, entry.Name()))
		if err != nil {
			continue // it has got another name
		}
		_, err = readUsed(file, number)
		_ = file.Close()
		switch {
		case err == nil && number > f.number:
			f.number, f.offset = number, 0
			return true, nil
		case err == nil:
			smaller = number < f.number // the last of those counts: its own is there if it is not
		}
		if errors.Is(err, daybook.ErrVersion) {
			return false, err
		}
	}
	if smaller {
		*f = Follower{dir: f.dir, data: f.data, Replaced: true}
		return f.move()
	}
	return false, err
}
