// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var templateTests = []struct {
	name      string
	values    []string
	templated bool
	reason    string // why the row is here
}{
	{"readings", []string{`{"c":21.5,"h":441}`, `{"c":9.5,"h":7}`, `{"c":-0.5,"h":1000}`}, true,
		"the usual values"},
	{"shortest fractions", []string{`21.53`, `21.5`, `21`, `0`, `-3.25`}, true,
		"as Go, JavaScript and Rust write numbers"},
	{"at least one decimal", []string{`21.53`, `21.5`, `21.0`, `0.0`}, true, "as Python writes numbers"},
	{"fixed decimals", []string{`21.50`, `0.00`, `-1.05`}, true, "as printf writes numbers"},
	{"mixed decimals", []string{`21.5`, `21.50`}, false, "no style writes both"},
	{"zero-padded", []string{`"2026-01-02T03:04:05Z"`, `"2026-11-26T18:00:59Z"`}, true, "times in text"},
	{"padded and not", []string{`"7"`, `"07"`}, false, "no style writes both"},
	{"wider than its padding", []string{`"099"`, `"1000"`}, true, "padding is a minimum width"},
	{"minus zero", []string{`-0`, `-0.0`, `0`}, false, "the sign of minus zero is text, but the decimals differ"},
	{"minus zero among others", []string{`[-0,1]`, `[-0,2]`}, true, "the sign is a part of the template"},
	{"addresses", []string{`"10.0.0.1 took 5 ms"`, `"192.168.255.254 took 12 ms"`}, true,
		"numbers between points are integers"},
	{"versions", []string{`"v1.2.3"`, `"v10.20.30"`, `"v0.0.0"`}, true, "numbers between points are integers"},
	{"exponents", []string{`1.5e-7`, `2.5e-7`, `1e-10`}, true, "as JavaScript and Rust write them"},
	{"other exponents", []string{`1.50e-07`, `2.55e-07`, `1.00e-10`}, true, "as printf writes them"},
	{"exponents of both", []string{`1.55e-07`, `1.50e-07`, `2.55e-07`}, true, "the first alone may be a float"},
	{"17 digits", []string{`0.30000000000000004`, `0.1`, `0.7071067811865476`}, true,
		"the longest that a double needs"},
	{"18 digits in all", []string{`123456789012345678`, `1`}, true, "the longest number"},
	{"19 digits", []string{`1234567890123456789`, `1234567890123456789`}, true,
		"too long for a number: text, here always the same"},
	{"too many when aligned", []string{`123456789012345678`, `0.5`}, false, "19 digits, with a decimal for each"},
	{"states", []string{`{"on":true}`, `{"on":false}`, `{"on":true}`}, true, "one template for each text"},
	{"optional members", []string{`{"a":1}`, `{"a":1,"e":"low"}`, `{"a":3}`}, true, "one template for each text"},
	{"the maximum of templates", letters(maxTemplates), true, "the limit is inclusive"},
	{"one template too many", letters(maxTemplates + 1), false, "beyond the limit"},
	{"identifiers", []string{`{"id":"6f1ea9c","n":1}`, `{"id":"6f1e77d","n":1}`}, true, "digits among letters"},
	{"a digit at either end", []string{`1x2`, `3x4`}, true, "empty pieces"},
	{"hyphens in words", []string{`"sensor-12"`, `"sensor-7"`}, true, "not a sign"},
	{"ranges", []string{`"5-7"`, `"5-8"`}, true, "not a sign either"},
	{"equally long", []string{`{"c":21.5,"h":441}`, `{"c":99.0,"h":100}`, `{"c":10.9,"h":999}`}, true,
		"written place by place"},
	{"equally long, negative", []string{`[-1.05,-12]`, `[-9.99,-99]`, `[-0.01,-10]`}, true,
		"written place by place, after a sign"},
	{"equally long, many digits", []string{`1234567.000001,1700000000000`, `9999999.999999,1799999999999`,
		`1000000.000000,1700000001234`}, true,
		"written place by place, with more than one triple of digits"},
	{"equally long, padded", []string{`"00:07.000"`, `"23:59.999"`, `"09:00.001"`}, true,
		"written place by place, with leading zeros"},
	{"equally long, except for one", append(slices.Repeat([]string{`100`}, 300), `99`), true,
		"one value forbids writing place by place"},
	{"18 digits, padded", []string{`"000000000000000001"`, `"000000000000000123"`}, true, "the widest padding"},
	{"a point at the end", []string{`7.`, `12.`}, true, "no digits follow it"},
	{"signs that change", []string{`[1,-2]`, `[-1,2]`}, true, "the sign belongs to the number"},
}

