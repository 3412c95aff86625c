// SPDX-License-Identifier: Apache-2.0

package timeform

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
		if sample != "" {
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

// looksLike judges one text by its characters.
func looksLike(text string) Likelihood {
	digits, colons, separators := 0, 0, 0
	for _, c := range []byte(text) {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == ':':
			colons++
		case c == '-' || c == '/' || c == '.':
			separators++
		}
	}
	switch {
	case digits == len(text) && (digits == 10 || digits == 13 || digits == 16 || digits == 19):
		return Numbers
	case digits >= 3 && colons > 0 && separators < 2:
		return Clocks
	case digits >= 4 && colons == 0 && separators == 2 && digits+separators == len(text):
		return Dates
	case digits >= 6 && colons > 0:
		return Times
	}
	return NotTimes
}
