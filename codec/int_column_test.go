// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestIntColumnRoundTrip(t *testing.T) {
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
		encoded := appendIntColumn(nil, values)
		from := rapid.IntRange(0, len(values)).Draw(t, "from")
		got := make([]uint64, rapid.IntRange(0, len(values)-from).Draw(t, "count"))
		in := fieldReader{data: encoded}
		column := in.intColumn(len(values))
		if in.failed || len(in.data) > 0 {
			t.Fatalf("%v: failed: %v, %d bytes remain", values, in.failed, len(in.data))
		}
		column.read(got, from)
		if diff := cmp.Diff(values[from:from+len(got)], got); diff != "" {
			t.Fatalf("integers (-want +got):\n%s", diff)
		}
		for n := range encoded {
			cut := fieldReader{data: encoded[:n]}
			if cut.intColumn(len(values)); !cut.failed {
				t.Fatalf("%v: cut to %d of %d bytes, the column could still be read", values, n, len(encoded))
			}
		}
	})
}

func TestIntColumnSizes(t *testing.T) {
	ascending := func(n int, step uint64) (values []uint64) {
		for i := range n {
			values = append(values, 1_700_000_000_000+uint64(i)*step)
		}
		return values
	}
	tests := []struct {
		name   string
		values []uint64
		want   int    // bytes
		reason string // why the row is here
	}{
		{"one", []uint64{5}, 2, "the width and a base"},
		{"all equal", slices.Repeat([]uint64{7}, 500), 2, "no bits for each integer"},
		{"at an interval", ascending(500, 1000), 1 + 6 + 2, "all differences are equal"},
		{"three digits", []uint64{100, 999, 555, 123, 777, 101, 888, 434}, 1 + 2 + 10, "ten bits for each integer"},
		{"0 to 2^64-1", []uint64{0, math.MaxUint64, 1 << 63, 5}, 1 + 10 + 32, "too wide to be packed"},
	}
	for width := range 64 { // of the difference between the two integers
		want := 1 + 1 + (2*width+7)/8
		if width > maxPackedWidth {
			want = 1 + 1 + 16
		}
		tests = append(tests, tests[0])
		last := &tests[len(tests)-1]
		last.name, last.values, last.want = fmt.Sprint(width, " bits"), []uint64{0, 1<<width - 1}, want
	}
	for _, test := range tests {
		encoded := appendIntColumn(nil, test.values)
		in, got := fieldReader{data: encoded}, make([]uint64, len(test.values))
		column := in.intColumn(len(test.values))
		if column.read(got, 0); in.failed || !slices.Equal(got, test.values) {
			t.Errorf("%s: read %v; want %v (failed: %v)", test.name, got, test.values, in.failed)
		}
		if got := len(appendIntColumn(nil, test.values)); got != test.want {
			t.Errorf("%s: got %d bytes, want %d (%s)", test.name, got, test.want, test.reason)
		}
	}
}

// TestGrowsSteadily: a column that grows steadily is searched without being read.
func TestGrowsSteadily(t *testing.T) {
	for _, test := range []struct {
		values []uint64
		want   bool
	}{
		{[]uint64{0, 20, 40, 60}, true},
		{[]uint64{7, 8, 9}, true},
		{[]uint64{0, 20, 41, 60}, false},
		{[]uint64{60, 40, 20}, false},
		{[]uint64{0, 1 << 63, 0}, false},
	} {
		in := fieldReader{data: appendIntColumn(nil, test.values)}
		column := in.intColumn(len(test.values))
		if got := column.growsSteadily(); got != test.want {
			t.Errorf("%d: got %v", test.values, got)
		}
	}
}
