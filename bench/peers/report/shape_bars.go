// SPDX-License-Identifier: Apache-2.0

package main

// batched are the rows whose batches have 1,000 values or more and can be compressed. The row small
// is none of them: the files of a new store are larger than its values.
var batched = []string{
	"telematics", "float32s", "transformers", "states", "tracks", "web", "counters64", "switches", "narrow",
	"sparse", "sessions", "deep", "once",
}

// shapeBars are the bars of the runs of the shapes. A goal in time is a part of the time that an
// earlier commit takes in the same run, so it is a bar beside daybook-before.
func shapeBars() []bar {
	var all []bar
	at := func(row, column string, r rule, bound float64, peer string) {
		all = append(all, bar{workOf(row, column), r, bound, peer})
	}
	for _, row := range []string{"telematics", "narrow"} {
		at(row, "scan", timesBetter, 2, "pebble")
		at(row, "range", timesBetter, 3, "pebble")
	}
	for _, row := range []string{"float32s", "transformers"} {
		at(row, "disk", atMost, 36, "")
		at(row, "ingest", timesBetter, 1.5, "pebble")
		at(row, "scan", timesBetter, 2, "pebble")
	}
	at("states", "disk", betterThan, 1, "zstd")
	for _, column := range []string{"ingest", "disk", "scan", "newest 10", "one", "cleanup"} {
		for _, peer := range []string{"pebble", "sqlite", "sqlite-tuned", "bbolt"} {
			at("sparse", column, betterThan, 1, peer)
		}
	}
	at("sparse", "disk", atMost, 24, "")
	at("sparse", "cleanup", timesBetter, 12, daybookBefore) // from 6 s to 0.5 s
	at("narrow", "newest 10", timesBetter, 2, "bbolt")
	at("narrow", "disk", atMost, 12, "")
	at("narrow", "beside", timesBetter, 4, daybookBefore)   // from 1.2 s to 0.3 s
	at("small", "cleanup", timesBetter, 2.8, daybookBefore) // from 14 ms to 5 ms
	for _, row := range batched {
		at(row, "device", atMost, 1, "")
	}
	at("unbatched", "device", timesAtMost, 1.25, "limit")
	return append(all, besideBars...)
}

// besideBars are of works of Daybook alone.
var besideBars = []bar{
	{alone(scanBeside, "x-p99", "p99 of Store beside Scans of 80,000 records, over that at rest"), atMost, 3, ""},
	{alone(scanBeside, "x-memory", "Memory of a Scan of 100 of these values, over that of all"), atMost, 0.05, ""},
	{alone(watchers, "x-batch", "Batches beside 50 watchers that match nothing, over those without"), atMost, 1.2, ""},
}

// alone returns a work that has no table.
func alone(benchmark, unit, title string) work {
	return work{measure: measure{benchmark, unit}, title: title, better: less}
}
