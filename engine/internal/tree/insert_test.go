// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"math/rand/v2"
	"testing"

	"github.com/daybook-db/daybook/codec"
)

// TestShouldMerge has a neighbour of 10 values of 100 bytes of noise, and runs of other lengths.
func TestShouldMerge(t *testing.T) {
	random, entries := rand.NewChaCha8([32]byte{1}), []codec.Entry(nil)
	for i := range uint64(10) {
		noise := make([]byte, 100)
		_, _ = random.Read(noise)
		entries = append(entries, codec.Entry{Timestamp: i, Sequence: i + 1, Value: noise})
	}
	key := codec.Key{Record: "r"}.Append(nil)
	encoded := codec.NewCoder().AppendChunk(nil, key, entries)
	header, err := codec.ReadHeader(key, encoded)
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte(nil), encoded...)
	damaged[len(damaged)-1] ^= 1
	for _, test := range []struct {
		name        string
		encoded     []byte
		count       int // of the run
		size        uint64
		chunkValues int
		maxBytes    uint64
		want        bool
	}{
		{"more than half as long", encoded, 6, 501, 100, 10_000, true},
		{"half as many values", encoded, 5, 501, 100, 10_000, false},
		{"half as many bytes", encoded, 6, 500, 100, 10_000, false},
		{"full of values", encoded, 6, 501, 10, 10_000, false},
		{"full of bytes", encoded, 6, 501, 100, 1000, false},
		{"too many values together", encoded, 6, 501, 15, 10_000, false},
		{"as many values as a chunk has together", encoded, 6, 501, 16, 10_000, true},
		{"too many bytes together", encoded, 6, 501, 100, 1500, false},
		{"as many bytes as a chunk has together", encoded, 6, 501, 100, 1501, true},
		{"full of values, beside long ones", encoded, 6, 3300, 10, 1600, false},
		{"full of bytes, beside many values", encoded, 41, 501, 40, 1000, false},
		{"damaged", damaged, 6, 501, 100, 10_000, false},
	} {
		w := &writeTx{opts: Options{ChunkValues: test.chunkValues}}
		c := &chunk{key: key, encoded: test.encoded, Header: header}
		if got := w.shouldMerge(c, test.count, test.size, test.maxBytes); got != test.want {
			t.Errorf("%s: merges: %v; want %v", test.name, got, test.want)
		}
	}
}