func TestTemplates(t *testing.T) {
	for _, test := range templateTests {
		t.Run(test.name, func(t *testing.T) {
			// Repeated until no other encoding is as short as templates.
			var entries []Entry
			for len(entries) < 1000 {
				for _, v := range test.values {
					entries = append(entries, Entry{uint64(len(entries)), uint64(len(entries)) + 1, []byte(v)})
				}
			}
			h := headerOf(entries)
			body := appendTemplateBody(nil, entries, &h, maxTemplates)
			if got := len(body) > 0; got != test.templated {
				t.Errorf("templates: got %v, want %v (%s)", got, test.templated, test.reason)
			}
			key, chunk := encode(entries)
			var b Buffer
			checkDecodes(t, &b, key, chunk, entries)
			if test.templated { // also if zstd is shorter
				checkDecodes(t, &b, key, appendHeaderAndBody(nil, key, &h, encodingTemplates, body), entries)
			}

			half := len(entries) / 2
			firstKey, first := encode(entries[:half])
			joined, err := coder.Join(key, []EncodedChunk{{firstKey, first}}, entries[half:])
			// zstd makes the first half shorter if its few values are repeated often enough.
			isAlike := first[1] == encodingTemplates || first[1] == encodingMembers
			if err != nil || (joined != nil) != isAlike {
				t.Fatalf("Join: got %d bytes, %v (%s)", len(joined), err, test.reason)
			}
			if joined != nil {
				checkDecodes(t, &b, key, joined, entries)
			}
		})
	}
}

// letters returns n values without numbers, each with a text of its own.
func letters(n int) (values []string) {
	for i := range n {
		values = append(values, `"`+strings.Repeat("x", i+1)+`"`)
	}
	return values
}

