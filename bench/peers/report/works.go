// SPDX-License-Identifier: Apache-2.0

package main

// direction says which of two figures is the better one.
type direction bool

const (
	less direction = false
	more direction = true
)

// ratio is above 1 where ours is better than theirs. There is none with a figure of zero.
func (better direction) ratio(ours, theirs float64) (ratio float64, ok bool) {
	if ours <= 0 || theirs <= 0 {
		return 0, false
	}
	if better == more {
		return ours / theirs, true
	}
	return theirs / ours, true
}

// work is a row of the race: one thing that stores do, and how well they did it.
type work struct {
	measure
	group  string
	title  string
	better direction
}

// The works that bars are set for have names.
var (
	store         = work{measure{"Store", "ns/op"}, "Writing", "Store one value, durably", less}
	storeParallel = work{measure{"StoreParallel", "values/s"}, "Writing", "Store from 64 goroutines", more}
	ingest1k      = work{measure{"Ingest/records=1000", "values/s"}, "Writing", "Ingest into 1,000 records", more}
	ingest10k     = work{measure{"Ingest/records=10000", "values/s"}, "Writing", "Ingest into 10,000 records", more}

	latest1  = work{measure{"Latest/n=1", "ns/op"}, "Reading", "Latest value of 10,000 records after Open", less}
	latest10 = work{measure{"Latest/n=10", "ns/op"}, "Reading", "Latest 10 of 10,000 records after Open", less}
	matching = work{measure{"LatestMatching", "ns/op"}, "Reading", "Latest of 100 records among 100,000", less}
	scan     = work{measure{"Scan", "values/s"}, "Reading", "Scan a million values", more}
	ranging  = work{measure{"Range", "values/s"}, "Reading", "Range of 100,000 values of one record", more}

	size     = work{measure{"Ingest/records=1000", "disk-B/value"}, "Space", "Bytes on disk for each value, 1,000 records", less}
	device1k = work{measure{"Ingest/records=1000", "device-B/raw-B"}, "Space",
		"Bytes written to the device for each raw byte, 1,000 records", less}

	cleanup     = work{measure{"Cleanup", "ns/op"}, "Upkeep", "Clean up half of a million values", less}
	cleanupP99  = work{measure{"Cleanup", "x-p99"}, "Upkeep", "p99 of Store during cleanup, over its p99 at rest", less}
	openClosed  = work{measure{"Open/state=closed", "ns/op"}, "Upkeep", "Open 10,000,000 values after Close", less}
	openKilled  = work{measure{"Open/state=killed", "ns/op"}, "Upkeep", "Open after a kill, with a full head", less}
	heap        = work{measure{"Heap", "MiB-live"}, "Footprint", "Live heap, in MiB, ingesting 10,000,000 values", less}
	binary      = work{measure{"Binary", "MiB"}, "Footprint", "Stripped program with the engine, in MiB", less}
	allocsStore = work{measure{"Allocs/of=store", "allocs/value"}, "Footprint", "Allocations for each value stored", less}
	allocsQuery = work{measure{"Allocs/of=query", "allocs/value"}, "Footprint", "Allocations for each value read", less}
)

// works are all rows in the order in which they are shown. Those of a group stand together.
var works = []work{
	store, storeParallel, ingest1k, ingest10k,
	{measure{"Mixed", "values/s"}, "Writing", "Ingest values of all shapes into 1,000 records", more},
	latest1, latest10, matching, scan, ranging,
	size,
	{measure{"Ingest/records=10000", "disk-B/value"}, "Space", "Bytes on disk for each value, 10,000 records", less},
	{measure{"Mixed", "disk-B/value"}, "Space", "Bytes on disk for each value, of all shapes", less},
	device1k,
	{measure{"Ingest/records=10000", "device-B/raw-B"}, "Space",
		"Bytes written to the device for each raw byte, 10,000 records", less},
	cleanup, cleanupP99, openClosed, openKilled,
	heap, binary, allocsStore, allocsQuery,
}

// groupsOfWorks cuts works where the group changes.
func groupsOfWorks() [][]work {
	var groups [][]work
	for i, w := range works {
		if i == 0 || w.group != works[i-1].group {
			groups = append(groups, nil)
		}
		last := &groups[len(groups)-1]
		*last = append(*last, w)
	}
	return groups
}
