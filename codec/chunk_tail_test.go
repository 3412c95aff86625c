// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// timesAndNumbers has the ways in which timestamps and sequence numbers follow each other. Columns
// that grow steadily are read without being decoded, so both kinds are here.
var timesAndNumbers = []struct {
	name, reason string
	timestamp    func(i uint64) uint64
	sequence     func(i uint64) uint64
}{
	{"steady", "neither column is decoded",
		func(i uint64) uint64 { return 1000 + 250*i }, func(i uint64) uint64 { return 7 + 3*i }},
	{"with jitter", "the timestamps are decoded",
		func(i uint64) uint64 { return 1000 + 250*i + i*i%7 }, func(i uint64) uint64 { return 7 + 3*i }},
	{"shuffled numbers", "values that came late, so the numbers are decoded",
		func(i uint64) uint64 { return 1000 + 250*i }, func(i uint64) uint64 { return 7 + i*37%101 }},
	{"groups of equal timestamps", "a count ends before a group",
		func(i uint64) uint64 { return 1000 + i/5*60 }, func(i uint64) uint64 { return 7 + i }},
	{"one timestamp", "nothing is before it",
		func(uint64) uint64 { return 1000 }, func(i uint64) uint64 { return 7 + i }},
}

// TestTailOfEveryEncoding takes tails and counts of chunks whose encoding is known. Values drawn at
// random hardly ever become templates.
func TestTailOfEveryEncoding(t *testing.T) {
	const values = 200
	kinds := []struct {
		name     string
		encoding byte
		value    func(i int) string
	}{
		{"one template", encodingTemplates, func(i int) string {
			return fmt.Sprintf(`{"celsius":%d.%d,"humidity":%d}`, i*7919%41, i*31%10, i*10473%997)
		}},
		{"three templates", encodingTemplates, func(i int) string {
			return fmt.Sprintf([]string{`{"on":%d}`, `{"off":%d,"why":"low"}`, `[%d]`}[i*i%3], i*7)
		}},
		{"a template that ends early", encodingTemplates, func(i int) string {
			if i < 10 {
				return fmt.Sprintf(`{"first":%d}`, i)
			}
			return fmt.Sprintf(`{"later":-%d,"x":%d}`, i, i%2)
		}},
		{"members", encodingMembers, func(i int) string {
			text := []string{"running", "idle", "open", "closed", "fault"}[i*7919%5]
			return fmt.Sprintf(`{"state":"%s","at":"line %d","ok":%t,"n":%d}`, text, i*31%12, i%3 == 0, i*i)
		}},
		{"plain or zstd", encodingZstd, func(i int) string { return fmt.Sprintf(`"%x"`, i*65537%10_007*i) }},
	}
	for _, times := range timesAndNumbers {
		for _, kind := range kinds {
			t.Run(times.name+"/"+kind.name, func(t *testing.T) {
				var entries []Entry
				for i := range values {
					entries = append(entries,
						Entry{times.timestamp(uint64(i)), times.sequence(uint64(i)), []byte(kind.value(i))})
				}
				slices.SortStableFunc(entries, Entry.Compare)
				key, chunk := encode(entries)
				if templated := chunk[1] == encodingTemplates; templated != (kind.encoding == encodingTemplates) {
					t.Fatalf("the chunk has encoding %d (%s)", chunk[1], times.reason)
				}
				wantCounts(t, key, chunk, entries)
				wantTails(t, key, chunk, entries)
				checkRanges(t, entries)
				wantSequences(t, key, chunk, entries)
				wantRanges(t, key, chunk, entries)
			})
		}
	}
}

// wantCounts counts the values before each timestamp of the chunk and beside it.
func wantCounts(t *testing.T, key, chunk []byte, entries []Entry) {
	t.Helper()
	for _, e := range entries {
		for _, timestamp := range []uint64{e.Timestamp - 1, e.Timestamp, e.Timestamp + 1} {
			want := 0
			for _, other := range entries {
				if other.Timestamp < timestamp {
					want++
				}
			}
			if got, err := coder.CountBefore(key, chunk, timestamp); got != want || err != nil {
				t.Fatalf("CountBefore(%d): got %d, %v; want %d", timestamp, got, err, want)
			}
		}
	}
}

// maxTailExcess is by how many bytes a short tail may be longer than a new encoding of its values.
const maxTailExcess = 64

