// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"flag"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var writeEncodings = flag.Bool("write-encodings", false, "TestEncodings writes testdata/encodings.txt")

// TestEncodings compares what is encoded, byte by byte, with what was encoded before. Values that
// take more bytes than they need are decoded all the same, so no other test notices them. A change
// of the encoder shows in the file which values it makes longer and which shorter.
//
// A line is: the encoding, its length in bytes, its checksum, and the same of the tail with the
// last half of the values. zstd stands for what another version of zstd may make shorter.
func TestEncodings(t *testing.T) {
	var got bytes.Buffer
	for _, test := range memberTests {
		writeBodies(t, &got, test.name, memberEntries(120, test.value))
	}
	for _, test := range templateTests {
		values := test.values
		writeBodies(t, &got, test.name, memberEntries(100, func(i int) string { return values[i%len(values)] }))
	}
	for _, series := range exactFloats {
		for form, text := range formTexts {
			random := rand.New(rand.NewPCG(1, 2))
			name := fmt.Sprintf("%s, form %d", series.name, form)
			writeBodies(t, &got, name, memberEntries(80, func(i int) string {
				return fmt.Sprintf(`{"x":%s,"on":true}`, text(series.next(i, random)))
			}))
		}
	}
	writeIntColumns(&got)
	path := filepath.Join("testdata", "encodings.txt")
	if *writeEncodings {
		if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := func(text []byte) []string { return strings.Fields(strings.ReplaceAll(string(text), " ", "_")) }
	if diff := cmp.Diff(lines(want), lines(got.Bytes())); diff != "" {
		t.Errorf("encodings (-want +got); -write-encodings writes them:\n%s", diff)
	}
}

// writeBodies writes a line for the body of templates, and one for the body of members, of entries
// that have it.
func writeBodies(t *testing.T, to *bytes.Buffer, name string, entries []Entry) {
	t.Helper()
	h := headerOf(entries)
	key, _ := encode(entries)
	for encoding, body := range [...][]byte{
		encodingTemplates: appendTemplateBody(nil, entries, &h, maxTemplates),
		encodingMembers:   coder.appendMemberBody(nil, entries, &h),
	} {
		if len(body) == 0 {
			continue
		}
		chunk := appendHeaderAndBody(nil, key, &h, byte(encoding), body)
		tailKey, tail, err := coder.Tail(key, chunk, len(entries)/2)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		fmt.Fprintf(to, "%s: %s, tail %s\n", name, describe(t, key, chunk), describe(t, tailKey, tail))
	}
}

// describe returns the encoding, the length and the checksum of a chunk.
func describe(t *testing.T, key, chunk []byte) string {
	h, err := ReadHeader(key, chunk)
	if err != nil {
		t.Fatal(err)
	}
	if h.encoding == encodingZstd || h.encoding == encodingMembers && hasFrame(&h) {
		return "zstd"
	}
	return fmt.Sprintf("%d %d %08x", h.encoding, len(chunk), crc32.Checksum(chunk, Castagnoli))
}

// hasFrame reports whether a chunk of members has a column of texts in a frame.
func hasFrame(h *Header) bool {
	var t memberBody
	return !t.parse(h) || slices.ContainsFunc(t.columns, func(c storedColumn) bool {
		return c.numbers == nil && c.texts.kind == placeZstd
	})
}

// exactFloats are series of floats that are the same on every machine.
var exactFloats = []struct {
	name string
	next func(i int, random *rand.Rand) float64
}{
	{"three decimals", func(_ int, random *rand.Rand) float64 { return float64(random.IntN(40_000)) / 1000 }},
	{"first a half", func(i int, random *rand.Rand) float64 {
		if i == 0 {
			return 0.5
		}
		return float64(random.IntN(1<<30)) / 1e5 / 3 * 3
	}},
	{"16ths", func(_ int, random *rand.Rand) float64 { return float64(random.IntN(1<<16)-1<<15) / 16 }},
	{"1024ths around zero", func(_ int, random *rand.Rand) float64 { return float64(random.IntN(1<<11)-1<<10) / 1024 }},
	{"16384ths", func(_ int, random *rand.Rand) float64 { return float64(random.IntN(1<<16)-1<<15) / 16384 }},
	{"2^-40ths", func(_ int, random *rand.Rand) float64 { return float64(random.IntN(1<<20)) / (1 << 40) }},
	{"2^-201ths", func(_ int, random *rand.Rand) float64 {
		return float64(1+random.IntN(7)) / (1 << 100) / (1 << 101)
	}},
	{"32 bits", func(_ int, random *rand.Rand) float64 { return float64(float32(random.Uint32()) / 3) }},
	{"32 bits of two decimals", func(_ int, random *rand.Rand) float64 {
		return float64(float32(float64(random.IntN(9000)-4500) / 100))
	}},
	{"thirds", func(_ int, random *rand.Rand) float64 { return float64(random.Int64N(1<<40)-1<<39) / 3 }},
	{"all exponents", func(_ int, random *rand.Rand) float64 {
		return float64(random.IntN(1000)-500) / floatPowers[random.IntN(23)] * floatPowers[random.IntN(23)]
	}},
	{"whole", func(_ int, random *rand.Rand) float64 { return float64(random.IntN(100)) * 1e19 }},
	{"mostly the same", func(i int, random *rand.Rand) float64 { return 1.0 / float64(3+i/30) }},
}

// writeIntColumns writes a line for each kind of integers, with columns of several widths.
func writeIntColumns(to *bytes.Buffer) {
	for _, kind := range []string{"near", "far", "repeated", "ascending", "ascending with gaps", "divided", "runs"} {
		for _, count := range []int{1, 2, 3, 15, 16, 17, 40, 200} {
			var all []byte
			for width := range 64 {
				all = appendIntColumn(all, ints(kind, count, width))
			}
			fmt.Fprintf(to, "%d integers, %s: %d %08x\n", count, kind, len(all), crc32.Checksum(all, Castagnoli))
		}
	}
}

// ints returns integers of a kind, which differ by numbers of a width in bits.
func ints(kind string, count, width int) (values []uint64) {
	random := rand.New(rand.NewPCG(uint64(width), uint64(count)))
	for i := range count {
		v := random.Uint64N(1 << width)
		switch last := max(0, i-1); {
		case kind == "far" && random.IntN(12) == 0:
			v = random.Uint64()
		case kind == "repeated" && i > 0 && random.IntN(5) > 0, kind == "runs" && i > 0 && i%9 != 0:
			v = values[last]
		case kind == "ascending" && i > 0:
			v += values[last]
		case kind == "ascending with gaps" && i > 0:
			if v += values[last]; random.IntN(20) == 0 {
				v += 1 << 40
			}
		case kind == "divided":
			v *= 250
		}
		values = append(values, v)
	}
	return values
}
