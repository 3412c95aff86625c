// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPoints(t *testing.T) {
	all := runs{
		parse(t, "1.txt", growthLines),
		parse(t, "2.txt", "BenchmarkGrowth/work=ingest/values=10000/records=1000/peer=daybook-2 1 3e6 values/s\n"),
	}
	ingest := growthWorks[0]
	for _, tt := range []struct {
		reason string
		axis   growthAxis
		peer   string
		want   []point
	}{
		{"ordered by size, with the median of two runs", growthAxes[0], daybook, []point{{1e4, 2.5e6}, {1e6, 1e6}}},
		{"the point with both fixed values is on both axes", growthAxes[1], daybook, []point{{10, 3e6}, {1000, 1e6}}},
		{"a limit has a curve", growthAxes[1], "limit", []point{{10, 4e6}}},
		{"another kind of work has another curve", growthAxes[0], "sqlite", nil},
	} {
		got := all.points(ingest, tt.axis, tt.peer)
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(point{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
		}
	}
	if got := len(panels(all)); got != 3 {
		t.Errorf("got %d panels, want ingest on both axes and cleanup on one", got)
	}
}

// TestBalance shows that blocks keep their order, and that the two columns have about the same
// height.
func TestBalance(t *testing.T) {
	three := make([]ratioBar, 3)
	left, right := balance([]block{{"a", three}, {"b", three}, {"c", three}, {"d", three}})
	if len(left) != 2 || len(right) != 2 || left[0].title != "a" || right[0].title != "c" {
		t.Errorf("got %v and %v; want two blocks in each", left, right)
	}
}
