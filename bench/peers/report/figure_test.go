// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestFormatFigure(t *testing.T) {
	for _, tt := range []struct {
		reason string
		value  float64
		unit   string
		want   string
	}{
		{"three digits need no decimal", 135_210, "ns/op", "135 µs"},
		{"rounding up moves on to the next prefix", 999_900, "ns/op", "1.0 ms"},
		{"the largest time without a prefix", 2.25e9, "ns/op", "2.2 s"},
		{"millions", 1_412_000, "values/s", "1.4 M/s"},
		{"no prefix", 512, "values/s", "512 /s"},
		{"a size keeps its unit", 12.68, "disk-B/value", "12.7 B"},
		{"a large size too", 1234, "MiB", "1,230 MiB"},
		{"a small figure keeps two digits", 0.0213, "allocs/value", "0.021"},
		{"zero has no digits to keep", 0, "allocs/value", "0"},
		{"zero has no prefix", 0, "ns/op", "0 s"},
	} {
		if got := formatFigure(tt.value, tt.unit); got != tt.want {
			t.Errorf("%s: formatFigure(%g, %s) = %q, want %q", tt.reason, tt.value, tt.unit, got, tt.want)
		}
	}
}

func TestFormatRatio(t *testing.T) {
	for _, tt := range []struct {
		reason string
		ratio  float64
		want   string
	}{
		{"a large one is a whole number", 21.3, "21x"},
		{"thousands have a comma", 3157.4, "3,157x"},
		{"below 10 the first decimal counts", 9.94, "9.9x"},
		{"rounds up to a whole number", 9.96, "10x"},
		{"near 1 the second one does", 1.044, "1.04x"},
		{"rounds up from below 1", 0.996, "1.00x"},
		{"the peer is ahead", 0.714, "0.71x"},
		{"the peer is far ahead", 0.00434, "0.0043x"},
	} {
		if got := formatRatio(tt.ratio); got != tt.want {
			t.Errorf("%s: formatRatio(%g) = %q, want %q", tt.reason, tt.ratio, got, tt.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		reason string
		values []float64
		want   float64
	}{
		{"one run", []float64{7}, 7},
		{"not in order", []float64{9, 1, 5}, 5},
		{"between the two in the middle", []float64{4, 1, 2, 9}, 3},
	} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("%s: median(%v) = %g, want %g", tt.reason, tt.values, got, tt.want)
		}
	}
}
