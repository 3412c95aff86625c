// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
)

// Recovery is what Scan found: the frames that are to be replayed, and what is needed to go on writing.
type Recovery struct {
	dir       string
	fs        disk.FS
	watermark uint64

	segments   []extent // used ones, by number
	unused     []extent // prepared ones, and released ones that a crash left without their new header
	unfinished []string // paths of what a crash left of segments that were being made
	lastNumber uint64   // greatest number of any segment
	next       uint64   // sequence number of the next value
	known      uint64   // the greatest sequence number that a header says was given out

	// DroppedBytes is how much of the last segment was the torn tail of a crash: frames begun, and
	// never acknowledged as durable.
	DroppedBytes int64
}

// extent is the valid part of one segment.
type extent struct {
	number        uint64
	path          string
	size          int64 // of the file
	firstSequence uint64
	lastSequence  uint64 // firstSequence - 1: none
	end           int64  // offset behind the last good frame; 0: not needed, so not measured
	sealed        bool   // a seal stands at end
	needed        bool   // it holds values above the watermark
}

// measure finds what of a segment's bytes is valid: it sets where the good frames end, the number of their
// last value, and whether a seal follows. It returns what else stands there.
func (e *extent) measure(data []byte) frameState {
	e.end, e.lastSequence, e.sealed = segmentHeaderLen, e.firstSequence-1, false
	for {
		f, state := readFrame(data, e.number, e.end)
		if state != goodFrame {
			return state
		}
		if f.sealed() {
			e.sealed = true
			return state
		}
		e.end += f.size()
		e.lastSequence += uint64(f.values)
	}
}

// verify holds a segment's bytes against what is known of it: its header, and each frame up to its end.
func (e *extent) verify(data []byte) error {
	header, err := readHeader(e.path, data, int64(len(data)))
	if err != nil {
		return err
	}
	if header.number != e.number || header.firstSequence != e.firstSequence {
		return corruptAt(e.path, 0, "the header is another segment's")
	}
	known := e.end
	if e.sealed {
		known += frameHeaderLen
	}
	found := *e
	found.measure(data[:min(known, int64(len(data)))])
	if found.end != e.end || found.sealed != e.sealed || found.lastSequence != e.lastSequence {
		return corruptAt(e.path, found.end, "a frame is damaged")
	}
	return nil
}

// readHeader decodes the header of a segment, a file of the given size that begins with start.
func readHeader(path string, start []byte, size int64) (segmentHeader, error) {
	header, err := decodeSegmentHeader(start)
	switch {
	case errors.Is(err, errNewerVersion):
		return header, fmt.Errorf("%w: %s: %w", daybook.ErrVersion, path, err)
	case size < segmentHeaderLen:
		return header, corruptAt(path, size, "the segment has been cut off in its header")
	case err != nil:
		return header, corruptAt(path, 0, "the segment's header is damaged")
	case header.size > size:
		return header, corruptAt(path, size, fmt.Sprintf("the segment had %d bytes and has been cut off", header.size))
	}
	return header, nil
}

