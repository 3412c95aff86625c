// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var coder = NewCoder()

// chunks draws the entries of a chunk: in order, some with equal timestamps, with sequence numbers
// in any order.
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

// encode returns the key and the chunk of entries.
func encode(entries []Entry) (key, chunk []byte) {
	key = Key{Record: "record", Timestamp: entries[0].Timestamp}.Append(nil)
	return key, coder.AppendChunk(nil, key, entries)
}

// TestBufferSize: the size of a buffer counts what each value takes in it, and is at most double.
func TestBufferSize(t *testing.T) {
	const count = 1000
	key, chunk := encode(memberEntries(count, func(int) string { return "7" }))
	var b Buffer
	if got := b.Size(); got != 0 {
		t.Errorf("an empty buffer: got %d bytes", got)
	}
	if err := coder.Decode(&b, key, chunk); err != nil {
		t.Fatal(err)
	}
	const want = count * (1 + 3*8 + int(unsafe.Sizeof(Entry{})))
	if got := b.Size(); got < want || got > 2*want {
		t.Errorf("%d values: got %d bytes; want %d, or somewhat more", count, got, want)
	}
}

func TestChunkRoundTrip(t *testing.T) {
	var b Buffer // reused for all chunks, as a cursor reuses its buffer
	rapid.Check(t, func(t *rapid.T) {
		entries := chunks().Draw(t, "entries")
		key, chunk := encode(entries)
		checkDecodes(t, &b, key, chunk, entries)
		checkRange(t, &b, key, chunk, entries)
		checkSequences(t, &b, key, chunk, entries)
		checkTail(t, &b, key, chunk, entries)
		checkJoin(t, &b, entries)
		newKey := Key{Record: "record", Timestamp: entries[0].Timestamp, Ordinal: 7}.Append(nil)
		rekeyed, err := Rekey(key, chunk, newKey)
		if err != nil {
			t.Fatal(err)
		}
		checkDecodes(t, &b, newKey, rekeyed, entries)
		if err := coder.Decode(&b, newKey, chunk); !errors.Is(err, ErrCorrupt) {
			t.Errorf("under another key: got %v, want ErrCorrupt", err)
		}
	})
}

// checkDecodes checks that the header and the values of a chunk are those of entries.
func checkDecodes(t rapid.TB, b *Buffer, key, chunk []byte, entries []Entry) {
	t.Helper()
	header, err := ReadHeader(key, chunk)
	if err != nil {
		t.Fatalf("ReadHeader: %v", err)
	}
	if diff := cmp.Diff(headerOf(entries), header, ignoreEncoding); diff != "" {
		t.Fatalf("header (-want +got):\n%s", diff)
	}
	mapped := slices.Clone(chunk)
	if err := coder.Decode(b, key, mapped); err != nil {
		t.Fatalf("Decode: %v", err)
	}
	clear(mapped) // as if it were unmapped
	if !slices.EqualFunc(entries, b.Entries, equalEntries) {
		t.Fatalf("entries (-want +got):\n%s", cmp.Diff(entries, b.Entries))
	}
	checkValues(t, b)
	if b.Header.body != nil {
		t.Fatal("the header keeps mapped memory")
	}
	if diff := cmp.Diff(header, b.Header, ignoreEncoding); diff != "" {
		t.Fatalf("header after Decode (-want +got):\n%s", diff)
	}
}

// checkValues checks that the rows are the entries.
func checkValues(t rapid.TB, b *Buffer) {
	t.Helper()
	var values []byte
	for _, e := range b.Entries {
		values = append(values, e.Value...)
	}
	if !bytes.Equal(b.Text(), values) {
		t.Fatalf("Text has %d bytes; want the %d bytes of the entries' values", len(b.Text()), len(values))
	}
	rows := make([]Entry, 0, b.Len())
	for i := range b.Len() {
		rows = append(rows, b.Entry(i))
	}
	if !slices.EqualFunc(rows, b.Entries, equalEntries) {
		t.Fatalf("rows (-want +got):\n%s", cmp.Diff(b.Entries, rows))
	}
}