// wantTails takes the tail after each number of values. It must have the encoding of the chunk, and
// the header that an encoding of its values has.
func wantTails(t *testing.T, key, chunk []byte, entries []Entry) {
	t.Helper()
	var b Buffer
	for n := range entries {
		tailKey, tail, err := coder.Tail(key, chunk, n)
		if err != nil {
			t.Fatalf("Tail(%d): %v", n, err)
		}
		if chunk[1] == encodingTemplates && tail[1] != encodingTemplates {
			t.Errorf("Tail(%d): got encoding %d; want templates", n, tail[1])
		}
		if fresh := coder.AppendChunk(nil, tailKey, entries[n:]); len(tail) > len(fresh)*5/4+maxTailExcess {
			t.Errorf("Tail(%d): got %d bytes; an encoding of its values takes %d", n, len(tail), len(fresh))
		}
		got, err := ReadHeader(tailKey, tail)
		if err != nil {
			t.Fatalf("Tail(%d): %v", n, err)
		}
		if diff := cmp.Diff(headerOf(entries[n:]), got, cmpopts.IgnoreUnexported(Header{})); diff != "" {
			t.Errorf("Tail(%d): header (-want +got):\n%s", n, diff)
		}
		checkDecodes(t, &b, tailKey, tail, entries[n:])
	}
	if _, _, err := coder.Tail(key, chunk, len(entries)); err == nil {
		t.Errorf("Tail(%d) of %d values: got no error", len(entries), len(entries))
	}
}

// wantSequences decodes parts of the chunk by their sequence numbers: those from the first to the
// last value whose number is in a range.
func wantSequences(t *testing.T, key, chunk []byte, entries []Entry) {
	t.Helper()
	h := headerOf(entries)
	bounds := []uint64{
		0, h.MinSequence - 1, h.MinSequence, h.MinSequence + 1, h.MaxSequence/2 + h.MinSequence/2,
		h.MaxSequence - 1, h.MaxSequence, h.MaxSequence + 1,
	}
	var b Buffer
	for _, from := range bounds {
		for _, through := range bounds {
			isWanted := func(e Entry) bool { return e.Sequence >= from && e.Sequence <= through }
			first := max(slices.IndexFunc(entries, isWanted), 0)
			end := first
			for i, e := range entries {
				if isWanted(e) {
					end = i + 1
				}
			}
			later, err := coder.DecodeSequences(&b, key, chunk, from, through)
			if want := laterThan(entries, through).Count; err == nil && later.Count != want {
				t.Fatalf("DecodeSequences(%d, %d): got %d values after those; want %d",
					from, through, later.Count, want)
			}
			if err != nil || !slices.EqualFunc(entries[first:end], b.Entries, equalEntries) {
				t.Fatalf("DecodeSequences(%d, %d): got %d values, %v; want %d, from index %d",
					from, through, len(b.Entries), err, end-first, first)
			}
			checkValues(t, &b)
		}
	}
}

// wantRanges decodes parts of the chunk by their timestamps.
func wantRanges(t *testing.T, key, chunk []byte, entries []Entry) {
	t.Helper()
	first, last := entries[0].Timestamp, entries[len(entries)-1].Timestamp
	middle := entries[len(entries)/2].Timestamp
	bounds := []uint64{0, first, first + 1, middle, middle + 1, last - 1, last, last + 1}
	var b Buffer
	for _, start := range bounds {
		for _, end := range bounds {
			for _, limit := range []int{0, 1, 20} {
				wanted := Range{Start: start, End: end, Limit: limit, Newest: limit == 20}
				from, to := wanted.indexes(len(entries), func(i int) uint64 { return entries[i].Timestamp })
				err := coder.DecodeRange(&b, key, chunk, wanted)
				if err != nil || !slices.EqualFunc(entries[from:to], b.Entries, equalEntries) {
					t.Fatalf("%+v: got %d values, %v; want %d", wanted, len(b.Entries), err, to-from)
				}
				checkValues(t, &b)
			}
		}
	}
}

// TestHeaderDamage flips each bit of a header. ReadHeader alone must notice, because a query that
// skips the chunk believes the header.
func TestHeaderDamage(t *testing.T) {
	var entries []Entry
	for i := range uint64(60) {
		entries = append(entries, Entry{1000 + i*i, 5 + i, fmt.Appendf(nil, `{"c":%d}`, i)})
	}
	key, chunk := encode(entries)
	h, err := ReadHeader(key, chunk)
	if err != nil {
		t.Fatal(err)
	}
	headerLen := len(chunk) - len(h.body)
	wantHeaderRefused(t, key, chunk, headerLen)
	for bit := range 8 * len(key) {
		if _, err := ReadHeader(flip(key, bit), chunk); !errors.Is(err, ErrCorrupt) {
			t.Errorf("bit %d of the key flipped: got %v; want ErrCorrupt", bit, err)
		}
	}
	for n := range headerLen {
		if _, err := ReadHeader(key, chunk[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d bytes: got %v; want ErrCorrupt", n, err)
		}
	}
}

// wantHeaderRefused flips each bit of a header.
func wantHeaderRefused(t *testing.T, key, chunk []byte, headerLen int) {
	t.Helper()
	for bit := range 8 * headerLen {
		if _, err := ReadHeader(key, flip(chunk, bit)); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Errorf("bit %d of the header flipped: got %v; want ErrCorrupt or ErrVersion", bit, err)
		}
	}
}

