// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// batchValue is one value of a batch.
type batchValue struct {
	Record    string
	Timestamp uint64
	Value     string
}

func encodeBatch(values []batchValue) []byte {
	w := NewBatchWriter([]byte("before"), len(values))
	for _, v := range values {
		w.Add(v.Record, v.Timestamp, []byte(v.Value))
	}
	return w.Bytes()[len("before"):]
}

// decodeBatch returns every value up to the first error.
func decodeBatch(encoded []byte) (values []batchValue, err error) {
	r, err := ReadBatch(encoded)
	for err == nil && r.Remaining() > 0 {
		var record, value []byte
		var timestamp uint64
		if record, timestamp, value, err = r.Next(); err == nil {
			values = append(values, batchValue{string(record), timestamp, string(value)})
		}
	}
	return values, err
}

func TestBatchRoundTrip(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) batchValue {
		return batchValue{
			Record:    names.Draw(t, "record"),
			Timestamp: timestamps.Draw(t, "timestamp"),
			Value:     string(rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "value")),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(value, 1, 20).Draw(t, "values")
		got, err := decodeBatch(encodeBatch(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("values (-want +got):\n%s", diff)
		}
	})
}

func TestBatchDamage(t *testing.T) {
	encoded := encodeBatch([]batchValue{
		{"sensor.kitchen", 1_700_000_000_000, `{"celsius":21.5}`},
		{"sensor.cellar", 0, `{"celsius":9}`},
		{"é", math.MaxUint64, "1"},
	})
	for n := range encoded {
		if values, err := decodeBatch(encoded[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d bytes: got %v, %v; want ErrCorrupt", n, values, err)
		}
	}
	for bit := range len(encoded) * 8 {
		damaged := flip(encoded, bit)
		if _, err := decodeBatch(damaged); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("bit %d flipped: got %v; want ErrCorrupt or other values", bit, err)
		}
	}
	for _, garbage := range []string{"\x00", "\x01a\x00\x011", "garbage"} {
		if values, err := decodeBatch(append(slices.Clone(encoded), garbage...)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%q behind it: got %v, %v; want ErrCorrupt", garbage, values, err)
		}
	}
}

func TestMalformedBatches(t *testing.T) {
	tests := []struct {
		name    string
		encoded string
		reason  string // why the row is here
	}{
		{"empty", "", "nothing at all"},
		{"no values", "\x00", "a batch has at least one"},
		{"count without values", "\x01", "ends after the count"},
		{"count beyond the bytes", "\xff\xff\xff\xff\x0f\x01a\x00\x011", "a reader makes room for as many"},
		{"greatest count", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01a\x00\x011", "no int holds it"},
		{"count overflows", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01a\x00\x011", "a varint of more than 64 bits"},
		{"name beyond the bytes", "\x01\x7fa\x00\x011", "its length is a lie"},
		{"no name", "\x01\x00\x00\x0211", "no key could be made of it"},
		{"no value", "\x01\x02aa\x00\x00", "no JSON text is empty"},
		{"value beyond the bytes", "\x01\x01a\x00\x7f1", "its length is a lie"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if values, err := decodeBatch([]byte(test.encoded)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %v, %v; want ErrCorrupt (%s)", values, err, test.reason)
			}
		})
	}
}

// TestBatchSlicesAreFull: what is appended to a slice that Next returned overwrites nothing.
func TestBatchSlicesAreFull(t *testing.T) {
	encoded := encodeBatch([]batchValue{{"a", 1, "1"}, {"b", 2, "2"}})
	r, err := ReadBatch(encoded)
	if err != nil {
		t.Fatal(err)
	}
	record, _, value, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = append(record, "zzz"...), append(value, "zzz"...)
	record, timestamp, value, err := r.Next()
	if got := fmt.Sprintf("%s %d %s %v", record, timestamp, value, err); got != "b 2 2 <nil>" {
		t.Errorf("the next value: got %s, want b 2 2", got)
	}
}