// similar draws texts that have much in common, with numbers in every style in which numbers are
// written.
func similar() *rapid.Generator[string] {
	number := rapid.OneOf(
		rapid.Map(rapid.IntRange(-1000, 1000), strconv.Itoa),
		rapid.Map(rapid.Int64(), func(v int64) string { return strconv.FormatInt(v, 10) }),
		rapid.Map(rapid.Float64(), func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }),
		rapid.Map(rapid.IntRange(-1000, 1000), func(v int) string { return hundredths(v, -1) }),
		rapid.Map(rapid.IntRange(-1000, 1000), func(v int) string { return hundredths(v, 2) }),
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

func hundredths(v, decimals int) string {
	return strconv.FormatFloat(float64(v)/100, 'f', decimals, 64)
}

// TestTemplateLimits has as many values, and as many bytes of values, as may be encoded by
// templates, and one more of each. A reader refuses more.
func TestTemplateLimits(t *testing.T) {
	long := []byte(`"` + strings.Repeat("x", maxTemplateBytes/64-2) + `"`)
	tests := []struct {
		name      string
		value     []byte
		count     int
		last      []byte
		templated bool
	}{
		{"the maximum of values", []byte("7"), maxTemplateValues, []byte("7"), true},
		{"one value more", []byte("7"), maxTemplateValues + 1, []byte("7"), false},
		{"the maximum of bytes", long, 64, long, true},
		{"one byte more", long, 64, append(slices.Clone(long), ' '), false},
	}
	var b Buffer
	for _, test := range tests {
		entries := make([]Entry, test.count)
		for i := range entries {
			entries[i] = Entry{uint64(i), uint64(i) + 1, test.value}
		}
		entries[len(entries)-1].Value = test.last
		key, chunk := encode(entries)
		checkDecodes(t, &b, key, chunk, entries)
		h := headerOf(entries)
		if got := len(appendTemplateBody(nil, entries, &h, maxTemplates)) > 0; got != test.templated {
			t.Errorf("%s: encoded by templates: %v; want %v", test.name, got, test.templated)
		}
		firstKey, first := encode(entries[:len(entries)/2])
		joined, err := coder.Join(key, []EncodedChunk{{firstKey, first}}, entries[len(entries)/2:])
		if (joined != nil) != test.templated || err != nil {
			t.Errorf("%s: joined to %d bytes, %v; want a chunk: %v", test.name, len(joined), err, test.templated)
		}
		if joined != nil {
			checkDecodes(t, &b, key, joined, entries)
		}
		tailKey, tail, err := coder.Tail(key, chunk, 1)
		if err != nil {
			t.Fatalf("%s: Tail: %v", test.name, err)
		}
		checkDecodes(t, &b, tailKey, tail, entries[1:])
	}
}

// TestJoinOfTooManyTemplates: chunks that have together more templates than one may have are not
// joined.
func TestJoinOfTooManyTemplates(t *testing.T) {
	var entries []Entry
	for i, value := range letters(maxTemplates + 1) {
		for range 1000 {
			entries = append(entries, Entry{uint64(i), uint64(len(entries)) + 1, []byte(value)})
		}
	}
	var chunks []EncodedChunk
	for _, part := range [][]Entry{entries[:10_000], entries[10_000:]} {
		h := headerOf(part)
		key := Key{Record: "record", Timestamp: h.First}.Append(nil)
		body := appendTemplateBody(nil, part, &h, maxTemplates)
		chunks = append(chunks, EncodedChunk{key, appendHeaderAndBody(nil, key, &h, encodingTemplates, body)})
	}
	if joined, err := coder.Join(chunks[0].Key, chunks, nil); joined != nil || err != nil {
		t.Errorf("got %d bytes, %v; want no chunk", len(joined), err)
	}
}

// TestFalseValueBytes has headers with every wrong length of the values. No value may be cut off,
// also if it alone is decoded.
func TestFalseValueBytes(t *testing.T) {
	long := `"` + strings.Repeat("text.", 14) + `"`
	kinds := map[string][]string{
		"equally long":  {`[` + long + `,5]`, `[` + long + `,7]`},
		"two lengths":   {`[` + long + `,5]`, `[` + long + `,77]`},
		"fractions":     {`[` + long + `,5,"x"]`, `[` + long + `,7.25,"x"]`},
		"a long end":    {`[5,` + long + `]`, `[7.25,` + long + `]`},
		"two templates": {`[` + long + `,5]`, `[true,` + long + `,77]`},
		"no numbers":    {long, `[` + long + `]`},
	}
	for name, values := range kinds {
		entries := []Entry{{100, 1, []byte(values[0])}, {200, 2, []byte(values[1])}, {300, 3, []byte(values[0])}}
		h := headerOf(entries)
		body := appendTemplateBody(nil, entries, &h, maxTemplates)
		key := Key{Record: "record", Timestamp: 100}.Append(nil)
		whole := h.ValueBytes
		for h.ValueBytes = 3; h.ValueBytes < 2*whole; h.ValueBytes++ {
			chunk := appendHeaderAndBody(nil, key, &h, encodingTemplates, body)
			var b Buffer
			if err := coder.Decode(&b, key, chunk); (err == nil) != (h.ValueBytes == whole) {
				t.Errorf("%s: %d bytes in place of %d: Decode: got %v", name, h.ValueBytes, whole, err)
			}
			for i, e := range entries {
				for j := i; j < min(i+2, len(entries)); j++ {
					err := coder.DecodeRange(&b, key, chunk, Range{Start: e.Timestamp, End: entries[j].Timestamp})
					if err == nil && !slices.EqualFunc(b.Entries, entries[i:j+1], equalEntries) ||
						err != nil && (!errors.Is(err, ErrCorrupt) || h.ValueBytes >= whole) {
						t.Errorf("%s: %d bytes in place of %d: got %v, %v", name, h.ValueBytes, whole, b.Entries, err)
					}
				}
			}
			tailKey, tail, err := coder.Tail(key, chunk, 1)
			if dropped := uint64(len(values[0])); h.ValueBytes < dropped+2 && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %d bytes in place of %d: Tail: got %v", name, h.ValueBytes, whole, err)
			}
			if err == nil && coder.Decode(&b, tailKey, tail) == nil && h.ValueBytes != whole {
				t.Errorf("%s: %d bytes in place of %d: the tail decodes", name, h.ValueBytes, whole)
			}
		}
	}
}

