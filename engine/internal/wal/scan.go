// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// Known is what the tree says about the log beside it.
type Known struct {
	Watermark uint64            // values up to this sequence number are in the tree
	Identity  identity.Identity // of the store, with the epochs up to the last checkpoint or later
	Tree      string            // path of the tree, for errors
	Expected  Expected          // of the log, by what is known from elsewhere

	// Live says that another process appends to the log. Then Scan keeps what it has read for
	// Replay, because the process may recycle the files. An error may be due to what the process
	// did meanwhile; another Scan tells.
	Live bool
}

// Scan reads the log in dir and finds its valid frames. Scan changes nothing. A directory that does
// not exist is an empty log.
//
// Errors: daybook.ErrCorrupt with file and offset, also for a segment of another store or of
// another copy of the store; daybook.ErrVersion.
func Scan(dir string, fsys disk.FS, known Known) (*Recovery, error) {
	r, damage, err := ScanUpToDamage(dir, fsys, known)
	if err == nil {
		err = damage
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// ScanUpToDamage is Scan for a log that may be damaged. It returns the frames before the damage,
// and damage, the error that Scan would return. A damaged log can be replayed, but not opened.
func ScanUpToDamage(dir string, fsys disk.FS, known Known) (r *Recovery, damage, err error) {
	r = &Recovery{
		dir: dir, fs: fsys, known: known, watermark: known.Watermark, identity: known.Identity,
		next: known.Watermark + 1,
	}
	damage, err = r.readHeaders()
	if err != nil {
		return nil, nil, err
	}
	r.markNeeded()
	for i := range r.segments {
		if err := r.measure(i); err != nil {
			damage = err // is before the damage in headers, because segments after that are left out
			r.endAt(i)
			break
		}
	}
	if damage != nil && !errors.Is(damage, daybook.ErrCorrupt) {
		return nil, nil, damage
	}
	if missing := r.checkExpected(); damage == nil {
		damage = missing
	}
	return r, damage, nil
}

// readHeaders reads the headers of all segments. If headers are damaged, it leaves out the segments
// that do not count because of that, and returns the first damage.
func (r *Recovery) readHeaders() (damage, err error) {
	entries, err := r.fs.ReadDir(r.dir)
	if errors.Is(err, fs.ErrNotExist) {
		r.isMissing = true
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	before := 0                     // number of segments before the last damaged header
	for _, entry := range entries { // sorted by name, which is by number
		number, ok := numberOf(entry.Name())
		if !ok {
			if number, ok := temporaryNumberOf(entry.Name()); ok {
				r.unfinished = append(r.unfinished, filepath.Join(r.dir, entry.Name()))
				r.lastSegment = max(r.lastSegment, number)
			}
			continue
		}
		if err := r.add(number); err != nil && !errors.Is(err, daybook.ErrCorrupt) {
			return nil, err
		} else if err != nil {
			r.leaveOutFrom(before)
			before = len(r.segments)
			if damage == nil {
				damage = err
			}
		}
		r.lastSegment = max(r.lastSegment, number)
	}
	if damage != nil {
		r.leaveOutFrom(before)
	}
	return damage, nil
}

// leaveOutFrom leaves out segments[i] and all segments after it, because the segment that precedes
// segments[i] on the disk has a damaged header. It leaves out none of them if that segment has no
// value that must be replayed: if segments[i] begins with a value that is in the tree, or with the
// first value that is not.
func (r *Recovery) leaveOutFrom(i int) {
	if i < len(r.segments) && r.segments[i].firstSequence > r.watermark+1 {
		r.segments = r.segments[:i]
	}
}

// endAt leaves out everything after the good frames of segments[i].
func (r *Recovery) endAt(i int) {
	if r.segments[i].end == 0 { // not measured, because it does not continue the segment before it
		r.segments = r.segments[:i]
		return
	}
	r.next = max(r.next, r.segments[i].lastSequence+1)
	r.segments = r.segments[:i+1]
}

// add reads the header of one segment and adds the segment to segments or to unused.
func (r *Recovery) add(number uint64) error {
	s := segment{number: number, path: filepath.Join(r.dir, nameOf(number))}
	start, size, err := r.fs.ReadStart(s.path, segmentHeaderLen)
	if err != nil {
		return err
	}
	s.size = size

	header, err := readHeader(s.path, start, size)
	if err != nil {
		return err
	}
	if header.number != number || header.prepared() {
		return r.addUnused(s, header)
	}
	s.firstSequence, s.lastSequence = header.firstSequence, header.firstSequence-1
	s.version, s.origin = header.version, header.origin
	if err := r.checkStore(&s); err != nil {
		return err
	}
	r.lastAssigned = max(r.lastAssigned, s.lastSequence)
	r.segments = append(r.segments, s)
	return nil
}

// addUnused adds a segment that is prepared or has the header of another number. It returns an
// error if values are lost with such a header: if the segment has frames of its own number, or
// values that are not in the tree under the number in the header.
func (r *Recovery) addUnused(s segment, header segmentHeader) error {
	data, err := r.fs.ReadFile(s.path)
	if err != nil {
		return err
	}
	if durable, _ := findFrames(data, s.number, 0); durable > 0 {
		const cause = "the segment's header is not the one that was durable when its frames were written"
		return corruptAt(s.path, 0, cause)
	}
	earlier := segment{number: header.number, firstSequence: header.firstSequence, version: header.version}
	earlier.measure(data)
	if !header.prepared() && earlier.lastSequence > r.watermark {
		const cause = "it holds values up to %d under the name of another segment; its number is %d"
		return corruptAt(s.path, 0, fmt.Sprintf(cause, earlier.lastSequence, header.number))
	}
	r.unused = append(r.unused, s)
	return nil
}

// markNeeded marks the segments that may have values above the watermark. The last segment always
// may.
func (r *Recovery) markNeeded() {
	for i := range r.segments {
		last := i == len(r.segments)-1
		r.segments[i].needed = last || r.segments[i+1].firstSequence > r.watermark+1
	}
}

// measure finds the valid part of segments[i] if it is needed. It returns an error if the segment
// does not continue the one before it, or ends where it must not.
func (r *Recovery) measure(i int) error {
	s := &r.segments[i]
	if known := r.extendIdentity(s); !s.needed {
		return nil
	} else if !known {
		return r.errOtherCopy(s)
	}
	first := i == 0 || !r.segments[i-1].needed
	if s.firstSequence > r.next || !first && s.firstSequence != r.next {
		const cause = "it begins with value %d; want %d, so a segment before it is missing or incomplete"
		return corruptAt(s.path, 0, fmt.Sprintf(cause, s.firstSequence, r.next))
	}
	data, err := r.fs.ReadFile(s.path)
	if err != nil {
		return err
	}
	if r.known.Live {
		s.data = data
	}
	state := s.measure(data)
	if !r.endsInEpoch(s) {
		s.end = 0 // none of it counts
		return r.errOtherCopy(s)
	}
	if !s.sealed {
		if err := r.checkEnd(i, data, state); err != nil {
			return err
		}
	}
	r.next = max(r.next, s.lastSequence+1)
	return nil
}

// checkEnd returns an error if segments[i] may not end without a seal after its last good frame.
func (r *Recovery) checkEnd(i int, data []byte, state frameState) error {
	s := &r.segments[i]
	if i < len(r.segments)-1 {
		if s.end == s.begin() && s.firstSequence == r.segments[i+1].firstSequence {
			return nil // it never had a frame: writing its header failed, and so did removing the file
		}
		return corruptAt(s.path, s.end, "a frame is damaged, and later segments follow")
	}
	durable, end := findFrames(data, s.number, s.end)
	if durable > s.end {
		const cause = "a frame is damaged that was durable (up to offset %d) when a later one was written"
		return corruptAt(s.path, s.end, fmt.Sprintf(cause, durable))
	}
	if end > 0 {
		r.DroppedBytes = end - s.end
	} else if state == badFrame {
		r.DroppedBytes = frameHeaderLen
	}
	return nil
}
