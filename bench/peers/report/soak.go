// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"
)

// soakPanel shows figures that change from day to day.
type soakPanel struct {
	title  string
	curves []soakCurve
}

// soakCurve is one figure of each day. The first curve of a panel is a solid line, the others are
// dashed.
type soakCurve struct{ unit, label string }

var soakPanels = []soakPanel{
	{"Directory, MiB", []soakCurve{{"MiB-disk", "files"}, {"MiB-json", "JSON in them"}}},
	{"Live heap, MiB", []soakCurve{{"MiB-live", "heap"}}},
	{"A batch of all records, µs", []soakCurve{{"µs-p50", "median"}, {"µs-p99", "99th percentile"}}},
	{"An hourly sweep, ms", []soakCurve{{"ms-sweep", "mean of the day"}}},
}

const soakRows = 2

// writeSoak draws the figures that BenchmarkSoak reported for each day.
func writeSoak(path string, soak runs) error {
	caption := captionLines(soak, command("soak", path, soak))
	below := captionHeight(caption) + pageMargin
	above := headingHeight + legendPadding
	p := newPage(above + soakRows*panelHeight + below)
	p.heading("Does it stay the same, day after day?",
		"1,000 records, a value a minute each, kept for seven days. At the end half of the records stop and expire.")
	plots := make([][]*plot.Plot, soakRows)
	for i, panel := range soakPanels {
		drawn, err := panel.plot(soak)
		if err != nil {
			return err
		}
		plots[i/panelsPerRow] = append(plots[i/panelsPerRow], drawn)
	}
	p.tiles(plots, above, below)
	p.caption(caption)
	return p.write(path)
}

func (panel soakPanel) plot(soak runs) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = panel.title
	p.Title.TextStyle = bold(textStyle(textSize+1, ink, draw.XCenter, draw.YTop))
	p.Title.Padding = 4
	p.X.Label.Text = "day"
	p.X.Label.TextStyle = textStyle(textSize, ink, draw.XCenter, draw.YBottom)
	p.Y.Min = 0
	p.Legend.Top, p.Legend.Padding = true, 5
	p.Legend.TextStyle = textStyle(textSize, ink, draw.XLeft, draw.YCenter)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = gridInk, gridInk
	p.Add(grid)
	for i, c := range panel.curves {
		points := soak.days(c.unit)
		if len(points) == 0 {
			return nil, errors.New("no BenchmarkSoak/day with " + c.unit)
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.LineStyle = draw.LineStyle{Color: ink, Width: 2}
		if i > 0 {
			line.LineStyle = draw.LineStyle{Color: faintInk, Width: 1.25, Dashes: dashes["limit"]}
		}
		p.Add(line)
		p.Legend.Add(c.label, line)
	}
	p.Y.Max *= 1.25 // room for the legend
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Tick.Label.Font = textStyle(textSize, ink, 0, 0).Font
		axis.LineStyle.Color, axis.Tick.LineStyle.Color = faintInk, faintInk
	}
	return p, nil
}

// days returns the figures of each day, as the median of all runs.
func (all runs) days(unit string) (points plotter.XYs) {
	seen := map[measure]bool{}
	for _, r := range all {
		for k := range r.figures {
			text, ok := strings.CutPrefix(k.benchmark, "Soak/day=")
			day, err := strconv.ParseFloat(text, 64)
			if !ok || err != nil || k.unit != unit || seen[k.measure] {
				continue
			}
			seen[k.measure] = true
			figure, _ := all.median(k.measure, k.peer)
			points = append(points, plotter.XY{X: day, Y: figure})
		}
	}
	slices.SortFunc(points, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
	return points
}
