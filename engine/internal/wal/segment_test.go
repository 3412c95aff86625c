// SPDX-License-Identifier: Apache-2.0

package wal

import (
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
