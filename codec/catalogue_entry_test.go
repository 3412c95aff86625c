// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCatalogueEntryRoundTrip(t *testing.T) {
	number := rapid.OneOf(rapid.SampledFrom([]uint64{0, 1, 127, 128, math.MaxUint64}), rapid.Uint64())
	rapid.Check(t, func(t *rapid.T) {
		oldest, newest := number.Draw(t, "oldest"), number.Draw(t, "newest")
		want := CatalogueEntry{
			Count: max(1, number.Draw(t, "count")), Bytes: number.Draw(t, "bytes"),
			Oldest: min(oldest, newest), Newest: max(oldest, newest),
			NewestSequence: number.Draw(t, "sequence"),
			NewestValue:    rapid.SliceOfN(rapid.Byte(), 0, maxInlineValue).Draw(t, "value"),
		}
		if rapid.Bool().Draw(t, "the value is too long for the catalogue") {
			want.NewestValue = nil
		}
		encoded := want.Append(nil, "r")
		got, err := DecodeCatalogueEntry([]byte("r"), encoded)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" { // nil and empty differ
			t.Errorf("entry (-want +got):\n%s", diff)
		}
		for n := range encoded {
			if e, err := DecodeCatalogueEntry([]byte("r"), encoded[:n]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("cut to %d of %d bytes: got %+v, %v; want ErrCorrupt", n, len(encoded), e, err)
			}
		}
		if e, err := DecodeCatalogueEntry([]byte("r"), append(encoded, 0)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("with one byte more: got %+v, %v; want ErrCorrupt", e, err)
		}
	})
}

func TestMalformedCatalogueEntries(t *testing.T) {
	tests := []struct {
		name   string
		data   string
		want   error
		reason string // why the row is here
	}{
		{"smallest", "\x01\x01\x00\x00\x00\x00\x00", nil, "each field in its shortest form"},
		{"empty", "", ErrCorrupt, "no byte at all"},
		{"next version", "\x02\x01\x00\x00\x00\x00\x00", ErrVersion, "newer is not the same as damaged"},
		{"next version, cut", "\x02", ErrVersion, "only a newer program knows its fields"},
		{"version 0", "\x00\x01\x00\x00\x00\x00\x00", ErrCorrupt, "no version was ever 0, but zeroed bytes are"},
		{"no values", "\x01\x00\x00\x00\x00\x00\x00", ErrCorrupt, "a record without values has no entry"},
		{"oldest after newest", "\x01\x01\x00\x02\x01\x00\x00", ErrCorrupt, "the fields contradict each other"},
		{"value too short", "\x01\x01\x00\x00\x00\x00\x031", ErrCorrupt, "the length says two bytes, one follows"},
		{"value too long", "\x01\x01\x00\x00\x00\x00\x0211", ErrCorrupt, "the length says one byte, two follow"},
		{"value length overflows", "\x01\x01\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x011", ErrCorrupt,
			"no slice is as long"},
		{"varint overflows", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x00\x00\x00\x00", ErrCorrupt,
			"more than 64 bits"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if e, err := DecodeCatalogueEntry([]byte("r"), withEntryChecksum(test.data)); !errors.Is(err, test.want) {
				t.Errorf("got %+v, %v; want %v (%s)", e, err, test.want, test.reason)
			}
		})
	}
}

// withEntryChecksum returns an entry of the record r: data, with the checksum after the version.
func withEntryChecksum(data string) []byte {
	if data == "" {
		return nil
	}
	entry := append([]byte{data[0], 0, 0, 0, 0}, data[1:]...)
	binary.LittleEndian.PutUint32(entry[entryChecksumAt:], checksumAround([]byte("r"), entry, entryChecksumAt))
	return entry
}

// TestFlippedCatalogueEntries flips each bit of an entry and of its record's name, and wants an
// error for each.
func TestFlippedCatalogueEntries(t *testing.T) {
	e := CatalogueEntry{Count: 3, Bytes: 30, Oldest: 1, Newest: 9, NewestSequence: 12, NewestValue: []byte(`{"a":1}`)}
	good := append([]byte("r"), e.Append(nil, "r")...)
	for bit := range 8 * len(good) {
		data := bytes.Clone(good)
		data[bit/8] ^= 1 << (bit % 8)
		got, err := DecodeCatalogueEntry(data[:1], data[1:])
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Errorf("bit %d flipped: got %+v, %v; want ErrCorrupt or ErrVersion", bit, got, err)
		}
	}
}

func TestSetNewest(t *testing.T) {
	tests := []struct {
		name   string
		length int
		kept   bool
		reason string // why the row is here
	}{
		{"short", 1, true, "most values are short"},
		{"longest", maxInlineValue, true, "the limit is inclusive"},
		{"too long", maxInlineValue + 1, false, "a longer value would spread the names over more pages"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			value := bytes.Repeat([]byte("1"), test.length)
			got := CatalogueEntry{Count: 2, Oldest: 3, Newest: 4, NewestSequence: 5, NewestValue: []byte("old")}
			got.SetNewest(7, 8, value)
			want := CatalogueEntry{Count: 2, Oldest: 3, Newest: 7, NewestSequence: 8}
			if test.kept {
				want.NewestValue = value
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("entry (-want +got; %s):\n%s", test.reason, diff)
			}
		})
	}
}