func equalEntries(a, b Entry) bool {
	return a.Timestamp == b.Timestamp && a.Sequence == b.Sequence && bytes.Equal(a.Value, b.Value)
}

// ignoreEncoding has cmp ignore the fields of a header that depend on the encoding.
var ignoreEncoding = cmpopts.IgnoreUnexported(Header{})

// checkRange compares a range of a chunk, decoded, with the same range of its entries.
func checkRange(t *rapid.T, b *Buffer, key, chunk []byte, entries []Entry) {
	t.Helper()
	timestampOf := func(e Entry) uint64 { return e.Timestamp }
	bound := rapid.OneOf(timestamps, rapid.Map(rapid.SampledFrom(entries), timestampOf))
	wanted := Range{
		Start:  bound.Draw(t, "start"),
		End:    bound.Draw(t, "end"),
		Limit:  rapid.IntRange(0, len(entries)+1).Draw(t, "limit"),
		Newest: rapid.Bool().Draw(t, "newest"),
	}
	want := slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool {
		return e.Timestamp < wanted.Start || e.Timestamp > wanted.End
	})
	if excess := len(want) - wanted.Limit; wanted.Limit > 0 && excess > 0 {
		if wanted.Newest {
			want = want[excess:]
		}
		want = want[:wanted.Limit]
	}
	if err := coder.DecodeRange(b, key, chunk, wanted); err != nil {
		t.Fatalf("%+v: %v", wanted, err)
	}
	if !slices.EqualFunc(want, b.Entries, equalEntries) {
		t.Fatalf("%+v (-want +got):\n%s", wanted, cmp.Diff(want, b.Entries))
	}
	checkValues(t, b)
}

// checkSequences decodes a part of a chunk by its sequence numbers.
func checkSequences(t *rapid.T, b *Buffer, key, chunk []byte, entries []Entry) {
	t.Helper()
	number := rapid.Custom(func(t *rapid.T) uint64 {
		return rapid.SampledFrom(entries).Draw(t, "entry").Sequence + rapid.Uint64Range(0, 2).Draw(t, "more") - 1
	})
	from, through := number.Draw(t, "from"), number.Draw(t, "through")
	isWanted := func(e Entry) bool { return e.Sequence >= from && e.Sequence <= through }
	var want []Entry
	if first := slices.IndexFunc(entries, isWanted); first >= 0 {
		end := len(entries)
		for !isWanted(entries[end-1]) {
			end--
		}
		want = entries[first:end]
	}
	later, err := coder.DecodeSequences(b, key, chunk, from, through)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(b.Entries, want, equalEntries) {
		t.Fatalf("from %d through %d: got %d values; want %d", from, through, len(b.Entries), len(want))
	}
	if checkValues(t, b); b.Header.body != nil {
		t.Fatal("the header keeps mapped memory")
	}
	if want := laterThan(entries, through); later.Count != want.Count || want.Count > 0 && later != want {
		t.Fatalf("from %d through %d: got %+v after those; want %+v", from, through, later, want)
	}
}

// laterThan returns which values have sequence numbers greater than one.
func laterThan(entries []Entry, through uint64) (later Later) {
	later.Next = math.MaxUint64
	for _, e := range entries {
		if e.Sequence > through {
			later.Count, later.Next = later.Count+1, min(later.Next, e.Sequence)
		}
	}
	return later
}

// checkTail compares a tail of a chunk, and a count, with those of its entries.
func checkTail(t *rapid.T, b *Buffer, key, chunk []byte, entries []Entry) {
	t.Helper()
	before := rapid.SampledFrom(entries).Draw(t, "before").Timestamp
	want := slices.IndexFunc(entries, func(e Entry) bool { return e.Timestamp >= before })
	if n, err := coder.CountBefore(key, chunk, before); n != want || err != nil {
		t.Fatalf("CountBefore(%d) = %d, %v; want %d", before, n, err, want)
	}
	n := rapid.IntRange(0, len(entries)-1).Draw(t, "values before the tail")
	tailKey, tail, err := coder.Tail(key, chunk, n)
	if err != nil {
		t.Fatalf("Tail(%d): %v", n, err)
	}
	wantKey := Key{Record: "record", Timestamp: entries[n].Timestamp}.Append(nil)
	if !bytes.Equal(tailKey, wantKey) {
		t.Fatalf("Tail(%d): key %x; want %x", n, tailKey, wantKey)
	}
	checkDecodes(t, b, tailKey, tail, entries[n:])
}

