// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
)

// count returns a number with thousands separators.
func count[N int | uint64](n N) string {
	return humanize.Comma(int64(min(uint64(n), math.MaxInt64)))
}

// counted returns a number with its noun: "1 value", "2,000 values".
func counted[N int | uint64](n N, noun string) string {
	return count(n) + " " + english.PluralWord(int(n), noun, "")
}

// wereCounted returns a number with its noun and verb: "1 value was", "2 values were".
func wereCounted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " was"
	}
	return counted(n, noun) + " were"
}

// size returns a number of bytes with a unit: "35 B", "1.2 MB".
func size[N int64 | uint64](bytes N) string { return humanize.Bytes(uint64(bytes)) }

// perValue returns the bytes for each of a number of values: "8.8 B", and "" for no values.
func perValue[N int64 | uint64](bytes N, values uint64) string {
	if values == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f B", float64(bytes)/float64(values))
}

// ratio compares two sizes: "35 % of", or "2.5 times".
func ratio(size int64, other uint64) string {
	share := float64(size) / float64(max(other, 1))
	if share > 1 {
		return fmt.Sprintf("%.1f times", share)
	}
	return fmt.Sprintf("%.0f %% of", 100*share)
}
