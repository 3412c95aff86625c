// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/plot/plotter"
)

// soakLines are benchmark lines of three days, which are not in order.
func soakLines(milliseconds ...int) string {
	var b strings.Builder
	for _, day := range []int{2, 10, 1} {
		const figures = "%d MiB-disk 80 MiB-json 30 MiB-live %d ms-sweep 500 µs-p50 900 µs-p99"
		fmt.Fprintf(&b, "BenchmarkSoak/day=%02d-2 1 "+figures+"\n", day, 100+day, milliseconds[day%3])
	}
	return b.String()
}

func TestDays(t *testing.T) {
	all := runs{parse(t, "1.txt", soakLines(10, 20, 30)), parse(t, "2.txt", soakLines(30, 40, 50))}
	for unit, want := range map[string]plotter.XYs{
		"MiB-disk": {{X: 1, Y: 101}, {X: 2, Y: 102}, {X: 10, Y: 110}},
		"ms-sweep": {{X: 1, Y: 30}, {X: 2, Y: 40}, {X: 10, Y: 30}},
		"values/s": nil,
	} {
		if diff := cmp.Diff(want, all.days(unit)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", unit, diff)
		}
	}
}

func TestSoakNeedsAllItsFigures(t *testing.T) {
	all := runs{parse(t, "soak.txt", "BenchmarkSoak/day=01-2 1 100 MiB-disk\n")}
	err := writeSoak(filepath.Join(t.TempDir(), "soak.svg"), all)
	if err == nil || !strings.Contains(err.Error(), "MiB-json") {
		t.Errorf("got %v; want an error that names MiB-json", err)
	}
}
