// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRangesOfRepeatedValues reads ranges in which some places have one text, although they have
// several in the chunk.
func TestRangesOfRepeatedValues(t *testing.T) {
	tests := []struct {
		name, reason string
		value        func(run, i int) string
	}{
		{"numbers", "places of templates", func(run, i int) string {
			code := 100_000_000_000_000_000 + int64(run)
			return fmt.Sprintf(`{"lat":%d.%05d,"code":%d,"n":%d}`, run%3-1, run*7919%100_000, code, i)
		}},
		{"floats", "floats, in templates of several lengths", func(run, i int) string {
			list := [3]string{"[]", "[7]", "[7,8]"}[run%3]
			return fmt.Sprintf(`{"at":[%v,%v],"list":%s}`, 1/float64(run+3), float64(i)/3, list)
		}},
		{"members", "columns of texts, and absent members", func(run, i int) string {
			state, fault := [3]string{"a", "off", "a long state"}[run%3], [2]string{"", `,"fault":null`}[run%2]
			return fmt.Sprintf(`{"on":%v,"state":"%s","n":%d%s}`, run%4 < 2, state, i%5, fault)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var entries []Entry
			for i := range 400 {
				entries = append(entries, Entry{uint64(i), uint64(i) + 1, []byte(test.value(i/23, i))})
			}
			checkRanges(t, entries)
		})
	}
}

func checkRanges(t *testing.T, entries []Entry) {
	t.Helper()
	key, chunk := encode(entries)
	random := rand.New(rand.NewPCG(1, 2))
	var b Buffer
	for range 100 {
		from := random.IntN(len(entries))
		to := min(from+random.IntN(60)+1, len(entries))
		wanted := Range{Start: entries[from].Timestamp, End: entries[to-1].Timestamp}
		if err := NewCoder().DecodeRange(&b, key, chunk, wanted); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(entries[from:to], b.Entries); diff != "" {
			t.Fatalf("from %d to %d (-want +got):\n%s", from, to, diff)
		}
	}
}

// TestSumsOfDifferences reads single integers of long columns of differences of each width.
func TestSumsOfDifferences(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for width := range 18 {
		values := []uint64{5}
		for range 1500 {
			values = append(values, values[len(values)-1]+random.Uint64N(1<<width))
		}
		last := values[len(values)-1]
		values = append(values, last, last+1<<width-1) // the least and the greatest difference
		in := fieldReader{data: appendIntColumn(nil, values)}
		column := in.intColumn(len(values))
		for i, want := range values {
			if got := column.at(i); got != want {
				t.Fatalf("width %d: integer %d is %d; want %d", column.ints.width, i, got, want)
			}
		}
	}
}
