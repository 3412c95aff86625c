// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// TestChunkDamage flips each bit of a chunk and of its key, and cuts both off at each byte.
func TestChunkDamage(t *testing.T) {
	mixed := []Entry{{1000, 3, []byte(`{"a":1}`)}, {1000, 4, []byte(`"b"`)}, {70000, 1, []byte(`null`)}}
	var regular, wordy []Entry
	var states []Entry
	for i := range 60 {
		reading := fmt.Appendf(nil, `{"celsius":21.%d,"ok":%v}`, i%7, i%5 > 0)
		regular = append(regular, Entry{uint64(i) * 1000, uint64(i) + 1, reading})
		word := fmt.Appendf(nil, `{"%s":"C"}`, strings.Repeat("x", i))
		state := fmt.Appendf(nil, `{"s":"%s","by":"%s.%d"}`, words[i*i%7], words[i*3%5], i%9)
		states = append(states, Entry{uint64(i) * 1000, uint64(i) + 1, state})
		wordy = append(wordy, Entry{uint64(i) * 1000, uint64(i) + 1, word})
	}
	tests := []struct {
		name    string
		entries []Entry
		want    byte   // encoding
		reason  string // why the row is here
	}{
		{"plain", mixed, encodingPlain, "the columns themselves are damaged"},
		{"templates", regular, encodingTemplates, "with a matching checksum, only contradictions show the damage"},
		{"members", states, encodingMembers, "the same, and texts that refer to others"},
		{"forms of integers", formsOfInts(t), encodingTemplates, "a divisor, runs and patches"},
		{"zstd", wordy, encodingZstd, "with a matching checksum, the decompressor gets garbage"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			key, chunk := encode(test.entries)
			if chunk[1] != test.want {
				t.Fatalf("encoding: got %d, want %d (%s)", chunk[1], test.want, test.reason)
			}
			checkFlips(t, key, chunk)
			checkCuts(t, key, chunk)
			checkRefused(t, "one byte more", key, append(slices.Clone(chunk), 0))
		})
	}
}

// formsOfInts returns values whose timestamps and numbers are columns of integers of all forms.
func formsOfInts(t *testing.T) (entries []Entry) {
	numbers, states := outliers(200), switched(200, 50)
	for i, at := range irregular(200, 1000, 20) {
		value := fmt.Appendf(nil, `{"on":%d,"n":%d}`, states[i], numbers[i])
		entries = append(entries, Entry{at, uint64(i) + 1, value})
	}
	key, chunk := encode(entries)
	h, err := ReadHeader(key, chunk)
	if err != nil {
		t.Fatal(err)
	}
	var body templateBody
	if !body.parse(&h) {
		t.Fatal("the body is not valid")
	}
	places := body.templates[0].places
	divisor, on, number := body.timestamps.divisor, places[0].column.form, places[1].column.form
	if divisor != 1000 || on != tagRuns || number != tagPatched {
		t.Fatalf("timestamps divided by %d; numbers of form %d and %d", divisor, on, number)
	}
	return entries
}

// checkFlips flips each bit of the chunk and of the key. A chunk with matching checksums may
// decode, but must not cause a panic.
func checkFlips(t *testing.T, key, chunk []byte) {
	t.Helper()
	for bit := range len(chunk) * 8 {
		damaged := flip(chunk, bit)
		checkRefused(t, fmt.Sprintf("bit %d of the chunk", bit), key, damaged)
		if bit/8 < headerChecksumAt || bit/8 >= headerFieldsAt {
			setChecksums(key, damaged)
			checkNoPanic(fmt.Sprintf("bit %d of the chunk, with matching checksums", bit), key, damaged)
		}
	}
	for bit := range len(key) * 8 {
		checkRefused(t, fmt.Sprintf("bit %d of the key", bit), flip(key, bit), chunk)
	}
}

// checkCuts cuts the chunk and the key off at each byte.
func checkCuts(t *testing.T, key, chunk []byte) {
	t.Helper()
	for n := range chunk {
		checkRefused(t, fmt.Sprintf("chunk cut to %d bytes", n), key, chunk[:n])
		if n >= headerFieldsAt {
			cut := slices.Clone(chunk[:n])
			setChecksums(key, cut)
			checkRefused(t, fmt.Sprintf("chunk cut to %d bytes, with matching checksums", n), key, cut)
		}
	}
	for n := range key {
		checkRefused(t, fmt.Sprintf("key cut to %d bytes", n), key[:n], chunk)
	}
}