func TestChunkExtremes(t *testing.T) {
	noise := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(noise)
	many := make([]Entry, 512)
	for i := range many {
		many[i] = Entry{
			Timestamp: 1_700_000_000_000 + uint64(i)*250,
			Sequence:  1 + uint64(i)*3,
			Value:     fmt.Appendf(nil, `{"celsius":%d.5}`, i%30),
		}
	}
	one := []byte("1")
	tests := []struct {
		name    string
		entries []Entry
		want    byte   // encoding
		reason  string // why the row is here
	}{
		{"one value", []Entry{{1000, 1, one}}, encodingPlain, "the chunk of a single Store"},
		{"all at 0", []Entry{{0, 1, one}, {0, 2, one}, {0, 3, one}}, encodingPlain,
			"equal timestamps, whose differences are 0"},
		{"0 to 2^64-1", []Entry{{0, 2, one}, {math.MaxUint64, 1, one}}, encodingTemplates,
			"the largest difference, and a sequence number below the one before"},
		{"all at 2^64-1", []Entry{{math.MaxUint64, 1, one}, {math.MaxUint64, math.MaxUint64, one}}, encodingPlain,
			"no field may overflow"},
		{"descending sequence numbers", []Entry{{1, 9, one}, {2, 5, one}, {3, 1, one}}, encodingPlain,
			"old values stored later, newest first"},
		{"regular readings", many, encodingTemplates, "the usual chunk"},
		{"one large value", []Entry{{5, 1, bytes.Repeat([]byte(`{"a":1},`), 1<<17)}}, encodingZstd,
			"1 MiB that compresses well"},
		{"large noise", []Entry{{5, 1, noise}}, encodingPlain, "1 MiB that does not compress stays plain"},
		{"16 MiB of one byte", []Entry{{5, 1, bytes.Repeat([]byte("1"), 16<<20)}}, encodingZstd,
			"the highest ratio of zstd is still plausible"},
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

func TestChunkVersions(t *testing.T) {
	tests := []struct {
		name    string
		version byte
		want    error
		reason  string // why the row is here
	}{
		{"current", 3, nil, "the version that is written"},
		{"previous", 2, nil, "the same with decimals as the only kind of place"},
		{"oldest", 1, nil, "the same without templates"},
		{"next", 4, ErrVersion, "newer is not the same as damaged"},
		{"highest", 255, ErrVersion, "much newer is not damaged either"},
		{"zero", 0, ErrCorrupt, "no version was ever 0, but zeroed bytes are"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			key, chunk := encode([]Entry{{1000, 1, []byte("1")}})
			chunk[0] = test.version
			setChecksums(key, chunk)
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

// TestBufferReuse: a chunk of equal size costs no allocation, and no bytes of an earlier chunk
// remain.
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
	fewest := math.Inf(1) // under the race detector, a pool drops some of its elements
	for range 20 {
		fewest = min(fewest, testing.AllocsPerRun(1, func() {
			if err := coder.Decode(&b, longKey, longChunk); err != nil {
				t.Fatal(err)
			}
		}))
	}
	least := len(long) * (len(value) + int(unsafe.Sizeof(Entry{})))
	if size := b.Size(); size < least || size > 2*least {
		t.Errorf("a Buffer that has decoded %d values of %d bytes keeps %d bytes", len(long), len(value), size)
	}
	if fewest > 1 {
		t.Errorf("a reused Buffer allocates %v times per chunk; want at most 1", fewest)
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
		ordered := slices.IsSortedFunc(merged, Entry.Compare)
		if len(merged) != len(all) || !ordered {
			t.Errorf("Merge of %d and %d entries: got %d, in order: %v", len(a), len(b), len(merged), ordered)
		}
	})
}
