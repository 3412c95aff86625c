// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/daybook-db/daybook"
)

// Follower reads the frames of a log while another process writes to it. It takes no lock and changes nothing. A frame has
// the number of its segment in its checksums, so one that can be read is one of that segment, whatever happens to
// the file meanwhile.
type Follower struct {
	dir    string
	number uint64 // of the segment that it reads
	offset int64  // where its next frame will be
	first  uint64 // sequence number of the first value there
	next   uint64 // sequence number of the next value; 0: whatever comes
	missed uint64 // values before that, which it has not told of yet
	read   []told // frames before offset, the last ones
	data   []byte

	// Replaced says that another log than before is in the directory, which began anew.
	Replaced bool
}

// told is a frame that has been read.
type told struct {
	offset int64
	first  uint64 // sequence number of its first value
	header [frameHeaderLen]byte
}

// mostTold is how many frames are remembered: about as many as one write has.
const mostTold = 1024

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
		f.offset, f.first = segmentHeaderLen, header.firstSequence
		if f.next > 0 {
			f.missed += f.first - min(f.next, f.first)
		}
		f.next = max(f.next, f.first)
		f.read = f.read[:0]
	}
	f.goBack(file)
	if cap(f.data) < int(header.size) {
		f.data = make([]byte, header.size)
	}
	f.data = f.data[:header.size]
	var start [frameHeaderLen]byte
	if n, _ := file.ReadAt(start[:], f.offset); n < len(start) || start == [frameHeaderLen]byte{} {
		return false, true, nil // nothing has been written there yet
	}
	n, _ := file.ReadAt(f.data[f.offset:], f.offset)
	data := f.data[:f.offset+int64(n)]
	for {
		frame, state := readFrame(data, f.number, f.offset)
		if state != goodFrame { // a part of it has been written, or is left of an earlier life of the file
			return false, true, nil
		}
		if frame.sealed() {
			return true, true, nil
		}
		first := f.first
		f.remember(told{f.offset, first, [frameHeaderLen]byte(data[f.offset:])})
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

func (f *Follower) remember(t told) {
	if len(f.read) == mostTold {
		f.read = append(f.read[:0], f.read[mostTold/2:]...)
	}
	f.read = append(f.read, t)
}

// goBack finds out whether frames that were read are there no more, since their write failed. Others may be in their place,
// with the same sequence numbers.
func (f *Follower) goBack(file *os.File) {
	for n := len(f.read); n > 0; n-- {
		last := f.read[n-1]
		var header [frameHeaderLen]byte
		if _, err := file.ReadAt(header[:], last.offset); err != nil || header == last.header {
			return
		}
		if f.next == f.first { // else it was told to go on behind that
			f.next = last.first
		}
		f.offset, f.first, f.read = last.offset, last.first, f.read[:n-1]
	}
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
