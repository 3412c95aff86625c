// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
)

// Two benchmarks of Daybook alone belong to the shapes, because their bars are judged with them.
const (
	scanBeside = "ScanBeside"
	watchers   = "Watchers"
)

// shapeRow is a history of BenchmarkShapes.
type shapeRow struct {
	name  string // as in /row=name
	title string
}

// shapeRows are in the order of their tables.
var shapeRows = []shapeRow{
	{"telematics", "Trucks: 14 members, some of them fixed, in 1,000 records, with jitter"},
	{"float32s", "Sensors of 32 bits: seven numbers with all their digits, in 1,000 records"},
	{"transformers", "Transformers: seven numbers of 32 bits with three decimals, in 10 records, 100,000 at a time"},
	{"doubles", "Statistics: three numbers of 64 bits with all their digits, in 100 records, 100 at a time"},
	{"states", "Machines: three texts that vary beside two numbers, in 1,000 records, late by minutes"},
	{"tracks", "GPS: five numbers, two with seven decimals, in 1,000 records, backfilled by weeks"},
	{"logs", "Logs: lines with a random identifier, in 100 records"},
	{"web", "Web services: counts and latencies, in 100 records"},
	{"counters64", "Network interfaces: three counters of 64 bits, in 100 records, late by minutes"},
	{"switches", "Switches: ON or OFF, in 1,000 records"},
	{"narrow", "Readings: two numbers of three digits, 200 values of each of 10,000 records, with jitter"},
	{"sparse", "Readings: 10 values of each of 100,000 records, with jitter"},
	{"sessions", "Sessions: nested, with members and arrays that not all have, 10 values of each of 20,000 records"},
	{"small", "Readings: 10 values of each of 1,000 records"},
	{"deep", "Metrics: one number, a million values of one record, with jitter, 10,000 at a time"},
	{"once", "Machines: one value of each of 100,000 records, 1,000 at a time"},
	{"unbatched", "Metrics: one number, 200 values of each of 50 records, stored one by one"},
}

// shapeWorks are the kinds of work of each row: the columns of its table. Their benchmarks are
// names of works, which workOf completes.
var shapeWorks = []work{
	{measure{"ingest", "values/s"}, "", "ingest", "Ingest until Close has returned", more},
	{measure{"ingest", "disk-B/value"}, "", "disk", "Bytes on disk for each value", less},
	{measure{"ingest", "device-B/raw-B"}, "", "device", "Bytes written to the device for each raw byte", less},
	{measure{"scan", "values/s"}, "", "scan", "Scan everything, newest first", more},
	{measure{"range", "values/s"}, "", "range", "Scan the middle half of the time, of 100 records", more},
	{measure{"newest10", "ns/op"}, "", "newest 10", "The newest ten values of each record, after Open", less},
	{measure{"one", "ns/op"}, "", "one", "The value of one record at one time", less},
	{measure{"cleanup", "ns/op"}, "", "cleanup", "Clean up half of the values", less},
	{measure{"cleanupBeside", "ns/op"}, "", "beside", "Clean up half of the values, beside Stores", less},
}

// workOf returns the work of a row that has the given column.
func workOf(row, column string) work {
	for _, w := range shapeWorks {
		if w.column == column {
			w.benchmark = "Shapes/row=" + row + "/work=" + w.benchmark
			w.title = row + ": " + w.title
			return w
		}
	}
	panic("no column " + column)
}

// howToReadShapes stands above the tables of the shapes.
const howToReadShapes = "The row of Daybook has its figures. The others say how many times better Daybook is, in the " +
	"same run, as the median of the runs. A number below 1 is bold: there the entrant is ahead. The rows in italics " +
	"are limits, which are not stores."

// shapeTables renders one table for each row of BenchmarkShapes that was run.
func shapeTables(shapes runs) string {
	if len(shapes) == 0 {
		return "No run of the shapes has been recorded yet.\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n\n", paragraph(shapes.machine()+" "+shapes.medians()), paragraph(howToReadShapes))
	for _, w := range shapeWorks {
		fmt.Fprintf(&b, "- **%s**: %s. %s\n", w.column, w.title, w.better)
	}
	for _, row := range shapeRows {
		if works := shapes.worksOf(row); len(works) > 0 {
			fmt.Fprintf(&b, "\n### %s\n\n%s%s\n", row.title, shapes.sizeOf(row), shapeTable(shapes, works))
		}
	}
	return b.String()
}

// worksOf returns the works of a row that Daybook has done.
func (all runs) worksOf(row shapeRow) []work {
	var done []work
	for _, w := range shapeWorks {
		w = workOf(row.name, w.column)
		if _, ok := all.median(w.measure, daybook); ok {
			done = append(done, w)
		}
	}
	return done
}

// sizeOf returns a paragraph about the size of a row's history.
func (all runs) sizeOf(row shapeRow) string {
	ingest := workOf(row.name, "ingest").benchmark
	values, counted := all.median(measure{ingest, "values"}, daybook)
	raw, weighed := all.median(measure{ingest, "raw-B/value"}, daybook)
	if !counted || !weighed {
		return ""
	}
	return fmt.Sprintf("%s values of %s bytes.\n\n", formatThree(values), formatThree(raw))
}

// shapeTable has a row for each entrant that did some of the works.
func shapeTable(shapes runs, works []work) string {
	header := table.Row{""}
	for _, w := range works {
		header = append(header, w.column)
	}
	t := newTable(header)
	for _, e := range entrants {
		if !shapes.ran(works, e) {
			continue
		}
		row := table.Row{e.label}
		if e.kind == physicalLimit {
			row = table.Row{"*limit: " + e.label + "*"}
		}
		for _, w := range works {
			row = append(row, shapeCell(shapes, w, e))
		}
		t.AppendRow(row)
	}
	return t.RenderMarkdown()
}

// shapeCell is Daybook's figure, or how many times better it is than the entrant's.
func shapeCell(shapes runs, w work, e entrant) string {
	if e.name == daybook {
		return cell(shapes, w, e)
	}
	ratio, ok := shapes.advantage(w, e.name)
	switch {
	case !ok:
		return ""
	case ratio < 0.995 && e.kind != physicalLimit:
		return "**" + formatRatio(ratio) + "**"
	}
	return formatRatio(ratio)
}
