// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var coder = NewCoder()

// chunks draws the entries of a chunk: in order, with equal timestamps and sequence numbers in any order.
func chunks() *rapid.Generator[[]Entry] {
	value := rapid.OneOf(
		rapid.SliceOfN(rapid.Byte(), 1, 300),
		rapid.Map(similar(), func(s string) []byte { return []byte(s) }),
		rapid.Just(bytes.Repeat([]byte(`{"celsius":21.5}`), 40)))
	entry := rapid.Custom(func(t *rapid.T) Entry {
		return Entry{
			Timestamp: rapid.OneOf(timestamps, rapid.Uint64Range(1000, 1004)).Draw(t, "timestamp"),
			Sequence:  rapid.OneOf(rapid.Uint64Range(1, 100), timestamps).Draw(t, "sequence"),
			Value:     value.Draw(t, "value"),
		}
	})
	return rapid.Map(rapid.SliceOfN(entry, 1, 40), func(entries []Entry) []Entry {
		slices.SortStableFunc(entries, Entry.Compare)
		return entries
	})
}

// encode encodes entries under the key that they belong under.
func encode(entries []Entry) (key, chunk []byte) {
	key = Key{Record: "record", Timestamp: entries[0].Timestamp}.Append(nil)
	return key, coder.AppendChunk(nil, key, entries)
}

func TestChunkRoundTrip(t *testing.T) {
	var b Buffer // one for all, as a cursor has
	rapid.Check(t, func(t *rapid.T) {
		entries := chunks().Draw(t, "entries")
		key, chunk := encode(entries)
		checkDecodes(t, &b, key, chunk, entries)
		checkRange(t, &b, key, chunk, entries)
		checkTail(t, &b, key, chunk, entries)
		checkJoin(t, &b, entries)
		moved := Key{Record: "record", Timestamp: entries[0].Timestamp, Ordinal: 7}.Append(nil)
		rekeyed, err := Rekey(key, chunk, moved)
		if err != nil {
			t.Fatal(err)
		}
		checkDecodes(t, &b, moved, rekeyed, entries)
		if err := coder.Decode(&b, moved, chunk); !errors.Is(err, ErrCorrupt) {
			t.Errorf("under another key: got %v, want ErrCorrupt", err)
		}
	})
}

func TestChunkExtremes(t *testing.T) {
	noise := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(noise)
	many := make([]Entry, 512)
	for i := range many {
		many[i] = Entry{Timestamp: 1_700_000_000_000 + uint64(i)*250, Sequence: 1 + uint64(i)*3, Value: fmt.Appendf(nil, `{"celsius":%d.5}`, i%30)}
	}
	one := []byte("1")
	tests := []struct {
		name    string
		entries []Entry
		want    byte   // encoding
		reason  string // why the row is here
	}{
		{"one value", []Entry{{1000, 1, one}}, plain, "what a single Store becomes"},
		{"all at 0", []Entry{{0, 1, one}, {0, 2, one}, {0, 3, one}}, plain, "equal timestamps, deltas of 0"},
		{"0 to 2^64-1", []Entry{{0, 2, one}, {math.MaxUint64, 1, one}}, templates, "the largest delta, and back in sequence"},
		{"all at 2^64-1", []Entry{{math.MaxUint64, 1, one}, {math.MaxUint64, math.MaxUint64, one}}, plain, "nothing may overflow"},
		{"sequences backwards", []Entry{{1, 9, one}, {2, 5, one}, {3, 1, one}}, plain, "a backfill, newest first"},
		{"regular readings", many, templates, "the chunk of every day"},
		{"one large value", []Entry{{5, 1, bytes.Repeat([]byte(`{"a":1},`), 1<<17)}}, zstdFramed, "1 MiB that compresses well"},
		{"large noise", []Entry{{5, 1, noise}}, plain, "1 MiB that does not compress stays plain"},
		{"16 MiB of one byte", []Entry{{5, 1, bytes.Repeat([]byte("1"), 16<<20)}}, zstdFramed, "the best that zstd can do stays plausible"},
	}
	var b Buffer
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			key, chunk := encode(test.entries)
			checkDecodes(t, &b, key, chunk, test.entries)
			if got := chunk[1]; got != test.want {
				t.Errorf("encoding: got %d, want %d (%s)", got, test.want, test.reason)
			}
		})
	}
}

