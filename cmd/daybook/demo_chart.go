// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/guptarohit/asciigraph"

	"github.com/daybook-db/daybook"
)

// chart is a number in the values of a record that can be drawn over time.
type chart struct {
	record, member string
	unit           string
	minTop         float64 // the least upper end of the vertical axis
}

// charts are the charts that the demo can draw, the best first. A host may have none of the
// records.
var charts = []chart{
	{"host.cpu.total", "busy_percent", "% busy", 10},
	{"host.memory", "used_percent", "% used", 10},
	{"host.load", "load1", "load", 1},
}

// showCharts draws one record during this run, and before that during the previous run.
func (d *demo) showCharts(ctx context.Context, run demoRun) error {
	for _, c := range charts {
		points, err := d.points(ctx, c, run)
		if err != nil {
			return err
		}
		if len(points) < 2 {
			continue
		}
		if err := d.showPrevious(ctx, c); err != nil {
			return err
		}
		d.title("%s from %s to %s: %s", c.record,
			formatTime(run.Started), timeOfDay(run.Ended), counted(len(points), "value"))
		d.plot(c, points, run)
		return nil
	}
	return nil
}

// showPrevious draws the same record during the previous run, unless its values have been deleted.
func (d *demo) showPrevious(ctx context.Context, c chart) error {
	runs, err := daybook.QueryLatest[demoRun](ctx, d.db, runRecord, 2)
	if err != nil || len(runs) < 2 {
		return err
	}
	previous := runs[1].Value
	points, err := d.points(ctx, c, previous)
	if err != nil || len(points) < 2 {
		return err
	}
	d.title("%s in the previous run, from %s to %s: %s", c.record,
		formatTime(previous.Started), timeOfDay(previous.Ended), counted(len(points), "value"))
	d.plot(c, points, previous)
	return nil
}

// points returns the numbers of a chart during a run, the oldest first.
func (d *demo) points(ctx context.Context, c chart, run demoRun) ([]float64, error) {
	values, err := daybook.QueryRange[map[string]json.RawMessage](ctx, d.db, c.record, run.Started, run.Ended)
	if err != nil {
		return nil, err
	}
	slices.Reverse(values) // QueryRange returns the newest first
	var points []float64
	for _, value := range values {
		var point float64
		if json.Unmarshal(value.Value[c.member], &point) == nil {
			points = append(points, point)
		}
	}
	return points, nil
}

// plot draws points over the seconds of a run.
func (d *demo) plot(c chart, points []float64, run demoRun) {
	const axis = 12 // columns for the labels of the vertical axis
	seconds := float64(run.Ended-run.Started) / 1000
	d.print("%s\n", asciigraph.Plot(points,
		asciigraph.Height(8),
		asciigraph.Width(max(d.width-axis, 20)),
		asciigraph.LowerBound(0),
		asciigraph.UpperBound(c.minTop),
		asciigraph.Precision(1),
		asciigraph.XAxisRange(0, seconds),
		asciigraph.XAxisValueFormatter(func(s float64) string { return fmt.Sprintf("%.1f s", s) }),
		asciigraph.Caption(c.record+", "+c.unit)))
}

// timeOfDay returns a time without its date.
func timeOfDay(ms uint64) string {
	return time.UnixMilli(int64(ms)).Format("15:04:05.000")
}
