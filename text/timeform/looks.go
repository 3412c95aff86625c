// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"strings"

	"github.com/daybook-db/daybook/text"
)

// Likelihood says how much texts look like times. A greater one is more likely.
type Likelihood int

const (
	NotTimes Likelihood = iota // they are no times
	Clocks                     // times of day alone, which need a column of dates before them
	Numbers                    // numbers with as many digits as a Unix time has
	Dates                      // dates alone; a column of Clocks may belong to them
	Times                      // dates with times of day
)

// Looks says how much the cells of a column look like times. Cells that are empty do not count, and
// one cell in four may be another text.
func Looks(samples []string) Likelihood {
	var counts [Times + 1]int
	full := 0
	for _, sample := range samples {
		if strings.TrimSpace(sample) != "" {
			full++
			counts[looksLike(sample)]++
		}
	}
	for likelihood := Times; likelihood > NotTimes; likelihood-- {
		if counts[likelihood] > 0 && 4*counts[likelihood] >= 3*full {
			return likelihood
		}
	}
	return NotTimes
}

// looksLike judges one text.
func looksLike(sample string) Likelihood {
	sample = strings.TrimSpace(sample)
	if unit, isNumber := text.UnitOf(sample); isNumber && unit != text.ByDigits {
		return Numbers
	}
	var c civil
	if may := layoutsOf(sample); len(may) > 0 && may[0].read(sample, &c) {
		if c.clock {
			return Times
		}
		return Dates
	}
	s := cursor{text: sample}
	if s.clock(&c) && s.zone(&c) && !c.endsInUnit {
		return Clocks
	}
	return NotTimes
}
