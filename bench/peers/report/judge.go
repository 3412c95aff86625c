// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
)

// verdict is the result of a bar in one run.
type verdict struct {
	measured float64
	ran      bool // whether the run has every figure that the bar needs
	holds    bool
}

// judge compares figures before they are rounded. So a printed figure may look as if it met a bar
// that was narrowly missed.
func (b bar) judge(r run) verdict {
	ours, ran := r.figures[key{b.work.measure, daybook}]
	if !ran {
		return verdict{}
	}
	if b.rule == atMost {
		return verdict{ours, true, ours <= b.bound}
	}
	theirs := r.figures[key{b.work.measure, b.peer}]
	advantage, ran := b.work.better.ratio(ours, theirs)
	switch {
	case !ran:
		return verdict{}
	case b.rule == timesBetter:
		return verdict{advantage, true, advantage >= b.bound}
	case b.rule == betterThan:
		return verdict{advantage, true, advantage > 1}
	}
	return verdict{1 / advantage, true, 1/advantage <= b.bound}
}

func (b bar) String() string {
	switch b.rule {
	case timesBetter:
		return fmt.Sprintf("at least %gx better than %s", b.bound, b.peer)
	case betterThan:
		return "better than " + b.peer
	case timesAtMost:
		return fmt.Sprintf("at most %gx of %s", b.bound, b.peer)
	}
	return "at most " + formatBound(b.bound, b.work.unit)
}

// cell returns the text of the table for one run.
func (b bar) cell(v verdict) string {
	switch {
	case !v.ran:
		return "not run"
	case b.rule == atMost:
		return formatFigure(v.measured, b.work.unit)
	}
	return formatThree(v.measured) + "x"
}

// printAllBars prints the bars of the race and those of the shapes, each judged by the runs that
// have its kind. It reports whether every bar holds in every run.
func printAllBars(out io.Writer, all runs) (held bool) {
	held = true
	if race := all.of(theRace); len(race) > 0 {
		held = printBars(out, bars, race)
	}
	if shapes := all.of(theShapes); len(shapes) > 0 {
		held = printBars(out, shapeBars(), shapes) && held
	}
	return held
}

// printBars prints a table of bars, and reports whether every bar holds in every run.
func printBars(out io.Writer, bars []bar, race runs) (held bool) {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = 0
	header := table.Row{"work", "bar"}
	for _, r := range race {
		header = append(header, r.file)
	}
	t.AppendHeader(append(header, ""))
	held = true
	for _, b := range bars {
		row, missed := b.row(race)
		held = held && missed == 0
		t.AppendRow(row)
	}
	fmt.Fprintln(out, t.Render())
	return held
}

// row returns a row of the table, and the number of runs that missed the bar. A run without the
// figures that the bar needs has missed it.
func (b bar) row(race runs) (row table.Row, missed int) {
	row = table.Row{b.work.title, b.String()}
	for _, r := range race {
		v := b.judge(r)
		row = append(row, b.cell(v))
		if !v.holds {
			missed++
		}
	}
	return append(row, outcome(missed, len(race))), missed
}

func outcome(missed, of int) string {
	switch {
	case missed == 0:
		return "holds"
	case of == 1:
		return "MISSED"
	}
	return fmt.Sprintf("MISSED in %d of %d", missed, of)
}

// heldBars says in Markdown how many bars hold, and names the others.
func heldBars(all runs) string {
	var b strings.Builder
	for _, judged := range []struct {
		kind
		bars []bar
	}{{theRace, bars}, {theShapes, shapeBars()}} {
		runs := all.of(judged.kind)
		if len(runs) == 0 {
			fmt.Fprintf(&b, "- No run of the %s has been recorded yet.\n", judged.kind)
			continue
		}
		b.WriteString(heldIn(runs, string(judged.kind), judged.bars))
	}
	return b.String()
}

// heldIn returns a list: how many of the bars hold in each run, and a line for each that does not.
func heldIn(runs runs, name string, bars []bar) string {
	var missed strings.Builder
	held := 0
	for _, bar := range bars {
		row, count := bar.row(runs)
		if count == 0 {
			held++
			continue
		}
		item := paragraph(fmt.Sprintf("%s: %s. It has %s.", row[0], row[1], formatCells(row[2:len(row)-1])))
		missed.WriteString("  - " + strings.ReplaceAll(item, "\n", "\n    ") + "\n")
	}
	return fmt.Sprintf("- Of the %d bars of the %s %d hold in each run.\n", len(bars), name, held) +
		missed.String()
}

// formatCells returns the figures of the runs that a row has.
func formatCells(cells table.Row) string {
	var figures []string
	for _, cell := range cells {
		figures = append(figures, fmt.Sprint(cell))
	}
	return strings.Join(figures, ", ")
}
