// SPDX-License-Identifier: Apache-2.0

package main

import "time"

// rule is the condition of a bar.
type rule int

const (
	// timesBetter: Daybook's figure is at least bound times better than the peer's.
	timesBetter rule = iota
	// betterThan: Daybook's figure is better than the peer's. There is no bound.
	betterThan
	// timesAtMost: Daybook's figure is at most bound times the peer's. The peer may be ahead.
	timesAtMost
	// atMost: Daybook's figure is at most bound, in the unit of the work. There is no peer.
	atMost
)

// bar is a bound that Daybook's figure has to meet in every run. It is compared with the peer's
// figure of the same run, because other load on the machine slowed both.
type bar struct {
	work  work
	rule  rule
	bound float64
	peer  string // "" with atMost
}

// bars are all bars.
var bars = []bar{
	{store, timesAtMost, 1.25, "limit"},
	{store, timesBetter, 1.5, "sqlite"},
	{storeParallel, timesBetter, 1.2, "pebble"},
	{storeParallel, timesBetter, 20, "sqlite"},
	{ingest1k, timesBetter, 2, "pebble"},
	{ingest1k, timesBetter, 30, "sqlite"},
	{ingest10k, timesBetter, 2, "pebble"},
	{ingest10k, timesBetter, 15, "sqlite"},

	{size, atMost, 14, ""},
	{device1k, atMost, 3, ""},

	{latest1, betterThan, 1, "bbolt"},
	{latest1, betterThan, 1, "pebble"},
	{latest1, timesBetter, 20, "sqlite"},
	{latest10, betterThan, 1, "pebble"},
	{latest10, timesAtMost, 2, "bbolt"},
	{latest10, timesBetter, 20, "sqlite"},
	{matching, atMost, nanoseconds(time.Millisecond), ""},
	{matching, timesBetter, 100, "sqlite"},
	{scan, timesBetter, 2, "pebble"},
	{scan, timesBetter, 8, "sqlite"},
	{ranging, timesBetter, 2, "pebble"},
	{ranging, timesBetter, 8, "sqlite"},

	{cleanup, timesBetter, 30, "sqlite"},
	{cleanup, timesBetter, 2, "bbolt"},
	{cleanupP99, atMost, 3, ""},
	{openClosed, atMost, nanoseconds(50 * time.Millisecond), ""},
	{openKilled, atMost, nanoseconds(time.Second), ""},

	{heap, atMost, 96, ""},
	{heap, atMost, 80, ""},
	{binary, atMost, 6, ""},
	{binary, atMost, 4.5, ""},
	{allocsStore, atMost, 3, ""},
	{allocsQuery, atMost, 0.1, ""},
}

func nanoseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) }
