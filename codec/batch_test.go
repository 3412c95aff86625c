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

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
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

func TestCompressedBatch(t *testing.T) {
	noise := make([]byte, 8<<10)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	readings := func(n int) (values []batchValue) {
		for i := range n {
			name, value := fmt.Sprintf("sensor.%05d", i), fmt.Sprintf(`{"celsius":%d.5}`, i%40)
			values = append(values, batchValue{name, 1_700_000_000_000, value})
		}
		return values
	}
	tests := []struct {
		name       string
		values     []batchValue
		compressed bool
		reason     string // why the row is here
	}{
		{"one value", readings(1), false, "the batch of a single Store takes one block of the disk either way"},
		{"readings", readings(1000), true, "the usual batch: names and texts have much in common"},
		{"noise", []batchValue{{"a", 1, string(noise)}}, false, "compression does not make it shorter"},
		{"one digit", []batchValue{{"a", 1, strings.Repeat("1", 1<<20)}}, false,
			"a few bytes must not make a reader allocate many"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			raw := encodeBatch(test.values)
			encoded := AppendCompressed([]byte("before"), raw)[len("before"):]
			if got := encoded[0] == compressedBatch; got != test.compressed {
				t.Errorf("compressed: got %v, want %v (%s)", got, test.compressed, test.reason)
			}
			if len(encoded) > len(raw) {
				t.Errorf("%d bytes became %d", len(raw), len(encoded))
			}
			got, err := decodeBatch(encoded)
			if diff := cmp.Diff(test.values, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if !test.compressed {
				return
			}
			for n := range encoded {
				if _, err := decodeBatch(encoded[:n]); !errors.Is(err, ErrCorrupt) {
					t.Errorf("cut to %d bytes: got %v; want ErrCorrupt", n, err)
				}
			}
		})
	}
	bomb := append([]byte{compressedBatch}, s2.Encode(nil, make([]byte, 1<<20))...)
	allocated := allocatedBytes(func() {
		if _, err := ReadBatch(bomb); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "compressed") {
			t.Errorf("%d bytes for 1 MiB: got %v; want ErrCorrupt", len(bomb), err)
		}
	})
	if allocated > 4<<10 {
		t.Errorf("%d bytes for 1 MiB allocated %d", len(bomb), allocated)
	}
}

// TestBatchAtTheRatio has a batch that is as much longer than its compressed form as is allowed,
// and one that is longer still.
func TestBatchAtTheRatio(t *testing.T) {
	noise := []byte("0123456789abcdefghijklmnopqrstuvwxyz")
	found := false
	for n := range noise {
		for compressed := minCompressedBatch/maxBatchRatio + 1; compressed < 60; compressed++ {
			length := compressed * maxBatchRatio
			ones := strings.Repeat("1", length-n-len("\x01\x01a\x02\x80\x20"))
			want := []batchValue{{"a", 1, string(noise[:n]) + ones}}
			raw := encodeBatch(want)
			if len(raw) != length || 1+len(s2.Encode(nil, raw)) != compressed {
				continue
			}
			found = true
			encoded := AppendCompressed(nil, raw)
			if got, err := decodeBatch(encoded); len(encoded) != compressed || !slices.Equal(got, want) || err != nil {
				t.Errorf("%d bytes became %d, and %d values, %v", length, len(encoded), len(got), err)
			}
			raw = encodeBatch([]batchValue{{"a", 1, want[0].Value + "1"}})
			if encoded := AppendCompressed(nil, raw); len(encoded)*maxBatchRatio < len(raw) {
				t.Errorf("%d bytes became %d: by more than the ratio", len(raw), len(encoded))
			}
		}
	}
	if !found {
		t.Error("no batch has the greatest ratio; the test needs other batches")
	}
}

