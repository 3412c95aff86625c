// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"
)

// TestFramesAfterZeros checks that findFrames finds a frame at any offset after zeros, also a frame
// that begins with zeros itself.
func TestFramesAfterZeros(t *testing.T) {
	const number = 7
	for offset := int64(segmentHeaderLen); offset < segmentHeaderLen+64; offset++ {
		for _, f := range []frame{{}, {durable: 1 << 24}, {payload: []byte("x"), values: 1 << 16, durable: 9}} {
			segment := append(make([]byte, offset), f.append(nil, number, offset)...)
			segment = append(segment, make([]byte, 40)...)
			durable, end := findFrames(segment, number, segmentHeaderLen)
			if durable != f.durable || end != offset+f.size() {
				t.Errorf("%+v at offset %d: found durable %d and end %d", f, offset, durable, end)
			}
		}
	}
	// A seal whose header checksum begins with zeros too.
	for number := uint64(0); number < 100_000; number++ {
		var seal frame
		encoded := seal.append(nil, number, segmentHeaderLen)
		if encoded[headerChecksumAt] != 0 || encoded[headerChecksumAt+1] != 0 {
			continue
		}
		segment := append(make([]byte, segmentHeaderLen), encoded...)
		if _, end := findFrames(segment, number, 0); end != segmentHeaderLen+frameHeaderLen {
			t.Errorf("the seal of segment %d, which begins with %d zeros, was not found", number, leadingZeros(encoded))
		}
	}
}

// TestFrameOfAnotherSegment reads frames under the number of another segment, as in a file that was
// recycled. Each of the two checksums must show it.
func TestFrameOfAnotherSegment(t *testing.T) {
	f := frame{payload: []byte("payload"), values: 1}
	const offset = segmentHeaderLen
	ours, theirs := f.append(make([]byte, offset), 7, offset), f.append(make([]byte, offset), 8, offset)
	if got, state := readFrame(ours, 7, offset); state != goodFrame || !bytes.Equal(got.payload, f.payload) {
		t.Errorf("in its own segment: got %+v, state %d", got, state)
	}
	if _, state := readFrame(theirs, 7, offset); state != noFrame {
		t.Errorf("a frame of another segment: got state %d; want that there is none", state)
	}
	mixed := bytes.Clone(ours)
	copy(mixed[offset+16:], theirs[offset+16:offset+frameHeaderLen])
	if _, state := readFrame(mixed, 7, offset); state != badFrame {
		t.Errorf("a payload of another segment: got state %d; want that it is damaged", state)
	}
	if _, state := readFrame(append(make([]byte, 1), ours...), 7, offset+1); state != noFrame {
		t.Errorf("a frame at another offset: got state %d; want that there is none", state)
	}
}

// TestHeaderWithoutSize decodes a header with correct checksums whose size is no size.
func TestHeaderWithoutSize(t *testing.T) {
	for size, want := range map[int64]error{0: nil, 1 << 40: nil, -1: errNoHeader, -1 << 63: errNoHeader} {
		data := segmentHeader{number: 1, firstSequence: 1, size: size}.append(nil)
		header, err := decodeSegmentHeader(data)
		if !errors.Is(err, want) || err == nil && header.size != size {
			t.Errorf("size %d: got %+v, %v; want %v", size, header, err, want)
		}
		if got := int64(binary.LittleEndian.Uint64(data[32:])); got != size {
			t.Errorf("size %d is written as %d", size, got)
		}
	}
}

// TestLargeBufferIsNotKept appends a large frame. The memory for it is not kept.
func TestLargeBufferIsNotKept(t *testing.T) {
	log := mustOpen(t, newMemDisk(), 0, 0)
	defer mustClose(t, log)
	for _, length := range []int{100, maxBuffer + 1, 100} {
		mustAppend(t, log, numbered(0, length, 1))
		if cap(log.buffer) > maxBuffer {
			t.Errorf("after a frame of %d bytes the log keeps a buffer of %d", length, cap(log.buffer))
		}
	}
}

func TestNumberOfName(t *testing.T) {
	tests := []struct {
		name      string
		number    uint64
		segment   bool
		temporary bool
		reason    string
	}{
		{nameOf(7), 7, true, false, "a segment"},
		{temporaryNameOf(7), 7, false, true, "a segment that is being made"},
		{nameOf(math.MaxUint64), math.MaxUint64, true, false, "the greatest number"},
		{"18446744073709551616.log", 0, false, false, "greater than all numbers"},
		{"0000000000000000007.log", 0, false, false, "a digit is missing"},
		{"000000000000000000007.log", 0, false, false, "a digit too many"},
		{"+0000000000000000007.log", 0, false, false, "a sign is no digit"},
		{"0000000000000_000007.log", 0, false, false, "nor is an underscore"},
		{"00000000000000000007.corrupt-1.log", 0, false, false, "a file in quarantine"},
		{"00000000000000000007.LOG", 0, false, false, "another extension"},
		{".log", 0, false, false, "no number"},
	}
	for _, test := range tests {
		number, segment := numberOf(test.name)
		if temporary, is := temporaryNumberOf(test.name); is {
			number = temporary
		}
		if is := isTemporary(test.name); segment != test.segment || is != test.temporary || number != test.number {
			t.Errorf("%s (%s): got %d, segment %v, temporary %v; want %d, %v, %v", test.name, test.reason,
				number, segment, is, test.number, test.segment, test.temporary)
		}
	}
}
