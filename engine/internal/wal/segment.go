// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// segment is one file of the log, and its valid part.
type segment struct {
	number        uint64
	path          string
	size          int64  // of the file, in bytes
	blank         int64  // offset from which on no byte has been written yet; 0: all have been, or may
	firstSequence uint64 // sequence number of the first value; 0: prepared
	lastSequence  uint64 // sequence number of the last value; firstSequence - 1: no values
	version       uint32 // of the header; 0: the current one
	origin        identity.Origin
	end           int64  // offset after the last good frame; 0: not measured
	sealed        bool   // a seal is at end
	needed        bool   // has values above the watermark
	data          []byte // as Scan read it, if another process appends to the log
}

// header returns the header of the segment while it is in use.
func (s *segment) header() segmentHeader {
	return segmentHeader{
		number: s.number, firstSequence: s.firstSequence, size: s.size, version: s.version, origin: s.origin,
	}
}

// begin returns the offset of the first frame.
func (s *segment) begin() int64 { return s.header().len() }

// hasValues reports whether a segment in use, whose frames have been measured, has any.
func (s *segment) hasValues() bool { return s.end > s.begin() }

// preparedHeader returns the header of the segment before its first frame.
func (s *segment) preparedHeader() segmentHeader {
	return segmentHeader{number: s.number, size: s.size}
}

// measure finds the valid part of a segment in its bytes: it sets end, lastSequence and sealed. It
// returns the state of the place after the valid part.
func (s *segment) measure(data []byte) frameState {
	s.end, s.lastSequence, s.sealed = s.begin(), s.firstSequence-1, false
	for {
		f, state := readFrame(data, s.number, s.end)
		if state != goodFrame {
			return state
		}
		if f.sealed() {
			s.sealed = true
			return state
		}
		s.end += f.size()
		s.lastSequence += uint64(f.values)
	}
}

// verify returns an error if the header or a frame up to end is damaged in data, the bytes of the
// segment.
func (s *segment) verify(data []byte) error {
	header, err := readHeader(s.path, data, int64(len(data)))
	if err != nil {
		return err
	}
	if header.number != s.number || header.firstSequence != s.firstSequence || header.origin != s.origin {
		return corruptAt(s.path, 0, "the segment has the header of another segment")
	}
	known := s.end
	if s.sealed {
		known += frameHeaderLen
	}
	found := *s
	found.measure(data[:min(known, int64(len(data)))])
	if found.end != s.end || found.sealed != s.sealed || found.lastSequence != s.lastSequence {
		return corruptAt(s.path, found.end, "a frame is damaged")
	}
	return nil
}

// readHeader decodes the header of a segment from start, the first bytes of a file of size bytes.
func readHeader(path string, start []byte, size int64) (segmentHeader, error) {
	header, err := decodeSegmentHeader(start)
	switch {
	case errors.Is(err, errNewerVersion):
		return header, fmt.Errorf("%w: %s: %w", daybook.ErrVersion, path, err)
	case size < plainHeaderLen, errors.Is(err, errHalfHeader):
		return header, corruptAt(path, size, "the segment has been cut off within its header")
	case err != nil:
		return header, corruptAt(path, 0, "the segment's header is damaged")
	case header.size > size:
		return header, corruptAt(path, size, fmt.Sprintf("the segment had %d bytes and has been cut off", header.size))
	}
	return header, nil
}

func corruptAt(path string, offset int64, cause string) error {
	return fmt.Errorf("%w: log segment %s at offset %d: %s", daybook.ErrCorrupt, path, offset, cause)
}

// findFrames searches for good frames at offset and after it. It returns the greatest offset that
// one of them knew to be durable, and the end of the last frame; 0 if there are none.
func findFrames(data []byte, number uint64, offset int64) (durable, end int64) {
	for at := max(offset, plainHeaderLen); at+frameHeaderLen <= int64(len(data)); {
		// Most of a segment is zeros that have never been overwritten.
		if zeros := leadingZeros(data[at:]); zeros > maxLeadingZeros {
			at += zeros - maxLeadingZeros
		}
		f, state := readFrame(data, number, at)
		if state != goodFrame {
			at++
			continue
		}
		durable = max(durable, f.durable)
		at += f.size()
		end = at
	}
	return durable, end
}

// maxLeadingZeros is the largest number of zero bytes that a frame can begin with. They end in the
// checksum of its header, which is not 0.
const maxLeadingZeros = headerChecksumAt + 3

// leadingZeros returns the number of zero bytes that data begins with.
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
