// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// A history grows in two ways: more values of the same records, or the same number of values over
// more records. The other number has a fixed value in all points of a curve.
const (
	fixedRecords = "1000"
	fixedValues  = "1000000"
)

// growthWork is one kind of work that is measured on histories of growing size.
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

// growthAxis is a way in which a history grows.
type growthAxis struct {
	grows, stays string // the names of two parameters of the benchmark
	fixed        string // the value of the one that stays
	title        string
}

var growthAxes = []growthAxis{
	{"values", "records", fixedRecords, "values, in 1,000 records"},
	{"records", "values", fixedValues, "records, with 1,000,000 values"},
}

// point is a figure for a history of one size.
type point struct{ size, figure float64 }

// curve has one entrant's figures as the history grows.
type curve struct {
	entrant entrant
	points  []point // by size
}

// panel has the curves of one kind of work along one axis.
type panel struct {
	work   growthWork
	axis   growthAxis
	curves []curve // in the order of entrants
}

// panels returns the panels that have a curve, in the order of works, and for each work in the
// order of axes.
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

// points returns the points of one entrant's curve, by size.
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
		// Zero has no place on a logarithmic scale.
		if figure, _ := all.median(m, peer); figure > 0 {
			points = append(points, point{size, figure})
		}
	}
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.size, b.size) })
	return points
}

// size returns the place on the axis of a benchmark such as
// Growth/work=ingest/values=10000/records=1000, and whether it is a point of the work's curve along
// the axis.
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