func flip(data []byte, bit int) []byte {
	flipped := slices.Clone(data)
	flipped[bit/8] ^= 1 << (bit % 8)
	return flipped
}

func checkRefused(t *testing.T, what string, key, chunk []byte) {
	t.Helper()
	var b Buffer
	if err := coder.Decode(&b, key, chunk); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
		t.Errorf("%s: got %v, want ErrCorrupt or ErrVersion", what, err)
	}
	_, err := coder.DecodeSequences(&b, key, chunk, 0, math.MaxUint64)
	if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
		t.Errorf("%s: DecodeSequences: got %v, want ErrCorrupt or ErrVersion", what, err)
	}
	for _, wanted := range []Range{{End: math.MaxUint64, Limit: 1}, {End: math.MaxUint64, Limit: 1, Newest: true}} {
		err := coder.DecodeRange(&b, key, chunk, wanted)
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Errorf("%s: one value: got %v, want ErrCorrupt or ErrVersion", what, err)
		}
	}
}

// checkNoPanic decodes a chunk that may be anything. A panic says which chunk caused it.
func checkNoPanic(what string, key, chunk []byte) {
	defer func() {
		if p := recover(); p != nil {
			panic(fmt.Sprintf("%s: %v", what, p))
		}
	}()
	var b Buffer
	_ = coder.Decode(&b, key, chunk)
}

// setChecksums sets both checksums of a changed chunk, unless its header does not end.
func setChecksums(key, chunk []byte) {
	in := fieldReader{data: chunk[headerFieldsAt:]}
	for range 6 {
		in.uvarint()
	}
	if in.failed {
		return
	}
	headerLen := len(chunk) - in.remaining()
	binary.LittleEndian.PutUint32(chunk[bodyChecksumAt:], crc32.Checksum(in.rest(), Castagnoli))
	sum := checksumAround(key, chunk[:headerLen], headerChecksumAt)
	binary.LittleEndian.PutUint32(chunk[headerChecksumAt:], sum)
}

// TestRekeyKeepsDamage: a damaged chunk does not get matching checksums by getting another key.
func TestRekeyKeepsDamage(t *testing.T) {
	key, chunk := encode([]Entry{{1000, 3, []byte(`{"a":1}`)}, {1000, 4, []byte(`"b"`)}})
	newKey := Key{Record: "record", Timestamp: 1000, Ordinal: 1}.Append(nil)
	for bit := range len(chunk) * 8 {
		_, headerErr := ReadHeader(key, flip(chunk, bit))
		rekeyed, err := Rekey(key, flip(chunk, bit), newKey)
		if (err != nil) != (headerErr != nil) {
			t.Errorf("bit %d: Rekey: got %v; want the error of ReadHeader, %v", bit, err, headerErr)
		}
		if err == nil {
			checkRefused(t, fmt.Sprintf("bit %d, rekeyed", bit), newKey, rekeyed)
		} else if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Errorf("Rekey with bit %d flipped: got %v, want ErrCorrupt or ErrVersion", bit, err)
		}
	}
}

// headerFields are the count, span, sequence, range, value bytes and columns of a header.
type headerFields [6]uint64

// lyingChunk returns a chunk with matching checksums and any fields in its header.
func lyingChunk(key []byte, encoding byte, fields headerFields, body string) []byte {
	chunk := append([]byte{chunkVersion, encoding}, make([]byte, headerFieldsAt-headerChecksumAt)...)
	for _, field := range fields {
		chunk = binary.AppendUvarint(chunk, field)
	}
	chunk = append(chunk, body...)
	setChecksums(key, chunk)
	return chunk
}

