// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestFalseMembers has headers that contradict the body, although both checksums match. No value
// may be cut off, also if it alone is decoded.
func TestFalseMembers(t *testing.T) {
	for _, test := range memberTests {
		entries := memberEntries(8, test.value)
		key, chunk := memberChunk(entries)
		if chunk == nil || len(chunk) > 1000 {
			continue
		}
		h, err := ReadHeader(key, chunk)
		if err != nil {
			t.Fatal(err)
		}
		whole, body := h.ValueBytes, bytes.Clone(h.body)
		for h.ValueBytes = 8; h.ValueBytes < 2*whole; h.ValueBytes++ {
			chunk := appendHeaderAndBody(nil, key, &h, encodingMembers, body)
			var b Buffer
			if err := coder.Decode(&b, key, chunk); (err == nil) != (h.ValueBytes == whole) {
				t.Errorf("%s: %d bytes in place of %d: Decode: got %v", test.name, h.ValueBytes, whole, err)
			}
			newest := Range{End: math.MaxUint64, Limit: 1, Newest: true}
			err := coder.DecodeRange(&b, key, chunk, newest)
			if err == nil && !slices.EqualFunc(b.Entries, entries[7:], equalEntries) ||
				err != nil && (!errors.Is(err, ErrCorrupt) || h.ValueBytes >= whole) {
				t.Errorf("%s: %d bytes in place of %d: got %v, %v", test.name, h.ValueBytes, whole, b.Entries, err)
			}
			if _, _, err := coder.Tail(key, chunk, 1); (err == nil) != (h.ValueBytes == whole) {
				t.Errorf("%s: %d bytes in place of %d: Tail: got %v", test.name, h.ValueBytes, whole, err)
			}
			joined, err := coder.Join(key, []EncodedChunk{{key, chunk}}, nil)
			if h.ValueBytes != whole && joined != nil || h.ValueBytes == whole && err != nil {
				t.Errorf("%s: %d bytes in place of %d: Join: %v", test.name, h.ValueBytes, whole, err)
			}
		}
	}
}

// TestMemberDamage is TestChunkDamage for chunks of members with each kind of column.
func TestMemberDamage(t *testing.T) {
	for _, test := range memberTests {
		key, chunk := memberChunk(memberEntries(40, test.value))
		if chunk == nil || len(chunk) > 600 {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			checkFlips(t, key, chunk)
			checkCuts(t, key, chunk)
		})
	}
	random := rand.New(rand.NewPCG(1, 2))
	key, chunk := memberChunk(memberEntries(30, func(int) string { return `"` + randomWords(random) + `"` }))
	t.Run("texts in a frame", func(t *testing.T) {
		checkFlips(t, key, chunk)
		checkCuts(t, key, chunk)
	})
}
