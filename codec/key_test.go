// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var (
	// nameChars are few, so that names are often equal or prefixes of one another. They include the
	// lowest and highest character that can stand where a shorter name has its separator.
	nameChars = []rune{0x01, 0x02, ' ', '.', 'a', 'b', 0x7f, 'é', 'ÿ', '漢', '\uffff', '😀', 0x10ffff}
	names     = rapid.OneOf(
		rapid.StringOfN(rapid.SampledFrom(nameChars), 1, 5, -1),
		rapid.Just(strings.Repeat("n", 1024)))

	edges = []uint64{0, 1, 0xfe, 0xff, 0x100, math.MaxUint32, 1 << 32,
		math.MaxInt64, 1 << 63, math.MaxUint64 - 1, math.MaxUint64}

	timestamps = rapid.OneOf(rapid.SampledFrom(edges), rapid.Uint64())
	ordinals   = rapid.OneOf(rapid.SampledFrom([]uint32{0, 1, 0xff, 0x100, math.MaxUint32}), rapid.Uint32())
)

func keys() *rapid.Generator[Key] {
	return rapid.Custom(func(t *rapid.T) Key {
		return Key{names.Draw(t, "record"), timestamps.Draw(t, "timestamp"), ordinals.Draw(t, "ordinal")}
	})
}

func TestKeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := keys().Draw(t, "key")
		encoded := want.Append([]byte("before"))[len("before"):]
		got, err := DecodeKey(encoded)
		if err != nil {
			t.Fatalf("DecodeKey(%x): %v", encoded, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("key (-want +got):\n%s", diff)
		}
		record, timestamp, ordinal, err := SplitKey(encoded)
		if string(record) != want.Record || timestamp != want.Timestamp || ordinal != want.Ordinal || err != nil {
			t.Fatalf("SplitKey: got %q, %d, %d, %v; want %+v", record, timestamp, ordinal, err, want)
		}
	})
}

func TestKeyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := keys().Draw(t, "a"), keys().Draw(t, "b")
		if rapid.Bool().Draw(t, "same record") {
			b.Record = a.Record
		}
		if rapid.Bool().Draw(t, "same timestamp") {
			b.Timestamp = a.Timestamp
		}
		if got, want := bytes.Compare(a.Append(nil), b.Append(nil)), a.Compare(b); got != want {
			t.Errorf("encodings of %+v and %+v compare as %d; want %d", a, b, got, want)
		}
	})
}

// TestKeyOrderOfEdges compares all pairs of keys whose order an encoding could easily get wrong.
func TestKeyOrderOfEdges(t *testing.T) {
	var all []Key
	for _, record := range []string{"a", "a\x01", "a ", "aa", "a.b", "aÿ", "a\U0010ffff", "b"} {
		for _, timestamp := range edges {
			for _, ordinal := range []uint32{0, 1, math.MaxUint32} {
				all = append(all, Key{record, timestamp, ordinal})
			}
		}
	}
	for _, a := range all {
		for _, b := range all {
			if got, want := bytes.Compare(a.Append(nil), b.Append(nil)), a.Compare(b); got != want {
				t.Errorf("encodings of %+v and %+v compare as %d; want %d", a, b, got, want)
			}
		}
	}
}

// TestBounds: a key is within the bounds exactly if it belongs to the record and its timestamp is
// in the range.
func TestBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		record, key := names.Draw(t, "record"), keys().Draw(t, "key")
		if rapid.Bool().Draw(t, "same record") {
			key.Record = record
		}
		start, end := timestamps.Draw(t, "start"), timestamps.Draw(t, "end")
		if rapid.Bool().Draw(t, "at the start") {
			key.Timestamp = start
		}
		encoded := key.Append(nil)
		lower, upper := AppendLowerBound(nil, record, start), AppendUpperBound(nil, record, end)
		got := bytes.Compare(lower, encoded) <= 0 && bytes.Compare(encoded, upper) <= 0
		want := key.Record == record && start <= key.Timestamp && key.Timestamp <= end
		if got != want {
			t.Errorf("%+v within [%d, %d] of %q: got %v, want %v", key, start, end, record, got, want)
		}
		if got, want := HasRecord(encoded, record), key.Record == record; got != want {
			t.Errorf("HasRecord(%+v, %q): got %v, want %v", key, record, got, want)
		}
	})
}

func TestMalformedKeys(t *testing.T) {
	tests := []struct {
		name   string
		key    string
		reason string // why the row is here
	}{
		{"empty", "", "no byte at all"},
		{"no separator", "record", "the key of a catalogue entry, in the wrong bucket"},
		{"no record", "\x00\x00\x00\x00\x00\x00\x00\x00\x01", "a name has at least one byte"},
		{"no timestamp", "r\x00", "ends after the separator"},
		{"short timestamp", "r\x00\x00\x00\x00\x00\x00\x00\x01", "seven bytes"},
		{"long timestamp", "r\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02", "nine bytes are no ordinal"},
		{"long ordinal", "r\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00", "five bytes"},
		{"ordinal 0", "r\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00",
			"would be a second encoding of the same key"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if key, err := DecodeKey([]byte(test.key)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("DecodeKey(%q): got %+v, %v; want ErrCorrupt (%s)", test.key, key, err, test.reason)
			}
			_, err := DecodeKey([]byte(test.key))
			if strings.HasSuffix(test.name, "timestamp") && !strings.HasSuffix(err.Error(), "want 8 or 12") {
				t.Errorf("DecodeKey(%q): got %v; want the lengths that are possible", test.key, err)
			}
			if HasRecord([]byte(test.key), test.key) {
				t.Errorf("%q belongs to a record that is as long as the key", test.key)
			}
			chunk := coder.AppendChunk(nil, []byte(test.key), []Entry{{Value: []byte("1")}})
			if header, err := ReadHeader([]byte(test.key), chunk); !errors.Is(err, ErrCorrupt) {
				t.Errorf("ReadHeader under %q: got %+v, %v; want ErrCorrupt (%s)", test.key, header, err, test.reason)
			}
		})
	}
}