// TestDecompressorErrors checks that the error of a decompressor stays in the chain.
func TestDecompressorErrors(t *testing.T) {
	key := Key{Record: "r", Timestamp: 1}.Append(nil)
	chunk := lyingChunk(key, encodingZstd, headerFields{1, 0, 1, 0, 1, 3}, "no zstd frame")
	var b Buffer
	if err := coder.Decode(&b, key, chunk); !errors.Is(err, ErrCorrupt) || !errors.Is(err, zstd.ErrMagicMismatch) {
		t.Errorf("Decode: got %v; want ErrCorrupt because of %v", err, zstd.ErrMagicMismatch)
	}
	batch := []byte("\x00\x05no s2 block")
	if _, err := ReadBatch(batch); !errors.Is(err, ErrCorrupt) || !errors.Is(err, s2.ErrCorrupt) {
		t.Errorf("ReadBatch: got %v; want ErrCorrupt because of %v", err, s2.ErrCorrupt)
	}
}

// The bodies of tinyChunks.
const (
	tinyPlainBody    = "\x00\x00\x011"
	tinyTemplateBody = "\x00\x00\x00\x00\x01\x00\x011"
	tinyMemberBody   = "\x00\x00\x00\x00\x01\x011\x00\x01\x00\x00"
	tinyZstdFrame    = "\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"
)

