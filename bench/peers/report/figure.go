// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"strconv"

	"github.com/dustin/go-humanize"
)

// formatFigure says value as people do: 135 µs, 1.4 M/s, 12.7 B.
func formatFigure(value float64, unit string) string {
	return format(significant(value), unit, formatRounded)
}

// formatBound says a bound as it was set: 50 ms, 14 B. Six digits hide what scaling does to the last bit.
func formatBound(value float64, unit string) string {
	return format(value, unit, func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) })
}

// format scales times and rates, which span magnitudes, to a prefix. Sizes keep their unit so that rows of
// one table can be compared at a glance.
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

// scaled ends with the prefix, and with a space where there is none.
func scaled(value float64, digits func(float64) string) string {
	number, prefix := humanize.ComputeSI(value)
	return digits(number) + " " + prefix
}

// significant rounds to three digits. It comes before scaling: 999.9 µs must become 1 ms, not 1000 µs.
func significant(value float64) float64 {
	if value == 0 {
		return 0
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(value, 'e', 2, 64), 64)
	return rounded
}

// formatRounded keeps one decimal below 100, and two digits below 1.
func formatRounded(value float64) string {
	switch magnitude := math.Abs(value); {
	case magnitude >= 99.95:
		return humanize.Comma(int64(math.Round(value)))
	case magnitude >= 0.995:
		return strconv.FormatFloat(value, 'f', 1, 64)
	}
	return formatDigits(value, 2)
}

// formatRatio needs fewer digits the larger the ratio: nobody plans with a difference of 21 and 21.3.
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

// formatThree has three digits at least, since the second one may decide whether a bar was missed.
func formatThree(value float64) string {
	if value >= 999.5 {
		return humanize.Comma(int64(math.Round(value)))
	}
	return formatDigits(value, 3)
}

// formatDigits has the given number of significant digits, trailing zeros included, and no exponent.
func formatDigits(value float64, digits int) string {
	if value == 0 {
		return "0"
	}
	exponent := int(math.Floor(math.Log10(math.Abs(value))))
	decimals := max(0, digits-1-exponent)
	return strconv.FormatFloat(value, 'f', decimals, 64)
}
