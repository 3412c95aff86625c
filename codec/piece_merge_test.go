// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"fmt"
	"math/rand/v2"
	"slices"
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

// checkRanges decodes ranges of a chunk, and compares them with the entries.
func checkRanges(t *testing.T, entries []Entry) {
	t.Helper()
	key, chunk := encode(entries)
	random := rand.New(rand.NewPCG(1, 2))
	var b Buffer
	for i := range 100 {
		from := random.IntN(len(entries))
		to := min(from+random.IntN(60)+1, len(entries))
		wanted := Range{Start: entries[from].Timestamp, End: entries[to-1].Timestamp}
		if i%3 == 0 {
			wanted.Limit, wanted.Newest = random.IntN(20), i%2 == 0
		}
		if err := coder.DecodeRange(&b, key, chunk, wanted); err != nil {
			t.Fatal(err)
		}
		if want := entriesIn(entries, wanted); !slices.EqualFunc(want, b.Entries, equalEntries) {
			t.Fatalf("%+v (-want +got):\n%s", wanted, cmp.Diff(want, b.Entries))
		}
	}
}

// entriesIn returns the entries that are wanted.
func entriesIn(entries []Entry, wanted Range) (in []Entry) {
	for _, e := range entries {
		if wanted.Contains(e.Timestamp) {
			in = append(in, e)
		}
	}
	if excess := len(in) - wanted.MaxValues(); excess > 0 && wanted.Newest {
		in = in[excess:]
	} else if excess > 0 {
		in = in[:wanted.MaxValues()]
	}
	return in
}
