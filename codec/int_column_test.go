// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawInts draws integers as columns have them: near one another, in order, with a few far away,
// multiples of a number, or mostly the same as the one before.
func drawInts(t *rapid.T, maxCount int) []uint64 {
	near := rapid.Uint64().Draw(t, "near")
	width := rapid.Uint64Range(0, 63).Draw(t, "width")
	divisor := rapid.SampledFrom([]uint64{1, 1, 2, 625, 1000, 1 << 40}).Draw(t, "divisor")
	far := rapid.SampledFrom([]int{0, 1, 5}).Draw(t, "far")         // of 100
	repeated := rapid.SampledFrom([]int{0, 80, 98}).Draw(t, "same") // of 100
	ascending, steps := rapid.Bool().Draw(t, "ascending"), rapid.Bool().Draw(t, "steps")
	values := make([]uint64, rapid.IntRange(1, maxCount).Draw(t, "count"))
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	for i := range values {
		v := near + random.Uint64N(1<<width)
		if random.IntN(100) < far {
			v = random.Uint64()
		}
		values[i] = v / divisor * divisor
		if i > 0 && random.IntN(100) < repeated {
			values[i] = values[i-1]
		}
	}
	if ascending {
		slices.Sort(values)
	}
	for i := range values {
		if steps && i > 0 {
			values[i] += values[i-1]
		}
	}
	return values
}

func TestIntColumnRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := drawInts(t, rapid.SampledFrom([]int{40, 600}).Draw(t, "up to"))
		encoded := appendIntColumn(nil, values)
		in := fieldReader{data: encoded}
		column := in.intColumn(len(values))
		if in.failed || in.remaining() > 0 {
			t.Fatalf("%v: failed: %v, %d bytes remain", values, in.failed, in.remaining())
		}
		checkParts(t, &column, values)
		for n := range encoded {
			cut := fieldReader{data: encoded[:n]}
			if cut.intColumn(len(values)); !cut.failed {
				t.Fatalf("%v: cut to %d of %d bytes, the column could still be read", values, n, len(encoded))
			}
		}
	})
}

// checkParts reads a part of a column, single integers, and the column of the last ones.
func checkParts(t *rapid.T, column *intColumn, values []uint64) {
	from := rapid.IntRange(0, len(values)).Draw(t, "from")
	got := make([]uint64, rapid.IntRange(0, len(values)-from).Draw(t, "length"))
	column.read(got, from)
	if diff := cmp.Diff(values[from:from+len(got)], got); diff != "" {
		t.Fatalf("integers (-want +got):\n%s", diff)
	}
	dropped := rapid.IntRange(0, len(values)-1).Draw(t, "dropped")
	if got := column.at(dropped); got != values[dropped] {
		t.Fatalf("at %d: got %d, want %d", dropped, got, values[dropped])
	}
	minus := rapid.Uint64().Draw(t, "minus")
	in, rest := fieldReader{data: column.appendTail(nil, dropped, minus)}, make([]uint64, len(values)-dropped)
	tail := in.intColumn(len(rest))
	if in.failed || in.remaining() > 0 {
		t.Fatalf("tail after %d: failed: %v, %d bytes remain", dropped, in.failed, in.remaining())
	}
	tail.read(rest, 0)
	for i := range rest {
		rest[i] += minus
	}
	if diff := cmp.Diff(values[dropped:], rest); diff != "" {
		t.Fatalf("tail after %d (-want +got):\n%s", dropped, diff)
	}
}

// TestIntColumnOfAnyBytes: whatever the bytes are, all ways to read a column agree on its integers.
func TestIntColumnOfAnyBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := drawInts(t, 200)
		encoded := appendIntColumn(nil, values)
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			encoded[rapid.IntRange(0, len(encoded)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		in := fieldReader{data: encoded}
		column := in.intColumn(len(values))
		if in.failed {
			return
		}
		column.read(values, 0)
		checkParts(t, &column, values)
	})
}

// irregular returns ascending multiples of a unit, less than maxSteps units apart.
func irregular(count int, unit, maxSteps uint64) (values []uint64) {
	random, at := rand.New(rand.NewPCG(1, 2)), uint64(0)
	for range count {
		values = append(values, at)
		at += unit * (1 + random.Uint64N(maxSteps-1))
	}
	return values
}

// switched returns 0 and 1 in turn, each repeated.
func switched(count, repeats int) (values []uint64) {
	for i := range count {
		values = append(values, uint64(i/repeats%2))
	}
	return values
}

// withGap returns times at intervals of 1000 or 1001, with an hour between two of them.
func withGap(count int) (values []uint64) {
	for i := range count {
		at := uint64(i)*1000 + uint64(i/3)
		if i > count/2 {
			at += 3_600_000
		}
		values = append(values, at)
	}
	return values
}

// outliers returns integers below 16, of which one in a hundred is about a million instead.
func outliers(count int) (values []uint64) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range count {
		values = append(values, random.Uint64N(16))
		if i%100 == 50 {
			values[i] += 1_000_000
		}
	}
	return values
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
		{"whole seconds", irregular(500, 1000, 100), 3 + 3 + 437, "seven bits for each difference in seconds"},
		{"a switch", switched(500, 50), 2 + 4 + 2, "ten runs: a bit for each, and their length"},
		{"a gap", withGap(500), 1 + 4 + 63 + 9, "a bit for each difference, and one patch"},
		{"a few far away", outliers(500), 1 + 2 + 250 + 1 + 4 + 7, "four bits for each, and five patches"},
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
