// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	panelHeight   vg.Length = 200
	panelsPerRow            = 2
	legendSample  vg.Length = 26 // length of the line before a name
	legendSpace   vg.Length = 18
	legendPadding vg.Length = 6
)

// writeGrowth draws one panel for each work and axis, with one legend for all.
func writeGrowth(path string, growth runs) error {
	found := panels(growth)
	if len(found) == 0 {
		return errors.New("no BenchmarkGrowth with a known work, values and records")
	}
	rows := (len(found) + panelsPerRow - 1) / panelsPerRow
	caption := captionLines(growth, command("growth", path, growth))
	legend := legendLines(found)
	above := headingHeight + vg.Length(len(legend))*lineHeight + 2*legendPadding
	below := captionHeight(caption) + pageMargin
	p := newPage(above + vg.Length(rows)*panelHeight + below)
	p.heading("How does speed change as the history grows?",
		"Both scales of each panel are logarithmic. For times less is better, for rates (/s) more.")
	p.legend(legend, p.Max.Y-headingHeight-legendPadding)
	if err := p.panels(found, rows, above, below); err != nil {
		return err
	}
	p.caption(caption)
	return p.write(path)
}

func (p page) panels(found []panel, rows int, above, below vg.Length) error {
	plots := make([][]*plot.Plot, rows)
	for i := range plots {
		plots[i] = make([]*plot.Plot, panelsPerRow)
	}
	for i, pan := range found {
		drawn, err := pan.plot()
		if err != nil {
			return err
		}
		plots[i/panelsPerRow][i%panelsPerRow] = drawn
	}
	p.tiles(plots, above, below)
	return nil
}

// tiles draws plots in rows.
func (p page) tiles(plots [][]*plot.Plot, above, below vg.Length) {
	tiles := draw.Tiles{
		Rows: len(plots), Cols: panelsPerRow,
		PadTop: above, PadBottom: below, PadLeft: pageMargin, PadRight: pageMargin,
		PadX: 20, PadY: 14,
	}
	for row, canvases := range plot.Align(plots, tiles, p.Canvas) {
		for col, c := range canvases {
			if drawn := plots[row][col]; drawn != nil {
				drawn.Draw(c)
			}
		}
	}
}

func (pan panel) plot() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = pan.work.title
	p.Title.TextStyle = bold(textStyle(textSize+1, ink, draw.XCenter, draw.YTop))
	p.Title.Padding = 4
	p.X.Label.Text = pan.axis.title
	p.X.Label.TextStyle = textStyle(textSize, ink, draw.XCenter, draw.YBottom)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = gridInk, gridInk
	p.Add(grid)
	for _, c := range pan.curves {
		if err := c.addTo(p); err != nil {
			return nil, err
		}
	}
	logarithmic(&p.X, func(v float64) string { return decadeLabel(int(math.Round(math.Log10(v)))) })
	logarithmic(&p.Y, func(v float64) string { return formatBound(v, pan.work.unit) })
	return p, nil
}

// addTo draws the curve. A limit is a dashed line without marks, and Daybook's line is thicker.
func (c curve) addTo(p *plot.Plot) error {
	var points plotter.XYs
	for _, at := range c.points {
		points = append(points, plotter.XY{X: at.size, Y: at.figure})
	}
	line, marks, err := plotter.NewLinePoints(points)
	if err != nil {
		return fmt.Errorf("%s: %w", c.entrant.name, err)
	}
	line.LineStyle = c.entrant.lineStyle()
	p.Add(line)
	if c.entrant.shape != nil {
		marks.GlyphStyle = c.entrant.glyphStyle()
		p.Add(marks)
	}
	return nil
}

func (e entrant) lineStyle() draw.LineStyle {
	style := draw.LineStyle{Color: e.line, Width: 1.25, Dashes: dashes[e.name]}
	if e.name == daybook {
		style.Width = 2.5
	}
	return style
}

func (e entrant) glyphStyle() draw.GlyphStyle {
	return draw.GlyphStyle{Color: e.line, Radius: 3, Shape: e.shape}
}

// logarithmic makes the axis begin and end at powers of ten, so that the panels of one kind of work
// can be compared.
func logarithmic(axis *plot.Axis, label func(float64) string) {
	axis.Scale = plot.LogScale{}
	low := int(math.Floor(math.Log10(axis.Min) + 1e-9))
	high := max(low+1, int(math.Ceil(math.Log10(axis.Max)-1e-9)))
	axis.Min, axis.Max = math.Pow10(low), math.Pow10(high)
	var ticks []plot.Tick
	for exponent := low; exponent <= high; exponent++ {
		ticks = append(ticks, plot.Tick{Value: math.Pow10(exponent), Label: label(math.Pow10(exponent))})
	}
	axis.Tick.Marker = plot.ConstantTicks(ticks)
	axis.Tick.Label.Font = textStyle(textSize, ink, 0, 0).Font
	axis.LineStyle.Color, axis.Tick.LineStyle.Color = faintInk, faintInk
}

var legendStyle = textStyle(textSize, ink, draw.XLeft, draw.YCenter)

// legendLines returns the entrants that have a curve, broken into lines that fit the page.
func legendLines(found []panel) [][]entrant {
	lines := [][]entrant{nil}
	x := pageMargin
	for _, e := range entrants {
		if !appears(e, found) {
			continue
		}
		if x+e.legendWidth() > pageWidth-pageMargin {
			lines, x = append(lines, nil), pageMargin
		}
		last := &lines[len(lines)-1]
		*last = append(*last, e)
		x += e.legendWidth()
	}
	return lines
}

// appears reports whether the entrant has a curve.
func appears(e entrant, found []panel) bool {
	for _, pan := range found {
		for _, c := range pan.curves {
			if c.entrant.name == e.name {
				return true
			}
		}
	}
	return false
}

func (e entrant) legendWidth() vg.Length {
	return legendSample + 4 + legendStyle.Width(e.label) + legendSpace
}

func (p page) legend(lines [][]entrant, top vg.Length) {
	for i, line := range lines {
		x, y := pageMargin, top-(vg.Length(i)+0.5)*lineHeight
		for _, e := range line {
			p.StrokeLine2(e.lineStyle(), x, y, x+legendSample, y)
			if e.shape != nil {
				p.DrawGlyph(e.glyphStyle(), vg.Point{X: x + legendSample/2, Y: y})
			}
			p.FillText(legendStyle, vg.Point{X: x + legendSample + 4, Y: y}, e.label)
			x += e.legendWidth()
		}
	}
}