var tinyChunks = []struct {
	name     string
	encoding byte
	fields   headerFields
	body     string
	reason   string // why the row is here
}{
	{"count", encodingPlain, headerFields{1 << 40, 0, 1, 0, 1, 3}, tinyPlainBody, "an Entry takes 40 bytes"},
	{"largest count", encodingPlain, headerFields{math.MaxUint64, 0, 1, 0, 1, 3}, tinyPlainBody, "no int holds it"},
	{"count beyond the values", encodingPlain, headerFields{2, 0, 1, 0, 1, 6}, "\x00\x00\x00\x00\x01\x001",
		"a value has at least one byte"},
	{"value bytes", encodingPlain, headerFields{1, 0, 1, 0, 1 << 40, 3}, tinyPlainBody, "more than the body has"},
	{"columns", encodingPlain, headerFields{1, 0, 1, 0, 1, 1 << 40}, tinyPlainBody, "more than the body has"},
	{"sum overflows", encodingPlain, headerFields{1, 0, 1, 0, math.MaxUint64, 5}, tinyPlainBody,
		"2^64-1 plus 5 is 4, the length of the body"},
	{"zstd that decodes to less", encodingZstd, headerFields{1 << 20, 0, 1, 0, 1 << 30, 1 << 30}, tinyZstdFrame,
		"a frame of 9 bytes holds at most 256 KiB"},
	{"zstd, span overflows", encodingZstd, headerFields{1, math.MaxUint64, 1, 0, 1, 3}, tinyZstdFrame,
		"the last timestamp would precede the first"},
	{"range overflows", encodingPlain, headerFields{1, 0, 2, math.MaxUint64, 1, 3}, tinyPlainBody,
		"the highest sequence number would be less than the lowest"},
	{"no values", encodingPlain, headerFields{0, 0, 1, 0, 0, 0}, "", "a chunk has at least one value"},
	{"templates, many values", encodingTemplates, headerFields{1 << 17, 0, 1, 1<<17 - 1, 1 << 19, 0},
		"\x00\x00\x80\x00\x02\x01\x00\x041234", "more values than templates may encode"},
	{"templates, long values", encodingTemplates, headerFields{1, 0, 1, 0, 1 << 30, 0}, tinyTemplateBody,
		"longer values than templates may encode"},
	{"templates, many numbers", encodingTemplates, headerFields{1, 0, 1, 0, 1 << 20, 0},
		"\x00\x00\x00\x00\x01\xff\xff\x3f\x00\x00", "each number takes at least one byte of the body"},
	{"templates, many numbers of many values", encodingTemplates, headerFields{1 << 16, 0, 1, 0, 1 << 20, 0},
		manyNumbers(1<<16, 1, 60), "a number takes at least one byte of its value"},
	{"two templates, many numbers", encodingTemplates, headerFields{1 << 16, 0, 1, 0, 500_000, 0},
		manyNumbers(1<<16, 2, 12), "the numbers of both take bytes of the values"},
	{"zstd that decodes to much less", encodingZstd, headerFields{1, 0, 1, 0, 1 << 20, 3}, tinyZstdFrame,
		"a frame of 9 bytes holds at most 256 KiB"},
	{"templates, columns", encodingTemplates, headerFields{1, 0, 1, 0, 1, 3}, tinyTemplateBody,
		"a body of templates has no columns"},
	{"templates, none", encodingTemplates, headerFields{1, 0, 1, 0, 1, 0}, "\x00\x00\x00\x00\x00",
		"each value has a template"},
	{"templates, another length", encodingTemplates, headerFields{1, 0, 1, 0, 2, 0}, tinyTemplateBody,
		"the value is shorter than the header says"},
	{"templates, an unknown kind of place", encodingTemplates, headerFields{1, 0, 1, 0, 1, 0},
		"\x00\x00\x00\x00\x01\x01\x00\x00\x7f\x00\x00\x00\x00", "only some bytes begin a place"},
	{"templates, no kind of place", encodingTemplates, headerFields{1, 0, 1, 0, 1, 0},
		"\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00", "zero begins no place"},
	{"members, many values", encodingMembers, headerFields{1 << 17, 0, 1, 1<<17 - 1, 1 << 19, 0}, tinyMemberBody,
		"more values than members may encode"},
	{"members, long values", encodingMembers, headerFields{1, 0, 1, 0, 1 << 30, 0}, tinyMemberBody,
		"longer values than members may encode"},
	{"members, another length", encodingMembers, headerFields{1, 0, 1, 0, 2, 0}, tinyMemberBody,
		"the value is shorter than the header says"},
	{"members, many pieces", encodingMembers, headerFields{1, 0, 1, 0, 1 << 20, 0},
		"\x00\x00\x00\x00\xff\xff\x3f\x00", "each piece takes at least one byte of the body"},
	{"members, many columns", encodingMembers, headerFields{1, 0, 1, 0, 1 << 20, 0},
		"\x00\x00\x00\x00\x01\x00\xff\xff\x3f\x01\x00\x00", "there are bounds"},
	{"members, many templates", encodingMembers, headerFields{1, 0, 1, 0, 1 << 20, 0},
		"\x00\x00\x00\x00\x01\x00\x00\xff\xff\x3f\x00\x00", "there are bounds"},
	{"members, no template", encodingMembers, headerFields{1, 0, 1, 0, 1, 0}, "\x00\x00\x00\x00\x01\x011\x00\x00",
		"each value has a template"},
	{"members, a piece that is absent", encodingMembers, headerFields{1, 0, 1, 0, 1, 0},
		"\x00\x00\x00\x00\x01\x011\x00\x01\x00\x01", "the template refers to it"},
	{"members, a column that is absent", encodingMembers, headerFields{1, 0, 1, 0, 1, 0},
		"\x00\x00\x00\x00\x01\x00\x00\x01\x01\x00\x00\x00", "the template refers to it"},
	{"members, a column without a place", encodingMembers, headerFields{1, 0, 1, 0, 1, 0},
		"\x00\x00\x00\x00\x01\x011\x01\x01\x00\x00\x01\x00\x00\x00\x00", "it has no scalars"},
	{"members, long texts", encodingMembers, headerFields{1, 0, 1, 0, 1 << 20, 0},
		"\x00\x00\x00\x00\x01\x00\x01\x01\x01\x00\x00\x00\x83\x00\x80\x80\x80\x01\x80\x80\x40\x09" + tinyZstdFrame,
		"a frame decodes to the length that the column states"},
	{"members, texts longer than the values", encodingMembers, headerFields{1, 0, 1, 0, 1, 0},
		"\x00\x00\x00\x00\x01\x00\x01\x01\x01\x00\x00\x00\x82\x00\x04\x02ab", "they are parts of the values"},
	{"a divisor of 1", encodingTemplates, headerFields{1, 0, 1, 0, 1, 0}, "\x39\x01" + tinyTemplateBody,
		"nobody divides by 1"},
	{"no runs", encodingTemplates, headerFields{1, 0, 1, 0, 1, 0}, "\x3a\x00\x00\x00" + tinyTemplateBody[2:],
		"each value has an integer"},
	{"many runs", encodingTemplates, headerFields{2, 0, 1, 0, 2, 0},
		"\x3a\xff\xff\xff\xff\x0f\x00\x00\x00\x00" + tinyTemplateBody[2:], "a run has at least one integer"},
	{"many patches", encodingTemplates, headerFields{2, 0, 1, 0, 2, 0},
		"\x3b\x00\x00\xff\xff\xff\xff\x0f\x00\x00\x00\x00" + tinyTemplateBody[2:], "an integer has one patch"},
	{"members, a pattern longer than its texts", encodingMembers, headerFields{1, 0, 1, 0, 2, 0},
		"\x00\x00\x00\x00\x01\x00\x01\x01\x01\x00\x00\x00\x84\x00\x04\x02\x03\x01\x01\x01\x02\x00\x00",
		"a text has as many bytes as the pattern"},
	{"members, no pattern", encodingMembers, headerFields{1, 0, 1, 0, 2, 0},
		"\x00\x00\x00\x00\x01\x00\x01\x01\x01\x00\x00\x00\x84\x00\x04\x02\x00\x00", "each digit has an alphabet"},
	{"members, too few digits", encodingMembers, headerFields{1, 0, 1, 0, 2, 0},
		"\x00\x00\x00\x00\x01\x00\x01\x01\x01\x00\x00\x00\x84\x00\x04\x02\x01\x03\x01\x00",
		"two digits of 6 bits take two bytes"},
	{"unknown encoding", 4, headerFields{1, 0, 1, 0, 1, 3}, tinyPlainBody, "there are four encodings"},
	{"lengths of 2^64 more", encodingPlain, headerFields{65, 0, 1, 0, 70, 65 + 65 + uint64(len(doubled))},
		strings.Repeat("\x00", 65+65) + doubled + strings.Repeat("1", 70), "modulo 2^64, their sum is 70"},
	{"varint without end", encodingPlain, headerFields{1, 0, 1, 0, 1, 3}, "\xff\xff\xff1",
		"a column that ends within a varint"},
}

