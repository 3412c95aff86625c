// SPDX-License-Identifier: Apache-2.0

package head

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/daybook-db/daybook/codec"
)

// TestWalkOfTwoHeads walks over what an older and a newer head have of one record, at times that
// overlap.
func TestWalkOfTwoHeads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var heads [2]*Head
		m, sequence := make(model), uint64(0)
		for i := range heads {
			heads[i] = New(1 << 10)
			for range rapid.IntRange(0, 60).Draw(t, "values") {
				sequence++
				at := rapid.OneOf(rapid.Uint64Range(0, 30), rapid.Just(sequence)).Draw(t, "timestamp")
				e := codec.Entry{Timestamp: at, Sequence: sequence, Value: fmt.Append(nil, sequence)}
				heads[i].Add("r", e.Timestamp, e.Sequence, e.Value)
				m.add("r", e)
			}
		}
		older, newer := captureOf(heads[0], "r"), captureOf(heads[1], "r")
		wanted := codec.Range{Start: rapid.Uint64Range(0, 40).Draw(t, "start"),
			End: rapid.Uint64Range(0, 130).Draw(t, "end"), Newest: rapid.Bool().Draw(t, "newest")}
		want := wantedOf(m["r"], wanted)
		if wanted.Newest {
			slices.Reverse(want)
		}
		piece := rapid.IntRange(1, 100).Draw(t, "piece")
		got := walk(wanted, piece, &older, &newer)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(bytes.Equal)); diff != "" {
			t.Fatalf("%+v, %d at a time (-want +got):\n%s", wanted, piece, diff)
		}
	})
}
