// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestTailOfCompressedTexts cuts the first values off a column of texts that are compressed. Those
// of the tail are compressed, unless that saves nothing, as with a few bytes.
func TestTailOfCompressedTexts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const count = 400
	sentence := func() (text string) {
		for range 12 {
			text += randomWords(random) + " "
		}
		return text
	}
	for _, test := range []struct {
		name       string
		text       func() string // in the tail
		tail       int           // number of values
		compressed bool
	}{
		{"sentences", sentence, 200, true},
		{"a few short texts", func() string { return randomText(random, 8) }, 5, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			entries := memberEntries(count, func(i int) string {
				text := sentence()
				if i >= count-test.tail {
					text = test.text()
				}
				return fmt.Sprintf(`{"%s":%d,"text":"%s"}`, strings.Repeat("long name ", 20), i, text)
			})
			key, chunk := memberChunk(entries)
			if chunk == nil || !isCompressed(t, key, chunk) {
				t.Fatal("the values are not encoded as members, or their texts are not compressed")
			}
			var o Opened
			if err := coder.Open(&o, key, chunk); err != nil {
				t.Fatal(err)
			}
			tailKey, tail, err := coder.cutMembers(&o, []byte("r"), count-test.tail)
			if err != nil || tail == nil {
				t.Fatalf("got %d bytes, %v; want a tail", len(tail), err)
			}
			if compressed := isCompressed(t, tailKey, tail); compressed != test.compressed {
				t.Errorf("the texts of the tail are compressed: %v; want %v", compressed, test.compressed)
			}
			var b Buffer
			checkDecodes(t, &b, tailKey, tail, entries[count-test.tail:])
		})
	}
}

// isCompressed reports whether a chunk of members has compressed texts.
func isCompressed(t *testing.T, key, chunk []byte) bool {
	t.Helper()
	h, err := ReadHeader(key, chunk)
	if err != nil || h.encoding != encodingMembers {
		t.Fatalf("encoding %d, %v; want members", h.encoding, err)
	}
	return hasFrame(&h)
}
