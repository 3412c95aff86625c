// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"math"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/dustin/go-humanize"
)

const (
	barPitch    vg.Length = 12 // from one bar to the next, which is the height of the label
	barHeight   vg.Length = 8
	blockTitle  vg.Length = 15
	blockGap    vg.Length = 7
	peerWidth   vg.Length = 88 // of the name of a peer, to the left of its bar
	valueWidth  vg.Length = 48 // of the ratio, to the right of the bar
	axisHeight  vg.Length = 31 // of the labels of the powers of ten, with "Daybook" above the 1
	columnSpace vg.Length = 20
	halfWidth   vg.Length = (pageWidth - 2*pageMargin - columnSpace) / 2
)

// ratioBar is how many times better Daybook is than one peer at one work.
type ratioBar struct {
	peer  entrant
	ratio float64
}

// block is one kind of work with the bars of all peers that do it.
type block struct {
	title string
	bars  []ratioBar
}

func (b block) height() vg.Length {
	return blockTitle + vg.Length(len(b.bars))*barPitch + blockGap
}

// writeRatios draws the blocks in two columns, first the left one from top to bottom.
func writeRatios(path string, race runs) error {
	blocks := ratioBlocks(race)
	if len(blocks) == 0 {
		return errors.New("no work has a figure of " + daybook + " and one of a peer")
	}
	left, right := balance(blocks)
	caption := captionLines(race, command("chart", path, race))
	body := axisHeight + max(totalHeight(left), totalHeight(right))
	p := newPage(headingHeight + body + captionHeight(caption) + pageMargin)
	p.heading("How many times better is Daybook?",
		"Logarithmic scale. To the right of the line at 1 Daybook is ahead, to the left of it the peer. "+
			"A peer without a bar does not do the work.")
	axis := ratioAxis(blocks)
	top := p.Max.Y - headingHeight
	for i, half := range [][]block{left, right} {
		axis.left = pageMargin + vg.Length(i)*(halfWidth+columnSpace) + peerWidth
		axis.right = axis.left + halfWidth - peerWidth - valueWidth
		p.ratioColumn(axis, half, top)
	}
	p.caption(caption)
	return p.write(path)
}

// ratioBlocks returns a block for each kind of work that Daybook and a peer do.
func ratioBlocks(race runs) []block {
	var blocks []block
	for _, w := range works {
		b := block{title: w.title}
		for _, e := range rivals() {
			if ratio, ok := race.advantage(w, e.name); ok {
				b.bars = append(b.bars, ratioBar{e, ratio})
			}
		}
		if len(b.bars) > 0 {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

// balance divides blocks into two columns, so that the higher column is as low as possible.
func balance(blocks []block) (left, right []block) {
	best := 0
	lowest := vg.Length(math.Inf(1))
	for cut := range len(blocks) + 1 {
		if h := max(totalHeight(blocks[:cut]), totalHeight(blocks[cut:])); h < lowest {
			best, lowest = cut, h
		}
	}
	return blocks[:best], blocks[best:]
}

func totalHeight(blocks []block) vg.Length {
	var sum vg.Length
	for _, b := range blocks {
		sum += b.height()
	}
	return sum
}

// logAxis maps the powers of ten from low to high to places from left to right.
type logAxis struct {
	low, high   int
	left, right vg.Length
}

// ratioAxis begins and ends at powers of ten that enclose every ratio, and has room on both sides
// of 1.
func ratioAxis(blocks []block) logAxis {
	low, high := -1, 1
	for _, b := range blocks {
		for _, bar := range b.bars {
			exponent := math.Log10(bar.ratio)
			low = min(low, int(math.Floor(exponent)))
			high = max(high, int(math.Ceil(exponent)))
		}
	}
	return logAxis{low: low, high: high}
}

func (a logAxis) at(ratio float64) vg.Length {
	share := (math.Log10(ratio) - float64(a.low)) / float64(a.high-a.low)
	return a.left + vg.Length(share)*(a.right-a.left)
}

// ratioColumn draws the axis and the blocks of one column.
func (p page) ratioColumn(axis logAxis, blocks []block, top vg.Length) {
	first := top - axisHeight
	bottom := first - totalHeight(blocks)
	p.decades(axis, first, bottom)
	y := first
	for _, b := range blocks {
		p.block(axis, b, y)
		y -= b.height()
	}
}

// decades draws a line for each power of ten. A label that would run into the one before it is left
// out.
func (p page) decades(axis logAxis, top, bottom vg.Length) {
	style := textStyle(textSize, faintInk, draw.XCenter, draw.YBottom)
	free := p.Min.X
	for exponent := axis.low; exponent <= axis.high; exponent++ {
		x, label := axis.at(math.Pow10(exponent)), decadeLabel(exponent)
		p.line(gridInk, 0.75, x, bottom, x, top)
		if half := style.Width(label) / 2; x-half >= free {
			p.FillText(style, vg.Point{X: x, Y: top + 4}, label)
			free = x + half + 4
		}
	}
	mark := bold(textStyle(textSize, ink, draw.XCenter, draw.YBottom))
	p.FillText(mark, vg.Point{X: axis.at(1), Y: top + 4 + lineHeight}, "Daybook")
}

func decadeLabel(exponent int) string {
	if exponent < 0 {
		return strconv.FormatFloat(math.Pow10(exponent), 'f', -exponent, 64)
	}
	number, prefix := humanize.ComputeSI(math.Pow10(exponent))
	return strconv.FormatFloat(number, 'f', 0, 64) + prefix
}

// block draws a block. Its title covers the grid, and may be as wide as the column. The line at 1
// is drawn last, over the ends of the bars.
func (p page) block(axis logAxis, b block, top vg.Length) {
	title := bold(textStyle(textSize, ink, draw.XLeft, draw.YTop))
	x := axis.left - peerWidth
	p.box(paper, x, top-blockTitle+2, x+title.Width(b.title)+4, top)
	p.FillText(title, vg.Point{X: x, Y: top - 1}, b.title)
	bottom := top - b.height() + blockGap
	for i, bar := range b.bars {
		p.ratioBar(axis, bar, top-blockTitle-(vg.Length(i)+0.5)*barPitch)
	}
	one := axis.at(1)
	p.line(ink, 1.25, one, bottom, one, top-blockTitle)
}

// ratioBar draws a bar, with the name of the peer to the left and the ratio to the right of it.
func (p page) ratioBar(axis logAxis, bar ratioBar, y vg.Length) {
	one, end := axis.at(1), axis.at(bar.ratio)
	p.box(bar.peer.line, min(one, end), y-barHeight/2, max(one, end), y+barHeight/2)
	name := textStyle(textSize, ink, draw.XRight, draw.YCenter)
	p.FillText(name, vg.Point{X: axis.left - 6, Y: y}, bar.peer.label)
	value, label := textStyle(textSize, ink, draw.XLeft, draw.YCenter), formatRatio(bar.ratio)
	if bar.ratio < 0.995 {
		value = bold(value)
	}
	x := max(one, end) + 3
	p.box(paper, x, y-barHeight/2, x+value.Width(label), y+barHeight/2)
	p.FillText(value, vg.Point{X: x, Y: y}, label)
}