// TestFalseHeaders: Decode, Join and Tail each find a header that contradicts the body, although
// both checksums match. DecodeRange and CountBefore find false timestamps.
func TestFalseHeaders(t *testing.T) {
	var entries []Entry
	for i := range uint64(20) {
		entries = append(entries, Entry{100 + i*i, 1 + i*3, fmt.Appendf(nil, `{"c":%d}`, i)})
	}
	more := []Entry{{5000, 900, []byte(`{"c":7}`)}}
	tests := []struct {
		name   string
		change func(h *Header, timestamps, sequences []uint64)
		tail   bool   // Tail finds it; otherwise the tail does not decode either
		reason string // why the row is here
	}{
		{"value bytes", func(h *Header, _, _ []uint64) { h.ValueBytes++ }, false,
			"new values must not be joined to values that do not decode"},
		{"timestamps out of order", func(_ *Header, at, _ []uint64) { at[3], at[4] = at[4], at[3] }, true,
			"a tail would start before its chunk"},
		{"the last timestamp", func(h *Header, _, _ []uint64) { h.Last++ }, true, "the newest timestamp must be right"},
		{"a timestamp before the first", func(_ *Header, at, _ []uint64) { at[1] -= 50 }, true, "the offset wraps"},
		{"the highest sequence number", func(h *Header, _, _ []uint64) { h.MaxSequence++ }, true,
			"it is compared with the watermark"},
		{"a number above the highest", func(h *Header, _, _ []uint64) { h.MaxSequence-- }, true,
			"also if its value alone is decoded"},
		{"a timestamp after the last", func(h *Header, _, _ []uint64) { h.Last-- }, true,
			"also if its value alone is decoded"},
		{"steady timestamps that wrap", func(h *Header, at, _ []uint64) {
			for i := range at {
				at[i] = uint64(i) << 63
			}
			h.Last = h.First + 1<<63
		}, true, "all differences are equal, but the product overflows"},
		{"steady timestamps from another start", func(h *Header, at, _ []uint64) {
			for i := range at {
				at[i] = 5 + uint64(i)*20
			}
			h.Last = h.First + at[len(at)-1]
		}, true, "the first timestamp is in the key"},
		{"steady timestamps to another end", func(h *Header, at, _ []uint64) {
			for i := range at {
				at[i] = uint64(i) * 20
			}
			h.Last = h.First + 500
		}, true, "the newest timestamp must be right"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := headerOf(entries)
			at, sequences := make([]uint64, len(entries)), make([]uint64, len(entries))
			for i, e := range entries {
				at[i], sequences[i] = e.Timestamp-h.First, e.Sequence-h.MinSequence
			}
			columns := len(appendIntColumn(appendIntColumn(nil, at), sequences))
			rest := appendTemplateBody(nil, entries, &h, maxTemplates)[columns:]
			test.change(&h, at, sequences)
			body := append(appendIntColumn(appendIntColumn(nil, at), sequences), rest...)
			key := Key{Record: "record", Timestamp: 100}.Append(nil)
			chunk := appendHeaderAndBody(nil, key, &h, encodingTemplates, body)

			var b Buffer
			if err := coder.Decode(&b, key, chunk); !errors.Is(err, ErrCorrupt) {
				t.Errorf("Decode: got %v, want ErrCorrupt (%s)", err, test.reason)
			}
			newest := Range{End: math.MaxUint64, Limit: 1, Newest: true}
			isNewest := test.name == "a number above the highest" || test.name == "a timestamp after the last"
			if err := coder.DecodeRange(&b, key, chunk, newest); isNewest && !errors.Is(err, ErrCorrupt) {
				t.Errorf("DecodeRange of the newest value: got %v, want ErrCorrupt (%s)", err, test.reason)
			}
			for n := range columns {
				cut := appendHeaderAndBody(nil, key, &h, encodingTemplates, body[:n])
				_, _, err := coder.Tail(key, cut, 1)
				count, countErr := coder.CountBefore(key, cut, 110)
				if err == nil || countErr == nil && n < len(appendIntColumn(nil, at)) {
					t.Errorf("cut to %d bytes: Tail: got %v; CountBefore: got %d, %v", n, err, count, countErr)
				}
			}
			if strings.Contains(test.name, "timestamp") {
				if err := coder.DecodeRange(&b, key, chunk, Range{Start: 101, End: 400}); !errors.Is(err, ErrCorrupt) {
					t.Errorf("DecodeRange: got %v, want ErrCorrupt (%s)", err, test.reason)
				}
				if n, err := coder.CountBefore(key, chunk, 110); !errors.Is(err, ErrCorrupt) {
					t.Errorf("CountBefore: got %d, %v, want ErrCorrupt (%s)", n, err, test.reason)
				}
			}
			if _, err := coder.Join(key, []EncodedChunk{{key, chunk}}, more); !errors.Is(err, ErrCorrupt) {
				t.Errorf("Join: got %v, want ErrCorrupt (%s)", err, test.reason)
			}
			tailKey, tail, err := coder.Tail(key, chunk, 1)
			if (err != nil) != test.tail || err == nil && coder.Decode(&b, tailKey, tail) == nil {
				t.Errorf("Tail: got %v, and a tail that decodes (%s)", err, test.reason)
			}
		})
	}
}