// checkDecodes checks that the header and the whole of a chunk say entries.
func checkDecodes(t rapid.TB, b *Buffer, key, chunk []byte, entries []Entry) {
	t.Helper()
	header, err := ReadHeader(key, chunk)
	if err != nil {
		t.Fatalf("ReadHeader: %v", err)
	}
	if diff := cmp.Diff(describe(entries), header, exported); diff != "" {
		t.Fatalf("header (-want +got):\n%s", diff)
	}
	if err := coder.Decode(b, key, chunk); err != nil {
		t.Fatalf("Decode: %v", err)
	}
	if !slices.EqualFunc(entries, b.Entries, equalEntries) {
		t.Fatalf("entries (-want +got):\n%s", cmp.Diff(entries, b.Entries))
	}
	if diff := cmp.Diff(header, b.Header, exported); diff != "" {
		t.Fatalf("header after Decode (-want +got):\n%s", diff)
	}
}

func equalEntries(a, b Entry) bool {
	return a.Timestamp == b.Timestamp && a.Sequence == b.Sequence && bytes.Equal(a.Value, b.Value)
}

// exported leaves out of a header what says how the chunk is encoded.
var exported = cmpopts.IgnoreUnexported(Header{})

// TestChunkDamage flips every bit of a chunk and of its key, and cuts it off everywhere.
func TestChunkDamage(t *testing.T) {
	plainEntries := []Entry{{1000, 3, []byte(`{"a":1}`)}, {1000, 4, []byte(`"b"`)}, {70000, 1, []byte(`null`)}}
	var regular, wordy []Entry
	for i := range 60 {
		regular = append(regular, Entry{uint64(i) * 1000, uint64(i) + 1, fmt.Appendf(nil, `{"celsius":21.%d,"ok":%v}`, i%7, i%5 > 0)})
		wordy = append(wordy, Entry{uint64(i) * 1000, uint64(i) + 1, fmt.Appendf(nil, `{"%s":"C"}`, strings.Repeat("x", i))})
	}
	tests := []struct {
		name    string
		entries []Entry
		want    byte
		reason  string // why the row is here
	}{
		{"plain", plainEntries, plain, "the columns themselves are hit"},
		{"templates", regular, templates, "nothing is left to find the damage but what contradicts itself"},
		{"zstd", wordy, zstdFramed, "the decompressor is handed garbage, if the checksum lets it through"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			key, chunk := encode(test.entries)
			if chunk[1] != test.want {
				t.Fatalf("encoding: got %d, want %d", chunk[1], test.want)
			}
			// A right checksum gets at what lies behind it.
			for bit := range len(chunk) * 8 {
				damaged := flip(chunk, bit)
				checkRefused(t, fmt.Sprintf("bit %d of the chunk", bit), key, damaged)
				if bit/8 < headerSumAt || bit/8 >= fieldsAt {
					seal(key, damaged)
					checkNoPanic(fmt.Sprintf("bit %d of the chunk, resealed", bit), key, damaged)
				}
			}
			for n := range chunk {
				checkRefused(t, fmt.Sprintf("chunk cut to %d bytes", n), key, chunk[:n])
				if n >= fieldsAt {
					cut := slices.Clone(chunk[:n])
					seal(key, cut)
					checkRefused(t, fmt.Sprintf("chunk cut to %d bytes, resealed", n), key, cut)
				}
			}
			for bit := range len(key) * 8 {
				checkRefused(t, fmt.Sprintf("bit %d of the key", bit), flip(key, bit), chunk)
			}
			for n := range key {
				checkRefused(t, fmt.Sprintf("key cut to %d bytes", n), key[:n], chunk)
			}
			checkRefused(t, "a byte more", key, append(slices.Clone(chunk), 0))
		})
	}
}

// seal gives a chunk that was changed right checksums, as far as its header can be told from its body.
func seal(key, chunk []byte) {
	in := reader{data: chunk[fieldsAt:]}
	for range 6 {
		in.uvarint()
	}
	if in.failed {
		return
	}
	headerLen := len(chunk) - len(in.data)
	binary.LittleEndian.PutUint32(chunk[bodySumAt:], crc32.Checksum(in.data, Castagnoli))
	binary.LittleEndian.PutUint32(chunk[headerSumAt:], headerChecksum(key, chunk[:headerLen]))
}

