// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestColumnRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		near := rapid.Uint64().Draw(t, "near")
		width := rapid.Uint64Range(0, 63).Draw(t, "width")
		values := rapid.SliceOfN(rapid.OneOf(
			rapid.Map(rapid.Uint64Range(0, 1<<width), func(v uint64) uint64 { return near + v }),
			rapid.Map(rapid.Uint64Range(0, 1<<width), func(v uint64) uint64 { return near - v }),
		), 1, 40).Draw(t, "values")
		if rapid.Bool().Draw(t, "ascending") {
			slices.Sort(values)
		}
		encoded := appendColumn(nil, values)
		from := rapid.IntRange(0, len(values)).Draw(t, "from")
		got := make([]uint64, rapid.IntRange(0, len(values)-from).Draw(t, "count"))
		in := reader{data: encoded}
		c := in.column(len(values))
		if in.failed || len(in.data) > 0 {
			t.Fatalf("%v: failed: %v, %d bytes left", values, in.failed, len(in.data))
		}
		c.read(got, from)
		if diff := cmp.Diff(values[from:from+len(got)], got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
		for n := range encoded {
			cut := reader{data: encoded[:n]}
			if cut.column(len(values)); !cut.failed {
				t.Fatalf("%v: cut to %d of %d bytes, it was read", values, n, len(encoded))
			}
		}
	})
}

func TestColumnSizes(t *testing.T) {
	ascending := func(n int, step uint64) (values []uint64) {
		for i := range n {
			values = append(values, 1_700_000_000_000+uint64(i)*step)
		}
		return values
	}
	tests := []struct {
		name   string
		values []uint64
		want   int // bytes
		reason string
	}{
		{"one", []uint64{5}, 2, "a tag and a base"},
		{"all equal", slices.Repeat([]uint64{7}, 500), 2, "no bits each"},
		{"at an interval", ascending(500, 1000), 1 + 6 + 2, "a delta that is always the same"},
		{"three digits", []uint64{100, 999, 555, 123, 777, 101, 888, 434}, 1 + 2 + 10, "ten bits each"},
		{"0 to 2^64-1", []uint64{0, math.MaxUint64, 1 << 63, 5}, 1 + 10 + 32, "too wide to be packed"},
	}
	for _, test := range tests {
		if got := len(appendColumn(nil, test.values)); got != test.want {
			t.Errorf("%s: got %d bytes, want %d (%s)", test.name, got, test.want, test.reason)
		}
	}
}

