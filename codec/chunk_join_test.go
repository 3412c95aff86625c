// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// checkJoin cuts entries into chunks and remaining entries, and joins them again.
func checkJoin(t *rapid.T, b *Buffer, entries []Entry) {
	t.Helper()
	var chunks []EncodedChunk
	remaining := entries
	for len(remaining) > 1 && rapid.Bool().Draw(t, "another chunk") {
		n := rapid.IntRange(1, len(remaining)-1).Draw(t, "length")
		key, chunk := encode(remaining[:n])
		chunks, remaining = append(chunks, EncodedChunk{key, chunk}), remaining[n:]
	}
	key := Key{Record: "record", Timestamp: entries[0].Timestamp, Ordinal: 3}.Append(nil)
	joined, err := coder.Join(key, chunks, remaining)
	if err != nil {
		t.Fatal(err)
	}
	if joined != nil {
		checkDecodes(t, b, key, joined, entries)
	}
}

// TestJoins has a chunk of each encoding.
func TestJoins(t *testing.T) {
	for encoding, want := range [...]bool{
		encodingPlain: false, encodingZstd: false, encodingTemplates: true, encodingMembers: true,
	} {
		h := Header{encoding: byte(encoding)}
		if got := h.Joins(); got != want {
			t.Errorf("encoding %d joins: %v", encoding, got)
		}
	}
}

// TestJoin compares joined chunks with the same values encoded at once.
func TestJoin(t *testing.T) {
	var entries []Entry
	random := rand.New(rand.NewPCG(1, 2))
	for i := range uint64(600) {
		celsius := strconv.FormatFloat(float64(random.IntN(2000)-1000)/100, 'f', -1, 64)
		value := fmt.Sprintf(`{"c":%s,"n":%d}`, celsius, random.IntN(1000))
		if i%7 == 0 {
			value = fmt.Sprintf(`{"at":"%02d:%02d"}`, random.IntN(24), random.IntN(60))
		}
		entries = append(entries, Entry{i * 1000, i + 1, []byte(value)})
	}
	key, want := encode(entries)
	var chunks []EncodedChunk
	for _, piece := range [][]Entry{entries[:100], entries[100:150], entries[150:400]} {
		key, chunk := encode(piece)
		chunks = append(chunks, EncodedChunk{key, chunk})
	}
	got, err := coder.Join(key, chunks, entries[400:])
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v; want the %d bytes of the values encoded at once", len(got), err, len(want))
	}
	if got, err := coder.Join(key, []EncodedChunk{chunks[1]}, entries[:100]); got != nil || err != nil {
		t.Errorf("out of order: got %d bytes, %v; want no chunk", len(got), err)
	}
	chunks[1].Chunk = chunks[1].Chunk[:len(chunks[1].Chunk)-1]
	if _, err := coder.Join(key, chunks, entries[400:]); !errors.Is(err, ErrCorrupt) {
		t.Errorf("with a chunk cut short: got %v, want ErrCorrupt", err)
	}
}

// TestJoinPays: values that zstd would make shorter are not joined to a chunk of templates.
func TestJoinPays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var entries []Entry
	for i := range uint64(2) {
		value := fmt.Appendf(nil, `{"ok":%d,"state":"open, closed, half of each"}`, random.Uint32())
		entries = append(entries, Entry{i, i + 1, value})
	}
	for i := range uint64(14) {
		digits := make([]string, 1000+i)
		for j := range digits {
			digits[j] = strconv.Itoa(random.IntN(10))
		}
		entries = append(entries, Entry{i + 2, i + 3, []byte("[" + strings.Join(digits, ",") + "]")})
	}
	key, first := encode(entries[:2])
	if first[1] != encodingTemplates {
		t.Fatalf("the first chunk has encoding %d", first[1])
	}
	_, atOnce := encode(entries)
	joined, err := coder.Join(key, []EncodedChunk{{key, first}}, entries[2:])
	if err != nil || len(joined) > len(atOnce) {
		t.Errorf("joined: %d bytes, %v; encoded at once: %d", len(joined), err, len(atOnce))
	}
}