// TestRekeyKeepsDamage shows that giving a chunk another key does not give damage a right checksum.
func TestRekeyKeepsDamage(t *testing.T) {
	key, chunk := encode([]Entry{{1000, 3, []byte(`{"a":1}`)}, {1000, 4, []byte(`"b"`)}})
	moved := Key{Record: "record", Timestamp: 1000, Ordinal: 1}.Append(nil)
	for bit := range len(chunk) * 8 {
		rekeyed, err := Rekey(key, flip(chunk, bit), moved)
		if err == nil {
			checkRefused(t, fmt.Sprintf("bit %d, rekeyed", bit), moved, rekeyed)
		} else if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Errorf("Rekey with bit %d flipped: got %v, want ErrCorrupt or ErrVersion", bit, err)
		}
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
}

// checkNoPanic decodes what may be anything; a panic says what it was.
func checkNoPanic(what string, key, chunk []byte) {
	defer func() {
		if p := recover(); p != nil {
			panic(fmt.Sprintf("%s: %v", what, p))
		}
	}()
	var b Buffer
	_ = coder.Decode(&b, key, chunk)
}

func TestChunkVersions(t *testing.T) {
	tests := []struct {
		name    string
		version byte
		want    error
		reason  string // why the row is here
	}{
		{"this one", 2, nil, "what is written today"},
		{"the one before", 1, nil, "the same, without templates"},
		{"the next", 3, ErrVersion, "newer is not the same as damaged"},
		{"the last", 255, ErrVersion, "nor is much newer"},
		{"none", 0, ErrCorrupt, "zeroed bytes were never a version"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			key, chunk := encode([]Entry{{1000, 1, []byte("1")}})
			chunk[0] = test.version
			seal(key, chunk)
			var b Buffer
			if err := coder.Decode(&b, key, chunk); !errors.Is(err, test.want) {
				t.Errorf("Decode: got %v, want %v (%s)", err, test.want, test.reason)
			}
			if _, err := ReadHeader(key, chunk); !errors.Is(err, test.want) {
				t.Errorf("ReadHeader: got %v, want %v (%s)", err, test.want, test.reason)
			}
		})
	}
}

// claim is a chunk with a right checksum and a header that says whatever it likes.
func claim(key []byte, compression byte, fields [6]uint64, body []byte) []byte {
	chunk := append([]byte{chunkVersion, compression}, make([]byte, fieldsAt-headerSumAt)...)
	for _, field := range fields {
		chunk = binary.AppendUvarint(chunk, field)
	}
	chunk = append(chunk, body...)
	seal(key, chunk)
	return chunk
}