func TestTemplates(t *testing.T) {
	const random = `{"id":"6f1e%s","n":%d}`
	tests := []struct {
		name      string
		values    []string
		templated bool
		reason    string // why the row is here
	}{
		{"readings", []string{`{"c":21.5,"h":441}`, `{"c":9.5,"h":7}`, `{"c":-0.5,"h":1000}`}, true, "the values of every day"},
		{"shortest fractions", []string{`21.53`, `21.5`, `21`, `0`, `-3.25`}, true, "how Go, JavaScript and Rust write numbers"},
		{"at least one decimal", []string{`21.53`, `21.5`, `21.0`, `0.0`}, true, "how Python does"},
		{"fixed decimals", []string{`21.50`, `0.00`, `-1.05`}, true, "how printf does"},
		{"mixed decimals", []string{`21.5`, `21.50`}, false, "no style writes both"},
		{"zero-padded", []string{`"2026-01-02T03:04:05Z"`, `"2026-11-26T18:00:59Z"`}, true, "times in text"},
		{"padded and not", []string{`"7"`, `"07"`}, false, "no style writes both"},
		{"wider than its padding", []string{`"099"`, `"1000"`}, true, "padding is a least width"},
		{"minus zero", []string{`-0`, `-0.0`, `0`}, false, "minus zero is text, but then the decimals differ"},
		{"minus zero among others", []string{`[-0,1]`, `[-0,2]`}, true, "the sign is a part of the template"},
		{"addresses", []string{`"10.0.0.1 took 5 ms"`, `"192.168.255.254 took 12 ms"`}, true, "numbers between points are whole"},
		{"versions", []string{`"v1.2.3"`, `"v10.20.30"`, `"v0.0.0"`}, true, "the same"},
		{"exponents", []string{`1.5e-7`, `2.5e-7`, `1e-10`}, true, "the exponent is a number of its own"},
		{"17 digits", []string{`0.30000000000000004`, `0.1`, `0.7071067811865476`}, true, "what a double can need"},
		{"18 digits in all", []string{`123456789012345678`, `1`}, true, "the most that is a number"},
		{"19 digits", []string{`1234567890123456789`, `1234567890123456789`}, true, "is text, here always the same"},
		{"too many when aligned", []string{`123456789012345678`, `0.5`}, false, "19 digits"},
		{"states", []string{`{"on":true}`, `{"on":false}`, `{"on":true}`}, true, "a template each"},
		{"optional members", []string{`{"a":1}`, `{"a":1,"e":"low"}`, `{"a":3}`}, true, "the same"},
		{"as many templates as there can be", letters(mostTemplates), true, "the limit"},
		{"one too many", letters(mostTemplates + 1), false, "beyond the limit"},
		{"identifiers", []string{fmt.Sprintf(random, "a9c", 1), fmt.Sprintf(random, "77d", 1)}, true, "digits among letters"},
		{"a digit at either end", []string{`1x2`, `3x4`}, true, "empty pieces"},
		{"hyphens in words", []string{`"sensor-12"`, `"sensor-7"`}, true, "not a sign"},
		{"ranges", []string{`"5-7"`, `"5-8"`}, true, "not a sign either"},
		{"as long as one another", []string{`{"c":21.5,"h":441}`, `{"c":99.0,"h":100}`, `{"c":10.9,"h":999}`}, true, "written a column at a time"},
		{"below zero, as long", []string{`[-1.05,-12]`, `[-9.99,-99]`, `[-0.01,-10]`}, true, "the same, behind a sign"},
		{"many digits, as long", []string{`1234567.000001,1700000000000`, `9999999.999999,1799999999999`, `1000000.000000,1700000001234`}, true, "the same, by more than a triple"},
		{"padded, as long", []string{`"00:07.000"`, `"23:59.999"`, `"09:00.001"`}, true, "the same, with zeros in front"},
		{"as long, but for one", append(slices.Repeat([]string{`100`}, 300), `99`), true, "not all as long"},
		{"signs that change", []string{`[1,-2]`, `[-1,2]`}, true, "the sign belongs to the number"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			// Often enough that nothing is as short as templates.
			var entries []Entry
			for len(entries) < 1000 {
				for _, v := range test.values {
					entries = append(entries, Entry{uint64(len(entries)), uint64(len(entries)) + 1, []byte(v)})
				}
			}
			h := describe(entries)
			if got := len(appendTemplated(nil, entries, &h)) > 0; got != test.templated {
				t.Errorf("templates: got %v, want %v (%s)", got, test.templated, test.reason)
			}
			key, chunk := encode(entries)
			var b Buffer
			checkDecodes(t, &b, key, chunk, entries)

			cut := len(entries) / 2
			firstKey, first := encode(entries[:cut])
			joined, err := coder.Join(key, []Encoded{{firstKey, first}}, entries[cut:])
			if err != nil || (joined != nil) != (first[1] == templates) { // zstd sees that so few values come again
				t.Fatalf("Join: got %d bytes, %v (%s)", len(joined), err, test.reason)
			}
			if joined != nil {
				checkDecodes(t, &b, key, joined, entries)
			}
		})
	}
}

func letters(n int) (values []string) {
	for i := range n {
		values = append(values, `"`+strings.Repeat("x", i+1)+`"`)
	}
	return values
}

