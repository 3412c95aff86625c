// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"strconv"

	"github.com/dustin/go-humanize"
)

// formatFigure formats a measured value for people: 135 µs, 1.4 M/s, 12.7 B.
func formatFigure(value float64, unit string) string {
	return format(significant(value), unit, formatRounded)
}

// formatBound formats a bound as it is written in bars: 50 ms, 14 B. With six digits the rounding
// errors of scaling are not visible.
func formatBound(value float64, unit string) string {
	return format(value, unit, func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) })
}

// format gives times and rates a prefix, because they differ by orders of magnitude. Sizes keep
// their unit, so that the rows of a table can be compared at a glance.
func format(value float64, unit string, digits func(float64) string) string {
	switch unit {
	case "ns/op":
		return scaled(value*1e-9, digits) + "s"
	case "values/s":
		return scaled(value, digits) + "/s"
	case "disk-B/value":
		return digits(value) + " B"
	case "MiB", "MiB-live":
		return digits(value) + " MiB"
	}
	return digits(value)
}

// scaled returns the number and the prefix of its unit. Without a prefix the result ends in a
// space.
func scaled(value float64, digits func(float64) string) string {
	number, prefix := humanize.ComputeSI(value)
	return digits(number) + " " + prefix
}

// significant rounds to three digits. It must be called before scaling: 999.9 µs becomes 1 ms, not
// 1000 µs.
func significant(value float64) float64 {
	if value == 0 {
		return 0
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(value, 'e', 2, 64), 64)
	return rounded
}

// formatRounded writes one decimal below 100, and two significant digits below 1.
func formatRounded(value float64) string {
	switch magnitude := math.Abs(value); {
	case magnitude >= 99.95:
		return humanize.Comma(int64(math.Round(value)))
	case magnitude >= 0.995:
		return strconv.FormatFloat(value, 'f', 1, 64)
	}
	return formatDigits(value, 2)
}

// formatRatio writes fewer decimals the larger the ratio is, because the difference between 21 and
// 21.3 does not matter.
func formatRatio(ratio float64) string {
	switch {
	case ratio >= 9.95:
		return humanize.Comma(int64(math.Round(ratio))) + "x"
	case ratio >= 1.995:
		return strconv.FormatFloat(ratio, 'f', 1, 64) + "x"
	case ratio >= 0.995:
		return strconv.FormatFloat(ratio, 'f', 2, 64) + "x"
	}
	return formatDigits(ratio, 2) + "x"
}

// formatThree writes at least three digits, because the third may show whether a bar was missed.
func formatThree(value float64) string {
	if value >= 999.5 {
		return humanize.Comma(int64(math.Round(value)))
	}
	return formatDigits(value, 3)
}

// formatDigits writes the given number of significant digits, with trailing zeros and without an
// exponent.
func formatDigits(value float64, digits int) string {
	if value == 0 {
		return "0"
	}
	exponent := int(math.Floor(math.Log10(math.Abs(value))))
	decimals := max(0, digits-1-exponent)
	return strconv.FormatFloat(value, 'f', decimals, 64)
}