func TestTinyChunksDoNotAllocate(t *testing.T) {
	key := Key{Record: "r", Timestamp: 1}.Append(nil)
	tests := []struct {
		name        string
		compression byte
		fields      [6]uint64 // count, span, least sequence, range, value bytes, columns
		body        string
		reason      string // why the row is here
	}{
		{"count", plain, [6]uint64{1 << 40, 0, 1, 0, 1, 3}, "\x00\x00\x011", "entries are 40 bytes each"},
		{"count as large as it can be", plain, [6]uint64{math.MaxUint64, 0, 1, 0, 1, 3}, "\x00\x00\x011", "no int holds it"},
		{"count beyond the values", plain, [6]uint64{2, 0, 1, 0, 1, 6}, "\x00\x00\x00\x00\x01\x001", "a value has at least one byte"},
		{"value bytes", plain, [6]uint64{1, 0, 1, 0, 1 << 40, 3}, "\x00\x00\x011", "more than the body has"},
		{"columns", plain, [6]uint64{1, 0, 1, 0, 1, 1 << 40}, "\x00\x00\x011", "more than the body has"},
		{"sum overflows", plain, [6]uint64{1, 0, 1, 0, math.MaxUint64, 5}, "\x00\x00\x011", "2^64-1 and 5 make 4, the length of the body"},
		{"zstd that decodes to less", zstdFramed, [6]uint64{1 << 20, 0, 1, 0, 1 << 30, 1 << 30}, "\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00", "a frame of 9 bytes holds at most 256 KiB"},
		{"zstd, span overflows", zstdFramed, [6]uint64{1, math.MaxUint64, 1, 0, 1, 3}, "\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00", "the last timestamp would precede the first"},
		{"range overflows", plain, [6]uint64{1, 0, 2, math.MaxUint64, 1, 3}, "\x00\x00\x011", "the greatest sequence number would be less than the least"},
		{"no values", plain, [6]uint64{0, 0, 1, 0, 0, 0}, "", "a chunk has at least one"},
		{"templates, many values", templates, [6]uint64{1 << 17, 0, 1, 1<<17 - 1, 1 << 19, 0}, "\x00\x00\x80\x00\x02\x01\x00\x041234", "more than such a chunk can have"},
		{"templates, long values", templates, [6]uint64{1, 0, 1, 0, 1 << 30, 0}, "\x00\x00\x00\x00\x01\x00\x011", "the same"},
		{"templates, many numbers", templates, [6]uint64{1, 0, 1, 0, 1 << 20, 0}, "\x00\x00\x00\x00\x01\xff\xff\x3f\x00\x00", "each takes a byte of the body at least"},
		{"templates, columns", templates, [6]uint64{1, 0, 1, 0, 1, 3}, "\x00\x00\x00\x00\x01\x00\x011", "there are none before the values"},
		{"templates, none", templates, [6]uint64{1, 0, 1, 0, 1, 0}, "\x00\x00\x00\x00\x00", "a value has one"},
		{"templates, another length", templates, [6]uint64{1, 0, 1, 0, 2, 0}, "\x00\x00\x00\x00\x01\x00\x011", "the value is shorter than the header says"},
		{"unknown encoding", 3, [6]uint64{1, 0, 1, 0, 1, 3}, "\x00\x00\x011", "the version says which there are"},
		{"varint without end", plain, [6]uint64{1, 0, 1, 0, 1, 3}, "\xff\xff\xff1", "a column that ends within a varint"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			chunk := claim(key, test.compression, test.fields, []byte(test.body))
			var err error
			allocated := allocates(func() {
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

// allocates returns how many bytes fn allocates, once the coders are there: the least of several times, since the
// race detector lets a pool forget at random, and a garbage collection lets it forget everything.
func allocates(fn func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 20 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		fn()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// TestBufferReuse: a chunk of equal size costs no allocation, and nothing of the one before shines through.
func TestBufferReuse(t *testing.T) {
	value := []byte(strings.Repeat("7", 100))
	var long []Entry
	for i := range uint64(200) {
		long = append(long, Entry{i, i + 1, value})
	}
	short := []Entry{{5, 9, []byte("1")}}
	longKey, longChunk := encode(long)
	shortKey, shortChunk := encode(short)

	var b Buffer
	checkDecodes(t, &b, longKey, longChunk, long)
	checkDecodes(t, &b, shortKey, shortChunk, short)
	checkDecodes(t, &b, longKey, longChunk, long)
	if err := coder.Decode(&b, longKey, longChunk[:len(longChunk)-1]); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a cut chunk: got %v, want ErrCorrupt", err)
	}
	checkDecodes(t, &b, shortKey, shortChunk, short)
	checkDecodes(t, &b, longKey, longChunk, long)
	least := math.Inf(1) // under the race detector, a pool loses some of what is put into it
	for range 20 {
		least = min(least, testing.AllocsPerRun(1, func() {
			if err := coder.Decode(&b, longKey, longChunk); err != nil {
				t.Fatal(err)
			}
		}))
	}
	if least > 1 {
		t.Errorf("a reused Buffer allocates %v times per chunk; want at most 1", least)
	}
}

func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := chunks().Draw(t, "entries")
		var a, b []Entry
		for _, e := range all {
			if rapid.Bool().Draw(t, "first run") {
				a = append(a, e)
			} else {
				b = append(b, e)
			}
		}
		merged := Merge(a, b, Entry.Compare)
		if len(merged) != len(all) || !slices.IsSortedFunc(merged, Entry.Compare) {
			t.Errorf("Merge of %d and %d entries: got %d, in order: %v", len(a), len(b), len(merged), slices.IsSortedFunc(merged, Entry.Compare))
		}
	})
}
