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

// chart is a number in the values of a record, to be drawn over time.
type chart struct {
	record, member string
	unit           string
	top            float64 // the vertical axis reaches at least this far
}

// charts are those that the demo can draw, best first: a host may lack any of the records.
var charts = []chart{
	{"host.cpu.total", "busy_percent", "% busy", 10},
	{"host.memory", "used_percent", "% used", 10},
	{"host.load", "load1", "load", 1},
}

// showCharts shows a time range of one record: this run, and before it the last of the earlier runs.
func (d *demo) showCharts(ctx context.Context, run demoRun) error {
	for _, c := range charts {
		points, err := d.points(ctx, c, run)
		if err != nil {
			return err
		}
		if len(points) < 2 {
			continue
		}
		if err := d.showEarlier(ctx, c); err != nil {
			return err
		}
		d.title("%s from %s to %s: %s", c.record, formatTime(run.Started), clockTime(run.Ended), counted(len(points), "value"))
		d.plot(c, points, run)
		return nil
	}
	return nil
}

// showEarlier shows the same record in the run before, as far as retention has left that.
func (d *demo) showEarlier(ctx context.Context, c chart) error {
	runs, err := daybook.QueryLatest[demoRun](ctx, d.db, runRecord, 2)
	if err != nil || len(runs) < 2 {
		return err
	}
	before := runs[1].Value
	points, err := d.points(ctx, c, before)
	if err != nil || len(points) < 2 {
		return err
	}
	d.title("%s in the run before, from %s to %s: %s", c.record,
		formatTime(before.Started), clockTime(before.Ended), counted(len(points), "value"))
	d.plot(c, points, before)
	return nil
}

// points are the numbers that a record's values hold in a run, oldest first.
func (d *demo) points(ctx context.Context, c chart, run demoRun) ([]float64, error) {
	values, err := daybook.QueryRange[map[string]json.RawMessage](ctx, d.db, c.record, run.Started, run.Ended)
	if err != nil {
		return nil, err
	}
	slices.Reverse(values) // newest first, as they come
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
	const axis = 12 // columns that the labels of the vertical axis take
	seconds := float64(run.Ended-run.Started) / 1000
	d.print("%s\n", asciigraph.Plot(points,
		asciigraph.Height(8),
		asciigraph.Width(max(d.width-axis, 20)),
		asciigraph.LowerBound(0),
		asciigraph.UpperBound(c.top),
		asciigraph.Precision(1),
		asciigraph.XAxisRange(0, seconds),
		asciigraph.XAxisValueFormatter(func(s float64) string { return fmt.Sprintf("%.1f s", s) }),
		asciigraph.Caption(c.record+", "+c.unit)))
}

// clockTime is the time of day in a title, where the date would only be in the way.
func clockTime(ms uint64) string {
	return time.UnixMilli(int64(ms)).Format("15:04:05.000")
}