// Scan reads the log in dir and decides what of it is valid. Values up to watermark are in the tree
// already. It changes nothing. A missing directory is an empty log.
// Errors: daybook.ErrCorrupt with file and offset; daybook.ErrVersion.
func Scan(dir string, fsys disk.FS, watermark uint64) (*Recovery, error) {
	r, damage, err := ScanUpToDamage(dir, fsys, watermark)
	if err == nil {
		err = damage
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// ScanUpToDamage is Scan, but that of a damaged log it returns the frames before the damage, and what that is. Such a log can be
// replayed, not opened.
func ScanUpToDamage(dir string, fsys disk.FS, watermark uint64) (r *Recovery, damage, err error) {
	r = &Recovery{dir: dir, fs: fsys, watermark: watermark, next: watermark + 1}
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	before := 0                     // segments, of the last whose header is damaged
	for _, entry := range entries { // sorted by name, which is by number
		number, ok := numberOf(entry.Name())
		if ok {
			if err := r.add(number); err != nil && !errors.Is(err, daybook.ErrCorrupt) {
				return nil, nil, err
			} else if err != nil {
				// What is behind it counts only if none of the values that are wanted can be in it.
				r.segments = r.segments[:r.whole(before)]
				before = len(r.segments)
				if damage == nil {
					damage = err
				}
			}
		} else if temporaryName.MatchString(entry.Name()) {
			r.unfinished = append(r.unfinished, filepath.Join(dir, entry.Name()))
		}
		r.lastNumber = max(r.lastNumber, number)
	}
	if damage != nil {
		r.segments = r.segments[:r.whole(before)]
	}
	r.chooseNeeded()
	for i := range r.segments {
		if err := r.measure(i); err != nil {
			damage = err // it lies before what was found in headers
			r.cut(i)
			break
		}
	}
	if damage != nil && !errors.Is(damage, daybook.ErrCorrupt) {
		return nil, nil, damage
	}
	return r, damage, nil
}

// whole returns how many segments are of use, if one in front of segments[before] cannot be read: all, if the next one begins
// with a value that is in the tree, or the first behind them.
func (r *Recovery) whole(before int) int {
	if before < len(r.segments) && r.segments[before].firstSequence > r.watermark+1 {
		return before
	}
	return len(r.segments)
}

// cut leaves out what comes behind the good frames of a segment.
func (r *Recovery) cut(i int) {
	if r.segments[i].end == 0 { // it does not go on from the one before, and was not measured
		r.segments = r.segments[:i]
		return
	}
	r.next = max(r.next, r.segments[i].lastSequence+1)
	r.segments = r.segments[:i+1]
}

// FirstSequence returns the sequence number of the first value that the log in dir begins with, in the first segment whose header
// can be read; 0 if there is none.
func FirstSequence(dir string, fsys disk.FS) (uint64, error) {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	r := &Recovery{dir: dir, fs: fsys, watermark: math.MaxUint64}
	for _, entry := range entries {
		if number, ok := numberOf(entry.Name()); ok {
			if err := r.add(number); err != nil && !errors.Is(err, daybook.ErrCorrupt) {
				return 0, err
			}
		}
		if len(r.segments) > 0 {
			return r.segments[0].firstSequence, nil
		}
	}
	return 0, err
}

// add classes one segment as used or unused, by its header.
func (r *Recovery) add(number uint64) error {
	e := extent{number: number, path: filepath.Join(r.dir, nameOf(number))}
	start, size, err := r.fs.ReadStart(e.path, segmentHeaderLen)
	if err != nil {
		return err
	}
	e.size = size

	header, err := readHeader(e.path, start, size)
	if err != nil {
		return err
	}
	if header.number != number || header.prepared() {
		return r.addUnused(e, header)
	}
	e.firstSequence, e.lastSequence = header.firstSequence, header.firstSequence-1
	r.known = max(r.known, e.lastSequence)
	r.segments = append(r.segments, e)
	return nil
}

// addUnused adds a segment that no values were lost with: it is not in use under its number, and the values
// that it held under another are in the tree.
func (r *Recovery) addUnused(e extent, header segmentHeader) error {
	data, err := r.fs.ReadFile(e.path)
	if err != nil {
		return err
	}
	if reach, _ := lookBehind(data, e.number, 0); reach > 0 {
		return corruptAt(e.path, 0, "the segment's header is not the one that was durable when its frames were written")
	}
	before := extent{number: header.number, firstSequence: header.firstSequence}
	before.measure(data)
	if !header.prepared() && before.lastSequence > r.watermark {
		return corruptAt(e.path, 0, fmt.Sprintf("it holds values up to %d under the name of another segment; its number is %d",
			before.lastSequence, header.number))
	}
	r.unused = append(r.unused, e)
	return nil
}

// chooseNeeded marks the segments that hold values above the watermark. The last one always might.
func (r *Recovery) chooseNeeded() {
	for i := range r.segments {
		last := i == len(r.segments)-1
		r.segments[i].needed = last || r.segments[i+1].firstSequence > r.watermark+1
	}
}

// measure finds the valid part of a needed segment, and holds it against the one before.
func (r *Recovery) measure(i int) error {
	e := &r.segments[i]
	if !e.needed {
		return nil
	}
	first := i == 0 || !r.segments[i-1].needed
	if e.firstSequence > r.next || !first && e.firstSequence != r.next {
		return corruptAt(e.path, 0, fmt.Sprintf("it begins with value %d; want %d, so a segment before it is missing or incomplete",
			e.firstSequence, r.next))
	}
	data, err := r.fs.ReadFile(e.path)
	if err != nil {
		return err
	}
	if state := e.measure(data); !e.sealed {
		if err := r.endOfLog(i, data, state); err != nil {
			return err
		}
	}
	r.next = max(r.next, e.lastSequence+1)
	return nil
}

// endOfLog decides whether a segment may end without a seal where it does.
func (r *Recovery) endOfLog(i int, data []byte, state frameState) error {
	e := &r.segments[i]
	if i < len(r.segments)-1 {
		if e.end == segmentHeaderLen && e.firstSequence == r.segments[i+1].firstSequence {
			return nil // it never had a frame: writing its header failed, and so did removing it
		}
		return corruptAt(e.path, e.end, "a frame is damaged, and later segments follow")
	}
	reach, last := lookBehind(data, e.number, e.end)
	if reach > e.end {
		return corruptAt(e.path, e.end, fmt.Sprintf("a frame is damaged that was durable (up to offset %d) when a later one was written", reach))
	}
	if last > 0 {
		r.DroppedBytes = last - e.end
	} else if state == badFrame {
		r.DroppedBytes = frameHeaderLen
	}
	return nil
}

// mostLeadingZeros is how many zero bytes a frame can begin with: its header's checksum is not 0.
const mostLeadingZeros = headerChecksumAt + 3

// lookBehind searches for good frames at and behind offset. It returns the greatest offset that any of
// them knew to be durable, and where the last of them ends; 0 where there is none.
func lookBehind(data []byte, number uint64, offset int64) (reach, last int64) {
	for at := max(offset, segmentHeaderLen); at+frameHeaderLen <= int64(len(data)); {
		// Most of it has never been written to, and a frame begins with at most so many zeros.
		if zeros := leadingZeros(data[at:]); zeros > mostLeadingZeros {
			at += zeros - mostLeadingZeros
		}
		f, state := readFrame(data, number, at)
		if state != goodFrame {
			at++
			continue
		}
		reach = max(reach, f.durable)
		at += f.size()
		last = at
	}
	return reach, last
}

// leadingZeros returns how many zero bytes data begins with.
func leadingZeros(data []byte) int64 {
	n := 0
	for n+8 <= len(data) && binary.LittleEndian.Uint64(data[n:]) == 0 {
		n += 8
	}
	for n < len(data) && data[n] == 0 {
		n++
	}
	return int64(n)
}

func corruptAt(path string, offset int64, what string) error {
	return fmt.Errorf("%w: log segment %s at offset %d: %s", daybook.ErrCorrupt, path, offset, what)
}

// NextSequence is the sequence number of the value that will be appended next.
func (r *Recovery) NextSequence() uint64 { return r.next }

// LastAssigned is the greatest sequence number of which the log shows that it was given out, be the value there or not.
func (r *Recovery) LastAssigned() uint64 { return max(r.known, r.next-1) }

// LastSegment is the greatest number of any segment.
func (r *Recovery) LastSegment() uint64 { return r.lastNumber }

// Size is how many bytes the segments occupy.
func (r *Recovery) Size() (total int64) {
	for _, segments := range [][]extent{r.segments, r.unused} {
		for _, e := range segments {
			total += e.size
		}
	}
	return total
}

// Replay calls fn for every frame above the watermark, in order, with the sequence number of its first
// value. The payload is valid during the call.
func (r *Recovery) Replay(fn func(firstSequence uint64, payload []byte, values int) error) error {
	for _, e := range r.segments {
		if e.needed {
			if err := r.replay(e, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Recovery) replay(e extent, fn func(uint64, []byte, int) error) error {
	data, err := r.fs.ReadFile(e.path)
	if err != nil {
		return err
	}
	sequence := e.firstSequence
	for at := int64(segmentHeaderLen); at < e.end; {
		f, state := readFrame(data, e.number, at)
		if state != goodFrame || f.sealed() {
			return corruptAt(e.path, at, "a frame changed while the log was read")
		}
		if sequence > r.watermark {
			if err := fn(sequence, f.payload, int(f.values)); err != nil {
				return fmt.Errorf("log segment %s at offset %d: %w", e.path, at, err)
			}
		}
		sequence += uint64(f.values)
		at += f.size()
	}
	return nil
}

// Open makes the log ready to append: the last segment gets its seal, and a new one will follow it.
// notBefore is a segment number that the new segments must exceed.
func (r *Recovery) Open(notBefore uint64, opts Options) (*Log, error) {
	if err := r.fs.MkdirAll(r.dir); err != nil {
		return nil, err
	}
	// Whoever made it may not have come so far.
	if err := r.fs.SyncDir(filepath.Dir(r.dir)); err != nil {
		return nil, err
	}
	for _, path := range r.unfinished {
		if err := r.fs.Remove(path); err != nil {
			return nil, err
		}
	}
	if r.DroppedBytes > 0 {
		opts.Logger.Warn("daybook: dropped the unacknowledged tail of the log", "dir", r.dir, "bytes", r.DroppedBytes)
	}
	l := newLog(r.dir, r.fs, opts, max(r.lastNumber, notBefore)+1, r.next)
	for _, e := range r.unused {
		l.released = append(l.released, spare{path: e.path, size: e.size})
	}
	for i, e := range r.segments {
		if i == len(r.segments)-1 {
			if err := r.seal(&e); err != nil {
				return nil, err
			}
		}
		if !e.needed { // its values are in the tree
			e.lastSequence = min(r.watermark, r.segments[i+1].firstSequence-1)
		}
		l.sealed = append(l.sealed, e)
	}
	return l, nil
}

// seal ends the last segment and makes all of it durable, before anything is appended behind it. What was
// read of it need not be on the disk: the process may have died before a sync, or the sync may have
// failed, after which the operating system takes the pages for clean and a sync alone writes nothing. So
// its frames are written once more. It overwrites, so it needs no space.
func (r *Recovery) seal(e *extent) error {
	data, err := r.fs.ReadFile(e.path)
	if err != nil {
		return err
	}
	if err := e.verify(data); err != nil {
		return err
	}
	file, err := r.fs.Open(e.path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := writeDurably(file, data[:e.end], 0); err != nil {
		return err
	}
	// Only now can the seal vouch for them, and damage to any of them be told from a torn tail.
	end := frame{durable: e.end}
	if err := writeDurably(file, end.append(nil, e.number, e.end), e.end); err != nil {
		return err
	}
	e.sealed = true
	return nil
}

func writeDurably(file disk.File, data []byte, offset int64) error {
	if _, err := file.WriteAt(data, offset); err != nil {
		return err
	}
	return file.Datasync()
}