// manyNumbers returns a body of equal values with many places. Each column is one integer, for all
// values.
func manyNumbers(values, templates, places int) string {
	const column = "\x00\x02"
	body := []byte(column + column)
	body = append(body, byte(templates))
	if templates > 1 {
		which := make([]uint64, values)
		for i := range which {
			which[i] = uint64(i % templates)
		}
		body = appendIntColumn(body, which)
	}
	for range templates {
		body = append(body, byte(places))
		body = append(body, make([]byte, places+1)...) // the length of each piece
		body = append(body, strings.Repeat("\x01\x00\x00"+column, places)...)
	}
	return string(body)
}

// doubled are 65 lengths, of which each is at most the sum of those before and 70 more. The sum of
// all is 2^64 + 70.
var doubled = func() string {
	encoded := []byte{1}
	for i := range 63 {
		encoded = binary.AppendUvarint(encoded, 1<<i)
	}
	return string(binary.AppendUvarint(encoded, 1<<63+70))
}()

// TestTinyChunksDoNotAllocate: a header that claims more than the body holds allocates no memory
// for it.
func TestTinyChunksDoNotAllocate(t *testing.T) {
	key := Key{Record: "r", Timestamp: 1}.Append(nil)
	for _, test := range tinyChunks {
		t.Run(test.name, func(t *testing.T) {
			chunk := lyingChunk(key, test.encoding, test.fields, test.body)
			var err error
			allocated := allocatedBytes(func() {
				var b Buffer
				err = coder.Decode(&b, key, chunk)
			})
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("Decode: got %v, want ErrCorrupt (%s)", err, test.reason)
			}
			if allocated > 4<<10 {
				t.Errorf("Decode of %d bytes allocated %d (%s)", len(chunk), allocated, test.reason)
			}
		})
	}
}

// allocatedBytes returns the number of bytes that fn allocates, apart from pooled memory. It is the
// lowest of several runs: the race detector makes a pool drop elements at random, and a garbage
// collection makes it drop all of them.
func allocatedBytes(fn func()) uint64 {
	fewest := uint64(math.MaxUint64)
	for range 20 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		fn()
		runtime.ReadMemStats(&after)
		fewest = min(fewest, after.TotalAlloc-before.TotalAlloc)
	}
	return fewest
}
