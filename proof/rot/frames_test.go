// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The log's format, as the documentation of engine/internal/wal draws it, read here by the test's own code.
const (
	rotSegmentHeader = 44
	rotFrameHeader   = 20
)

var rotCastagnoli = crc32.MakeTable(crc32.Castagnoli)

// rotFrame is a whole frame of a segment.
type rotFrame struct {
	offset, end int64
	durable     int64
	first, last uint64 // sequence numbers of its values
	record      string // of its first value
	seal        bool   // it has none: the segment ends here
}

// rotSegment is a segment as a killed process left it.
type rotSegment struct {
	file   string // relative to the store
	data   []byte
	number uint64
	header bool // it has a whole one, of its own number
	first  uint64
	frames []rotFrame // the seal included
}

// end is where the last frame, or the seal, ends.
func (s *rotSegment) end() int64 {
	if len(s.frames) == 0 {
		return rotSegmentHeader
	}
	return s.frames[len(s.frames)-1].end
}

// lastSequence is that of the last value in it, or the one before its first.
func (s *rotSegment) lastSequence() uint64 {
	last := s.first - 1
	for _, f := range s.frames {
		last = max(last, f.last)
	}
	return last
}

// rotReadLog reads a store's segments, by number.
func rotReadLog(t *testing.T, store string) (segments []*rotSegment) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(store, rotLog, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		number, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(path), ".log"), 10, 64)
		if err != nil {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := &rotSegment{file: filepath.Join(rotLog, filepath.Base(path)), data: data, number: number}
		s.parse()
		segments = append(segments, s)
	}
	return segments
}

func (s *rotSegment) parse() {
	if len(s.data) < rotSegmentHeader || string(s.data[:8]) != "DAYBKLOG" ||
		crc32.Checksum(s.data[:40], rotCastagnoli) != binary.LittleEndian.Uint32(s.data[40:]) ||
		binary.LittleEndian.Uint64(s.data[16:]) != s.number {
		return
	}
	s.header, s.first = true, binary.LittleEndian.Uint64(s.data[24:])
	sequence := s.first
	for at := int64(rotSegmentHeader); ; {
		f, ok := s.frame(at)
		if !ok {
			return
		}
		values := uint64(binary.LittleEndian.Uint32(s.data[at+4:]))
		f.first, f.last = sequence, sequence+values-1
		sequence += values
		s.frames = append(s.frames, f)
		if f.seal {
			return
		}
		at = f.end
	}
}

// frame reads the frame at an offset, if there is a whole one.
func (s *rotSegment) frame(at int64) (f rotFrame, ok bool) {
	if at+rotFrameHeader > int64(len(s.data)) {
		return f, false
	}
	header := s.data[at : at+rotFrameHeader]
	length := int64(binary.LittleEndian.Uint32(header))
	place := binary.LittleEndian.AppendUint64(nil, s.number)
	place = binary.LittleEndian.AppendUint64(place, uint64(at))
	sum := crc32.Checksum(append(place, header[:12]...), rotCastagnoli)
	if sum != binary.LittleEndian.Uint32(header[12:]) || at+rotFrameHeader+length > int64(len(s.data)) {
		return f, false
	}
	payload := s.data[at+rotFrameHeader:][:length]
	body := binary.LittleEndian.AppendUint64(nil, s.number)
	body = append(append(body, header[:4]...), payload...)
	if crc32.Checksum(body, rotCastagnoli) != binary.LittleEndian.Uint32(header[16:]) {
		return f, false
	}
	return rotFrame{
		offset: at, end: at + rotFrameHeader + length,
		durable: int64(binary.LittleEndian.Uint32(header[8:])),
		record:  rotFirstRecord(payload),
		seal:    length == 0,
	}, true
}

// rotFirstRecord is the name in the first value of a batch.
func rotFirstRecord(batch []byte) string {
	_, n := binary.Uvarint(batch)
	if n <= 0 {
		return ""
	}
	length, m := binary.Uvarint(batch[n:])
	if m <= 0 || length > uint64(len(batch)-n-m) {
		return ""
	}
	return string(batch[n+m:][:length])
}

// rotLastRecords returns the records of the last n frames in a log, in order.
func rotLastRecords(t *testing.T, store string, n int) (records []string) {
	t.Helper()
	for _, s := range rotReadLog(t, store) {
		for _, f := range s.frames {
			if !f.seal {
				records = append(records, f.record)
			}
		}
	}
	if len(records) < n {
		t.Fatalf("the log has %d frames; want at least %d", len(records), n)
	}
	return records[len(records)-n:]
}

// rotLogState judges what damage to a log may do.
type rotLogState struct {
	segments  []*rotSegment
	used      int // index of the last segment with a frame; -1: none
	watermark uint64
}

func newRotLogState(segments []*rotSegment, watermark uint64) *rotLogState {
	l := &rotLogState{segments: segments, used: -1, watermark: watermark}
	for i, s := range segments {
		if len(s.frames) > 0 {
			l.used = i
		}
	}
	return l
}

// needed reports whether a segment holds values that are not in the tree.
func (l *rotLogState) needed(i int) bool { return l.segments[i].lastSequence() > l.watermark }

// fate says what is to become of a store whose segment i is damaged from one offset to another. Where the fate
// is rotTorn, keep is the sequence number up to which values are left.
func (l *rotLogState) fate(i int, from, to int64) (fate rotFate, keep uint64) {
	s := l.segments[i]
	switch {
	case from < rotSegmentHeader && s.header:
		return rotLive, 0
	case from < rotSegmentHeader && i > l.used:
		return rotLax, 0 // a segment that is not in use yet, and whose header says nothing
	case from >= s.end() || len(s.frames) == 0:
		return rotDead, 0
	case i < l.used && l.needed(i):
		return rotLive, 0
	case i < l.used:
		return rotLax, 0 // all in the tree, not written over yet
	}
	return l.fateInLast(s, from, to)
}

// fateInLast is fate within the frames of the last segment. A later frame that was not hit, and that was written
// when the damaged one was durable already, vouches for it. If none does, nobody can tell the damage from the
// torn tail of a crash.
func (l *rotLogState) fateInLast(s *rotSegment, from, to int64) (fate rotFate, keep uint64) {
	var hit *rotFrame
	for k := range s.frames {
		f := &s.frames[k]
		switch damaged := f.offset < to && from < f.end; {
		case damaged && hit == nil:
			hit = f
		case !damaged && hit != nil && f.durable > hit.offset:
			return rotLive, 0
		}
	}
	if hit.seal {
		return rotLax, 0
	}
	return rotTorn, max(hit.first-1, l.watermark)
}
