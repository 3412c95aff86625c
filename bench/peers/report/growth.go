// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// A history grows in two ways: more values of the same records, or the same values spread over more records.
// What does not grow is the same in every point of a curve.
const (
	fixedRecords = "1000"
	fixedValues  = "1000000"
)

// growthWork is one thing that is measured while a history grows.
type growthWork struct {
	name  string // as in /work=name
	title string
	unit  string
}

var growthWorks = []growthWork{
	{"ingest", "Ingest", "values/s"},
	{"range", "Range of one record", "values/s"},
	{"latest", "Latest value of every record", "ns/op"},
	{"cleanup", "Cleanup", "ns/op"},
}

// growthAxis is what grows. fixed is the value of the other parameter.
type growthAxis struct {
	grows, stays, fixed string
	title               string
}

var growthAxes = []growthAxis{
	{"values", "records", fixedRecords, "values, in 1,000 records"},
	{"records", "values", fixedValues, "records, with 1,000,000 values"},
}

// point is a figure at a size of the history.
type point struct{ size, figure float64 }

// curve is what one entrant did as the history grew.
type curve struct {
	entrant entrant
	points  []point // by size
}

// panel is the curves of one work along one axis.
type panel struct {
	work   growthWork
	axis   growthAxis
	curves []curve // in the order of entrants
}

// panels leaves out those that nobody has a figure for. They come work by work, each with its two axes.
func panels(growth runs) []panel {
	var found []panel
	for _, w := range growthWorks {
		for _, axis := range growthAxes {
			p := panel{work: w, axis: axis}
			for _, e := range entrants {
				if points := growth.points(w, axis, e.name); len(points) > 0 {
					p.curves = append(p.curves, curve{e, points})
				}
			}
			if len(p.curves) > 0 {
				found = append(found, p)
			}
		}
	}
	return found
}

func (all runs) points(w growthWork, axis growthAxis, peer string) []point {
	sizes := map[measure]float64{}
	for _, r := range all {
		for k := range r.figures {
			if size, ok := axis.size(k.benchmark, w.name); ok && k.unit == w.unit && k.peer == peer {
				sizes[k.measure] = size
			}
		}
	}
	var points []point
	for m, size := range sizes {
		// A log scale has no place for a figure of zero.
		if figure, _ := all.median(m, peer); figure > 0 {
			points = append(points, point{size, figure})
		}
	}
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.size, b.size) })
	return points
}

// size is where a benchmark such as Growth/work=ingest/values=10000/records=1000 stands on the axis.
func (axis growthAxis) size(benchmark, work string) (size float64, ok bool) {
	base, parts := benchfmt.Name(benchmark).Parts()
	if string(base) != "Growth" {
		return 0, false
	}
	parameters := map[string]string{}
	for _, part := range parts {
		name, value, _ := strings.Cut(strings.TrimPrefix(string(part), "/"), "=")
		parameters[name] = value
	}
	if parameters["work"] != work || parameters[axis.stays] != axis.fixed {
		return 0, false
	}
	size, err := strconv.ParseFloat(parameters[axis.grows], 64)
	return size, err == nil && size > 0
}