// TestBatchSection wants a section to come back with its batch, compressed or not, and a part of it
// to be refused.
func TestBatchSection(t *testing.T) {
	short := []batchValue{{"a", 5, "1"}, {"b", 6, "2"}}
	long := slices.Repeat(short, 4000)
	for _, values := range [][]batchValue{short, long} {
		for _, section := range [][]byte{{0}, []byte("position"), bytes.Repeat([]byte("s"), 300)} {
			encoded := AppendSection([]byte("before"), section)
			encoded = AppendCompressed(encoded, encodeBatch(values))[len("before"):]
			r, err := ReadBatch(encoded)
			if err != nil || !bytes.Equal(r.Section(), section) || r.Remaining() != len(values) {
				t.Fatalf("got section %q and %d values, %v; want %q and %d",
					r.Section(), r.Remaining(), err, section, len(values))
			}
			if got, err := decodeBatch(encoded); !slices.Equal(got, values) || err != nil {
				t.Errorf("got %d values, %v; want %d", len(got), err, len(values))
			}
			for n := 1; n < min(len(encoded), len(section)+20); n++ {
				if _, err := decodeBatch(encoded[:n]); !errors.Is(err, ErrCorrupt) {
					t.Errorf("cut to %d bytes: got %v; want ErrCorrupt", n, err)
				}
			}
		}
	}
	r, err := ReadBatch(encodeBatch(short))
	if r.Section() != nil || err != nil {
		t.Errorf("a batch without section has %q, %v", r.Section(), err)
	}
	twice := AppendSection(AppendSection(nil, []byte("1")), []byte("2"))
	for _, test := range []struct {
		name    string
		encoded []byte
		part    string // which the error names
	}{
		{"an empty section", append([]byte{0, 0, 0}, encodeBatch(short)...), "section"},
		{"a section of a section", append(twice, encodeBatch(short)...), "batch"},
		{"no batch", AppendSection(nil, []byte("1")), "batch"},
		{"no length", []byte{0, 0}, "section"},
		{"a length beyond it", []byte{0, 0, 5, 1}, "section"},
	} {
		_, err := ReadBatch(test.encoded)
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), test.part) {
			t.Errorf("%s: got %v; want ErrCorrupt that names the %s", test.name, err, test.part)
		}
	}
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
			t.Errorf("followed by %q: got %v, %v; want ErrCorrupt", garbage, values, err)
		}
	}
}

func TestMalformedBatches(t *testing.T) {
	tests := []struct {
		name    string
		encoded string
		reason  string // why the row is here
	}{
		{"empty", "", "no byte at all"},
		{"no values", "\x00", "a batch has at least one"},
		{"count without values", "\x01", "ends after the count"},
		{"count beyond the bytes", "\xff\xff\xff\xff\x0f\x01a\x00\x011", "a reader allocates memory for the count"},
		{"largest count", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01a\x00\x011", "no int holds it"},
		{"count overflows", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01a\x00\x011", "a varint of more than 64 bits"},
		{"name beyond the bytes", "\x01\x7fa\x00\x011", "the name is shorter than its length says"},
		{"no name", "\x01\x00\x00\x0211", "a key needs a name"},
		{"no value", "\x01\x02aa\x00\x00", "no JSON text is empty"},
		{"value beyond the bytes", "\x01\x01a\x00\x7f1", "the value is shorter than its length says"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if values, err := decodeBatch([]byte(test.encoded)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %v, %v; want ErrCorrupt (%s)", values, err, test.reason)
			}
		})
	}
}

// TestBatchCount: ReadBatch refuses a count for which the bytes do not suffice, before anybody
// allocates memory for it.
func TestBatchCount(t *testing.T) {
	smallest := []byte("\x01a\x00\x011")
	for values := range 4 {
		for count := range 6 {
			encoded := append([]byte{byte(count)}, bytes.Repeat(smallest, values)...)
			if count == 0 { // which is the mark of a compressed batch at the start
				encoded = append([]byte{compressedBatch}, s2.Encode(nil, encoded)...)
			}
			if _, err := ReadBatch(encoded); (err == nil) != (count > 0 && count <= values) {
				t.Errorf("%d values with the count %d: got %v", values, count, err)
			}
		}
	}
}

// TestBatchSlicesAreFull: appending to a slice that Next returned overwrites no other value.
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
