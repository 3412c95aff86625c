// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"encoding/binary"
	"hash/crc32"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/daybook-db/daybook/proof/journal"
)

// The format of the log is documented in package engine/internal/wal. The tests read it with their
// own code.
const (
	segmentHeaderLen = 104
	frameHeaderLen   = 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// logFrame is an undamaged frame of a segment.
type logFrame struct {
	offset, end int64
	durable     int64  // when the frame was written, the segment was durable up to this offset
	first, last uint64 // sequence numbers of the values
	record      string // of the first value
	seal        bool   // the frame has no values, and the segment ends after it
}

// logSegment is a segment of a log.
type logSegment struct {
	file   string // relative to the store
	data   []byte
	number uint64
	header bool       // it has an undamaged header with its number
	first  uint64     // sequence number of the first value
	frames []logFrame // with the seal
}

// end returns the offset after the last frame or the seal.
func (s *logSegment) end() int64 {
	if len(s.frames) == 0 {
		return segmentHeaderLen
	}
	return s.frames[len(s.frames)-1].end
}

// lastSequence returns the sequence number of the last value, or the one before first if there is
// no value.
func (s *logSegment) lastSequence() uint64 {
	last := s.first - 1
	for _, f := range s.frames {
		last = max(last, f.last)
	}
	return last
}

// readLog reads the segments of a store, in the order of their numbers. The store may be open.
func readLog(t *testing.T, store string) (segments []*logSegment) {
	t.Helper()
	log, err := journal.ReadImage(filepath.Join(store, logName))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(log.Files)) {
		number, err := strconv.ParseUint(strings.TrimSuffix(name, ".log"), 10, 64)
		if err != nil {
			continue
		}
		s := &logSegment{file: filepath.Join(logName, name), data: log.Files[name], number: number}
		s.parse()
		segments = append(segments, s)
	}
	return segments
}

func (s *logSegment) parse() {
	if len(s.data) < segmentHeaderLen || string(s.data[:8]) != "DAYBKLOG" ||
		crc32.Checksum(s.data[:40], castagnoli) != binary.LittleEndian.Uint32(s.data[40:]) ||
		crc32.Checksum(s.data[:100], castagnoli) != binary.LittleEndian.Uint32(s.data[100:]) ||
		binary.LittleEndian.Uint64(s.data[16:]) != s.number {
		return
	}
	s.header, s.first = true, binary.LittleEndian.Uint64(s.data[24:])
	sequence := s.first
	for at := int64(segmentHeaderLen); ; {
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

// frame reads the frame at an offset, if there is an undamaged one.
func (s *logSegment) frame(at int64) (f logFrame, ok bool) {
	if at+frameHeaderLen > int64(len(s.data)) {
		return f, false
	}
	header := s.data[at : at+frameHeaderLen]
	length := int64(binary.LittleEndian.Uint32(header))
	place := binary.LittleEndian.AppendUint64(nil, s.number)
	place = binary.LittleEndian.AppendUint64(place, uint64(at))
	sum := crc32.Checksum(append(place, header[:12]...), castagnoli)
	if sum != binary.LittleEndian.Uint32(header[12:]) || at+frameHeaderLen+length > int64(len(s.data)) {
		return f, false
	}
	payload := s.data[at+frameHeaderLen:][:length]
	body := binary.LittleEndian.AppendUint64(nil, s.number)
	body = append(append(body, header[:4]...), payload...)
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(header[16:]) {
		return f, false
	}
	return logFrame{
		offset: at, end: at + frameHeaderLen + length,
		durable: int64(binary.LittleEndian.Uint32(header[8:])),
		record:  firstRecord(payload),
		seal:    length == 0,
	}, true
}

// firstRecord returns the record of the first value of a batch.
func firstRecord(batch []byte) string {
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

// lastRecords returns the records of the last n frames of a log, in their order.
func lastRecords(t *testing.T, store string, n int) (records []string) {
	t.Helper()
	for _, s := range readLog(t, store) {
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

// logState derives the expectation of damage to a log.
type logState struct {
	segments  []*logSegment
	lastUsed  int // index of the last segment with a frame; -1: none
	watermark uint64
}

func newLogState(segments []*logSegment, watermark uint64) *logState {
	l := &logState{segments: segments, lastUsed: -1, watermark: watermark}
	for i, s := range segments {
		if len(s.frames) > 0 {
			l.lastUsed = i
		}
	}
	return l
}

// needed reports whether a segment has values that are not in the tree.
func (l *logState) needed(i int) bool { return l.segments[i].lastSequence() > l.watermark }

// expect returns the expectation of damage between two offsets of segment i. With tornTail, the
// values up to the sequence number keep must be there.
func (l *logState) expect(i int, from, to int64) (e expectation, keep uint64) {
	s := l.segments[i]
	switch {
	case from < segmentHeaderLen && s.header:
		return mustFind, 0
	case from < segmentHeaderLen && i > l.lastUsed:
		return mayFind, 0 // the segment is not used yet, and its header is empty
	case from >= s.end() || len(s.frames) == 0:
		return harmless, 0
	case i < l.lastUsed && l.needed(i):
		return mustFind, 0
	case i < l.lastUsed:
		return mayFind, 0 // all its values are in the tree
	}
	return l.expectInLast(s, from, to)
}

// expectInLast is expect for the frames of the last segment. A later frame proves that the damaged
// one was durable, if it is undamaged itself and was written after the damaged one had been synced.
// Without such a frame the damage looks like the torn tail of a crash.
func (l *logState) expectInLast(s *logSegment, from, to int64) (e expectation, keep uint64) {
	var hit *logFrame
	for k := range s.frames {
		f := &s.frames[k]
		switch damaged := f.offset < to && from < f.end; {
		case damaged && hit == nil:
			hit = f
		case !damaged && hit != nil && f.durable > hit.offset:
			return mustFind, 0
		}
	}
	if hit.seal {
		return mayFind, 0
	}
	return tornTail, max(hit.first-1, l.watermark)
}