// TestContradictoryHeaders has headers with a matching checksum that cannot be those of a chunk.
func TestContradictoryHeaders(t *testing.T) {
	const huge = 1 << 63
	key := Key{Record: "r", Timestamp: huge}.Append(nil)
	body := string(make([]byte, 100))
	for _, test := range []struct {
		name, reason string
		encoding     byte
		fields       headerFields // count, span, sequence, range, value bytes, columns
		ok           bool
	}{
		{"plain", "every other row differs in one thing",
			encodingPlain, headerFields{10, 5, 7, 9, 70, 30}, true},
		{"templates", "every other row differs in one thing",
			encodingTemplates, headerFields{10, 5, 7, 9, 70, 0}, true},
		{"no values", "a chunk has at least one", encodingPlain, headerFields{0, 5, 7, 9, 70, 30}, false},
		{"as many values as bytes", "a value has at least one byte",
			encodingPlain, headerFields{10, 5, 7, 9, 10, 30}, true},
		{"more values than bytes", "a value has at least one byte",
			encodingPlain, headerFields{10, 5, 7, 9, 9, 30}, false},
		{"the last timestamp wraps", "the last is before the first",
			encodingPlain, headerFields{10, huge, 7, 9, 70, 30}, false},
		{"the greatest number wraps", "it is less than the least",
			encodingPlain, headerFields{10, 5, huge, huge, 70, 30}, false},
		{"short columns", "three bytes a value at least", encodingPlain, headerFields{10, 5, 7, 9, 70, 29}, false},
		{"a body that is too short", "a reader would allocate for it",
			encodingPlain, headerFields{10, 5, 7, 9, 71, 30}, false},
		{"values longer than the body", "a reader would allocate for them",
			encodingPlain, headerFields{10, 5, 7, 9, 101, 30}, false},
		{"columns longer than the body", "their sum wraps to the length of the body",
			encodingPlain, headerFields{10, 5, 7, 9, 1<<64 - 101, 201}, false},
		{"templates with columns", "they have none", encodingTemplates, headerFields{10, 5, 7, 9, 70, 1}, false},
		{"the maximum of templated values", "inclusive",
			encodingTemplates, headerFields{maxTemplateValues, 5, 7, 9, maxTemplateBytes, 0}, true},
		{"too many templated values", "the limit of the encoder",
			encodingTemplates, headerFields{maxTemplateValues + 1, 5, 7, 9, maxTemplateBytes, 0}, false},
		{"too many templated bytes", "the limit of the encoder",
			encodingTemplates, headerFields{10, 5, 7, 9, maxTemplateBytes + 1, 0}, false},
		{"an unknown encoding", "this version has three", 3, headerFields{10, 5, 7, 9, 70, 30}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			chunk := lyingChunk(key, test.encoding, test.fields, body)
			_, err := ReadHeader(key, chunk)
			if test.ok && err != nil || !test.ok && !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %v; want an error: %v (%s)", err, !test.ok, test.reason)
			}
			if test.ok { // the checksum alone tells one plausible encoding from another
				wantHeaderRefused(t, key, chunk, len(chunk)-len(body))
			}
		})
	}
}

// TestTailsOfDamagedBodies flips each bit of a templated body and gives it a matching checksum. No
// tail or count may be made of columns that contradict the header.
func TestTailsOfDamagedBodies(t *testing.T) {
	var entries []Entry
	for i := range uint64(30) {
		entries = append(entries, Entry{1000 + 100*i + i*i%5, 5 + i*7%31, fmt.Appendf(nil, `{"c":%d}`, i)})
	}
	key, chunk := encode(entries)
	if chunk[1] != encodingTemplates {
		t.Fatalf("the chunk has encoding %d; want templates", chunk[1])
	}
	h, err := ReadHeader(key, chunk)
	if err != nil {
		t.Fatal(err)
	}
	var b Buffer
	refused := 0
	for bit := 8 * (len(chunk) - len(h.body)); bit < 8*len(chunk); bit++ {
		damaged := flip(chunk, bit)
		if _, err := coder.CountBefore(key, damaged, 2000); !errors.Is(err, ErrCorrupt) {
			t.Errorf("bit %d: CountBefore: got %v; want ErrCorrupt because of the checksum", bit, err)
		}
		if _, _, err := coder.Tail(key, damaged, 3); !errors.Is(err, ErrCorrupt) {
			t.Errorf("bit %d: Tail: got %v; want ErrCorrupt because of the checksum", bit, err)
		}
		setChecksums(key, damaged)
		whole := coder.Decode(&b, key, damaged)
		count, err := coder.CountBefore(key, damaged, 2000)
		if whole == nil && (err != nil || count != countBefore(b.Entries, 2000)) {
			t.Errorf("bit %d: CountBefore: got %d, %v; want %d, as in the decoded chunk",
				bit, count, err, countBefore(b.Entries, 2000))
		}
		tailKey, tail, err := coder.Tail(key, damaged, 3)
		if err != nil {
			refused++
		}
		if whole != nil && err == nil && coder.Decode(&b, tailKey, tail) == nil {
			t.Errorf("bit %d: the chunk does not decode (%v), and its tail does", bit, whole)
		}
	}
	if refused == 0 {
		t.Error("no damage was found; too small a chunk for this test")
	}
}

func countBefore(entries []Entry, timestamp uint64) (n int) {
	for _, e := range entries {
		if e.Timestamp < timestamp {
			n++
		}
	}
	return n
}