// similar draws texts that have much in common, with numbers in all the ways in which they are written.
func similar() *rapid.Generator[string] {
	number := rapid.OneOf(
		rapid.Map(rapid.IntRange(-1000, 1000), strconv.Itoa),
		rapid.Map(rapid.Int64(), func(v int64) string { return strconv.FormatInt(v, 10) }),
		rapid.Map(rapid.Float64(), func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }),
		rapid.Map(rapid.IntRange(-1000, 1000), func(v int) string { return strconv.FormatFloat(float64(v)/100, 'f', -1, 64) }),
		rapid.Map(rapid.IntRange(-1000, 1000), func(v int) string { return strconv.FormatFloat(float64(v)/100, 'f', 2, 64) }),
		rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,20}){0,3}`))
	text := rapid.SampledFrom([]string{"", `{"a":`, `,"b":`, "}", ".", "-", "x", " "})
	return rapid.Custom(func(t *rapid.T) string {
		var s strings.Builder
		for range rapid.IntRange(1, 3).Draw(t, "numbers") {
			s.WriteString(text.Draw(t, "text"))
			s.WriteString(number.Draw(t, "number"))
		}
		s.WriteString(text.Draw(t, "text"))
		return s.String()
	})
}

// checkRange compares a range of a chunk, decoded, with the same range of its entries.
func checkRange(t *rapid.T, b *Buffer, key, chunk []byte, entries []Entry) {
	t.Helper()
	bound := rapid.OneOf(timestamps, rapid.Map(rapid.SampledFrom(entries), func(e Entry) uint64 { return e.Timestamp }))
	wanted := Range{
		Start:  bound.Draw(t, "start"),
		End:    bound.Draw(t, "end"),
		Limit:  rapid.IntRange(0, len(entries)+1).Draw(t, "limit"),
		Newest: rapid.Bool().Draw(t, "newest"),
	}
	want := slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.Timestamp < wanted.Start || e.Timestamp > wanted.End })
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
}

// checkTail holds the tail of a chunk, and a count, against the same of its entries.
func checkTail(t *rapid.T, b *Buffer, key, chunk []byte, entries []Entry) {
	t.Helper()
	before := rapid.SampledFrom(entries).Draw(t, "before").Timestamp
	want := slices.IndexFunc(entries, func(e Entry) bool { return e.Timestamp >= before })
	if n, err := coder.CountBefore(key, chunk, before); n != want || err != nil {
		t.Fatalf("CountBefore(%d) = %d, %v; want %d", before, n, err, want)
	}
	n := rapid.IntRange(0, len(entries)-1).Draw(t, "without")
	tailKey, tail, err := coder.Tail(key, chunk, n)
	if err != nil {
		t.Fatalf("Tail(%d): %v", n, err)
	}
	if want := (Key{Record: "record", Timestamp: entries[n].Timestamp}).Append(nil); string(tailKey) != string(want) {
		t.Fatalf("Tail(%d): key %x; want %x", n, tailKey, want)
	}
	checkDecodes(t, b, tailKey, tail, entries[n:])
}

// checkJoin cuts entries into chunks and some more behind them, and joins them again.
func checkJoin(t *rapid.T, b *Buffer, entries []Entry) {
	t.Helper()
	var chunks []Encoded
	left := entries
	for len(left) > 1 && rapid.Bool().Draw(t, "another chunk") {
		n := rapid.IntRange(1, len(left)-1).Draw(t, "length")
		key, chunk := encode(left[:n])
		chunks, left = append(chunks, Encoded{key, chunk}), left[n:]
	}
	key := Key{Record: "record", Timestamp: entries[0].Timestamp, Ordinal: 3}.Append(nil)
	joined, err := coder.Join(key, chunks, left)
	if err != nil {
		t.Fatal(err)
	}
	if joined != nil {
		checkDecodes(t, b, key, joined, entries)
	}
}

// TestJoin holds joined chunks against the same values encoded at once.
func TestJoin(t *testing.T) {
	var entries []Entry
	random := rand.New(rand.NewPCG(1, 2))
	for i := range uint64(600) {
		value := fmt.Sprintf(`{"c":%s,"n":%d}`, strconv.FormatFloat(float64(random.IntN(2000)-1000)/100, 'f', -1, 64), random.IntN(1000))
		if i%7 == 0 {
			value = fmt.Sprintf(`{"at":"%02d:%02d"}`, random.IntN(24), random.IntN(60))
		}
		entries = append(entries, Entry{i * 1000, i + 1, []byte(value)})
	}
	key, want := encode(entries)
	var chunks []Encoded
	for _, piece := range [][]Entry{entries[:100], entries[100:150], entries[150:400]} {
		key, chunk := encode(piece)
		chunks = append(chunks, Encoded{key, chunk})
	}
	got, err := coder.Join(key, chunks, entries[400:])
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v; want the %d that the values take at once", len(got), err, len(want))
	}
	if got, err := coder.Join(key, []Encoded{chunks[1]}, entries[:100]); got != nil || err != nil {
		t.Errorf("out of order: got %d bytes, %v; want none", len(got), err)
	}
	chunks[1].Chunk = chunks[1].Chunk[:len(chunks[1].Chunk)-1]
	if _, err := coder.Join(key, chunks, entries[400:]); !errors.Is(err, ErrCorrupt) {
		t.Errorf("with a chunk cut short: got %v, want ErrCorrupt", err)
	}
}

// TestJoinPays: values that zstd makes shorter are not joined by templates because there were some before them.
func TestJoinPays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var entries []Entry
	for i := range uint64(2) {
		entries = append(entries, Entry{i, i + 1, fmt.Appendf(nil, `{"ok":%d,"state":"open, closed, half of each"}`, random.Uint32())})
	}
	for i := range uint64(14) {
		digits := make([]string, 1000+i)
		for j := range digits {
			digits[j] = strconv.Itoa(random.IntN(10))
		}
		entries = append(entries, Entry{i + 2, i + 3, []byte("[" + strings.Join(digits, ",") + "]")})
	}
	key, first := encode(entries[:2])
	if first[1] != templates {
		t.Fatalf("the first chunk has encoding %d", first[1])
	}
	_, atOnce := encode(entries)
	joined, err := coder.Join(key, []Encoded{{key, first}}, entries[2:])
	if err != nil || len(joined) > len(atOnce) {
		t.Errorf("joined: %d bytes, %v; at once: %d", len(joined), err, len(atOnce))
	}
}

// TestFalseHeaders: what a header claims falsely, with right checksums, is found by all that work on columns.
func TestFalseHeaders(t *testing.T) {
	var entries []Entry
	for i := range uint64(20) {
		entries = append(entries, Entry{100 + i*i, 1 + i*3, fmt.Appendf(nil, `{"c":%d}`, i)})
	}
	more := []Entry{{5000, 900, []byte(`{"c":7}`)}}
	tests := []struct {
		name   string
		change func(h *Header, timestamps, sequences []uint64)
		tail   bool // Tail finds it; else its result does not decode either
		reason string
	}{
		{"value bytes", func(h *Header, _, _ []uint64) { h.ValueBytes++ }, false, "new values must not be joined to what does not decode"},
		{"timestamps out of order", func(_ *Header, at, _ []uint64) { at[3], at[4] = at[4], at[3] }, true, "a tail would start before its chunk"},
		{"the last timestamp", func(h *Header, _, _ []uint64) { h.Last++ }, true, "what is newest must be known"},
		{"a timestamp before the first", func(_ *Header, at, _ []uint64) { at[1] -= 50 }, true, "the offset wraps"},
		{"the greatest sequence number", func(h *Header, _, _ []uint64) { h.MaxSequence++ }, true, "the watermark is held against it"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := describe(entries)
			at, sequences := make([]uint64, len(entries)), make([]uint64, len(entries))
			for i, e := range entries {
				at[i], sequences[i] = e.Timestamp-h.First, e.Sequence-h.MinSequence
			}
			times := len(appendColumn(appendColumn(nil, at), sequences))
			rest := appendTemplated(nil, entries, &h)[times:]
			test.change(&h, at, sequences)
			body := append(appendColumn(appendColumn(nil, at), sequences), rest...)
			key := Key{Record: "record", Timestamp: 100}.Append(nil)
			chunk := appendEncoded(nil, key, &h, templates, body)

			var b Buffer
			if err := coder.Decode(&b, key, chunk); !errors.Is(err, ErrCorrupt) {
				t.Errorf("Decode: got %v, want ErrCorrupt (%s)", err, test.reason)
			}
			if _, err := coder.Join(key, []Encoded{{key, chunk}}, more); !errors.Is(err, ErrCorrupt) {
				t.Errorf("Join: got %v, want ErrCorrupt (%s)", err, test.reason)
			}
			tailKey, tail, err := coder.Tail(key, chunk, 1)
			if (err != nil) != test.tail || err == nil && coder.Decode(&b, tailKey, tail) == nil {
				t.Errorf("Tail: got %v, and what decodes (%s)", err, test.reason)
			}
		})
	}
}

// TestNumberText compares the text of numbers with what strconv makes of them.
func TestNumberText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := style{
			leastDigits:  uint8(rapid.IntRange(1, mostDigits).Draw(t, "leastDigits")),
			mostDecimals: uint8(rapid.IntRange(0, mostDigits).Draw(t, "mostDecimals")),
		}
		s.leastDecimals = uint8(rapid.IntRange(0, int(s.mostDecimals)).Draw(t, "leastDecimals"))
		mantissa := rapid.Int64().Draw(t, "mantissa") >> rapid.IntRange(0, 63).Draw(t, "shift")

		digits, sign := strconv.FormatInt(mantissa, 10), ""
		if mantissa < 0 {
			digits, sign = digits[1:], "-"
		}
		if missing := int(s.leastDigits) + int(s.mostDecimals) - len(digits); missing > 0 {
			digits = strings.Repeat("0", missing) + digits
		}
		point := len(digits) - int(s.mostDecimals)
		decimals := digits[point:]
		for len(decimals) > int(s.leastDecimals) && strings.HasSuffix(decimals, "0") {
			decimals = decimals[:len(decimals)-1]
		}
		want := sign + digits[:point]
		if decimals != "" {
			want += "." + decimals
		}
		var text [mostNumber]byte
		if got := string(text[:s.put(text[:], mantissa)]); got != want || s.length(mantissa) != len(want) {
			t.Fatalf("%+v: %d is written %q, of length %d; want %q", s, mantissa, got, s.length(mantissa), want)
		}
	})
}
