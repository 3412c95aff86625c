// SPDX-License-Identifier: Apache-2.0

package main

// direction says which of two figures is the better one.
type direction bool

const (
	less direction = false
	more direction = true
)

func (better direction) String() string {
	if better == more {
		return "More is better."
	}
	return "Less is better."
}

// ratio is above 1 if ours is better than theirs. A figure of zero has no ratio.
func (better direction) ratio(ours, theirs float64) (ratio float64, ok bool) {
	if ours <= 0 || theirs <= 0 {
		return 0, false
	}
	if better == more {
		return ours / theirs, true
	}
	return theirs / ours, true
}

// work is one kind of work that the race measures.
type work struct {
	measure
	group  string // heading of its table
	column string // heading of its column
	title  string // explanation of the column
	better direction
}

// These works have names because bars refer to them.
var (
	store = work{
		measure{"Store", "ns/op"}, "Writing",
		"one value", "Store one value, durably", less,
	}
	storeParallel = work{
		measure{"StoreParallel", "values/s"}, "Writing",
		"64 goroutines", "Store from 64 goroutines", more,
	}
	ingest1k = work{
		measure{"Ingest/records=1000", "values/s"}, "Writing",
		"1,000 records", "Ingest into 1,000 records", more,
	}
	ingest10k = work{
		measure{"Ingest/records=10000", "values/s"}, "Writing",
		"10,000 records", "Ingest into 10,000 records", more,
	}

	latest1 = work{
		measure{"Latest/n=1", "ns/op"}, "Reading",
		"latest 1", "Latest value of 10,000 records after Open", less,
	}
	latest10 = work{
		measure{"Latest/n=10", "ns/op"}, "Reading",
		"latest 10", "Latest 10 of 10,000 records after Open", less,
	}
	matching = work{
		measure{"LatestMatching", "ns/op"}, "Reading",
		"100 of 100,000", "Latest of 100 records among 100,000", less,
	}
	scan = work{
		measure{"Scan", "values/s"}, "Reading",
		"scan", "Scan a million values", more,
	}
	ranging = work{
		measure{"Range", "values/s"}, "Reading",
		"range", "Range of 100,000 values of one record", more,
	}

	size = work{
		measure{"Ingest/records=1000", "disk-B/value"}, "Space",
		"disk, 1,000", "Bytes on disk for each value, 1,000 records", less,
	}
	device1k = work{
		measure{"Ingest/records=1000", "device-B/raw-B"}, "Space",
		"device, 1,000", "Bytes written to the device for each raw byte, 1,000 records", less,
	}

	cleanup = work{
		measure{"Cleanup", "ns/op"}, "Upkeep",
		"cleanup", "Clean up half of a million values", less,
	}
	cleanupP99 = work{
		measure{"Cleanup", "x-p99"}, "Upkeep",
		"p99 ratio", "p99 of Store during cleanup, over its p99 at rest", less,
	}
	openClosed = work{
		measure{"Open/state=closed", "ns/op"}, "Upkeep",
		"open", "Open 10,000,000 values after Close", less,
	}
	openKilled = work{
		measure{"Open/state=killed", "ns/op"}, "Upkeep",
		"open after a kill", "Open after a kill, with a full head", less,
	}

	heap = work{
		measure{"Heap", "MiB-live"}, "Footprint",
		"heap", "Live heap, in MiB, ingesting 10,000,000 values", less,
	}
	binary = work{
		measure{"Binary", "MiB"}, "Footprint",
		"program", "Stripped program with the engine, in MiB", less,
	}
	allocsStore = work{
		measure{"Allocs/of=store", "allocs/value"}, "Footprint",
		"allocations, store", "Allocations for each value stored", less,
	}
	allocsQuery = work{
		measure{"Allocs/of=query", "allocs/value"}, "Footprint",
		"allocations, read", "Allocations for each value read", less,
	}
)

// works are all works in the order in which they are shown. Those of a group are next to each
// other.
var works = []work{
	store, storeParallel, ingest1k, ingest10k,
	{
		measure{"Mixed", "values/s"}, "Writing",
		"all shapes", "Ingest values of all shapes into 1,000 records", more,
	},
	latest1, latest10, matching, scan, ranging,
	size,
	{
		measure{"Ingest/records=10000", "disk-B/value"}, "Space",
		"disk, 10,000", "Bytes on disk for each value, 10,000 records", less,
	},
	{
		measure{"Mixed", "disk-B/value"}, "Space",
		"disk, all shapes", "Bytes on disk for each value, of all shapes", less,
	},
	device1k,
	{
		measure{"Ingest/records=10000", "device-B/raw-B"}, "Space",
		"device, 10,000", "Bytes written to the device for each raw byte, 10,000 records", less,
	},
	cleanup, cleanupP99, openClosed, openKilled,
	heap, binary, allocsStore, allocsQuery,
}

// groupsOfWorks splits works by group.
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