// TestFalseColumns is TestFalseHeaders for a chunk without templates.
func TestFalseColumns(t *testing.T) {
	entries := []Entry{{100, 1, []byte("1")}, {150, 7, []byte("22")}, {900, 3, []byte("3")}}
	key := Key{Record: "record", Timestamp: 100}.Append(nil)
	plain := appendColumns(nil, entries, 1)
	wrapped := slices.Clone(entries)
	wrapped[1].Timestamp = 50 // the difference wraps
	for name, change := range map[string]func(h *Header, body []byte){
		"timestamps out of order":     func(*Header, []byte) {},
		"the last timestamp":          func(h *Header, _ []byte) { h.Last++ },
		"the lowest sequence number":  func(h *Header, body []byte) { body[4] = 2 }, // zig-zag: 1
		"the highest sequence number": func(h *Header, _ []byte) { h.MaxSequence++ },
		"a length":                    func(_ *Header, body []byte) { body[len(body)-6] = 3 },
		"a length beyond the values":  func(_ *Header, body []byte) { body[len(body)-5] = 100 },
		"a varint without end":        func(_ *Header, body []byte) { body[len(body)-5] = 0xff },
	} {
		h, body := headerOf(entries), slices.Clone(plain)
		h.columns = uint64(len(plain)) - h.ValueBytes
		if name == "timestamps out of order" {
			body = appendColumns(nil, wrapped, 1)
			h.columns = uint64(len(body)) - h.ValueBytes
		}
		change(&h, body)
		chunk := appendHeaderAndBody(nil, key, &h, encodingPlain, body)
		var b Buffer
		_, countErr := coder.CountBefore(key, chunk, 200)
		_, _, tailErr := coder.Tail(key, chunk, 1)
		_, sequencesErr := coder.DecodeSequences(&b, key, chunk, 1, 1)
		for what, err := range map[string]error{
			"Decode": coder.Decode(&b, key, chunk), "DecodeRange": coder.DecodeRange(&b, key, chunk, Range{End: 100}),
			"DecodeSequences": sequencesErr, "CountBefore": countErr, "Tail": tailErr,
		} {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s is wrong: %s: got %v; want ErrCorrupt", name, what, err)
			}
		}
	}
}

// TestSplitAtNumbers wants the text between the numbers of a value, with a # in the place of each.
// Values whose texts are equal share a template.
func TestSplitAtNumbers(t *testing.T) {
	for _, test := range []struct{ value, want, reason string }{
		{`{"c":-1.5,"d":2}`, `{"c":#,"d":#}`, "signs and fractions belong to the number"},
		{`a-1 z-1 A-1 Z-1 é-1`, `a-# z-# A-# Z-# é-#`, "a hyphen in a word is not a sign"},
		{"`-1 {-1 @-1 [-1 \u007f-1", "`# {# @# [# \u007f#", "a hyphen after another character is"},
		{`0.123456789012345678`, `0.#`, "19 digits with a fraction"},
		{`12345678901234567.89`, `12345678901234567.#`, "19 digits with a fraction"},
		{`1234567890123456789 5`, `1234567890123456789 #`, "a number after one that is too long"},
		{`À-1`, `À-#`, "its last byte is 0x80"},
		{`5-7`, `##`, "a hyphen after a number is the sign of the next"},
		{`-0 -0.0 0`, `-# -# #`, "minus zero: the sign is text"},
		{`1.2.3 10.0.0.1`, `#.#.# #.#.#.#`, "no fractions in a version or an address"},
		{`1.2 1. .5`, `# #. .#`, "a fraction needs digits on both sides"},
		{`123456789012345678 -123456789012345678`, `# #`, "18 digits"},
		{`1234567890123456789 -1234567890123456789`, `1234567890123456789 -1234567890123456789`, "19 digits are text"},
		{`0.12345678901234567 -0.12345678901234567`, `# #`, "18 digits with a fraction"},
		{`12345678901234567.8 1.12345678901234567`, `# #`, "18 digits with a fraction"},
	} {
		pieces, found := splitAtNumbers([]byte(test.value), unlimited, nil, nil)
		if got := string(bytes.Join(pieces, []byte("#"))); got != test.want || len(found) != len(pieces)-1 {
			t.Errorf("%s: got %s with %d numbers; want %s (%s)", test.value, got, len(found), test.want, test.reason)
		}
	}
}

// TestValueFitsItsTemplate: a value has the template that it made, with the same numbers.
func TestValueFitsItsTemplate(t *testing.T) {
	for _, test := range templateTests {
		for _, value := range test.values {
			pieces, numbers := splitAtNumbers([]byte(value), unlimited, nil, nil)
			f := templateFinder{pieces: pieces}
			f.addTemplate()
			if !f.addTo(0, []byte(value)) || !slices.Equal(f.found, numbers) {
				t.Errorf("%s: got %v; want %v", value, f.found, numbers)
			}
		}
	}
}
