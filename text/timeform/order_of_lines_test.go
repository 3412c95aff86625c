// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRepeatedHour reads lines around 3 o'clock of 27 October 2024, when clocks in Vienna were set
// back to 2 o'clock. A plus after a time of day is summer time, a minus is winter time, and a
// question mark wants ErrRepeated.
func TestRepeatedHour(t *testing.T) {
	tests := []struct{ name, lines string }{
		{"every 20 minutes", "1:20+ 1:40+ 2:00+ 2:20+ 2:40+ 2:00- 2:20- 2:40- 3:00-"},
		{"every hour", "0:00+ 1:00+ 2:00+ 2:00- 3:00- 4:00-"},
		{"every half hour, the first times are repeated ones", "2:00? 2:30? 2:00? 2:30? 3:00- 3:30-"},
		{"the newest first", "4:00- 3:30- 3:00- 2:30- 2:00- 2:30+ 2:00+ 1:30+ 1:00+"},
		{"every hour, the newest first", "4:00- 3:00- 2:00- 2:00+ 1:00+"},
		{"two lines at each time", "1:00+ 1:00+ 1:30+ 1:30+ 2:00+ 2:00+ 2:30+ 2:30+ 2:00- 2:00- 2:30- 2:30- 3:00-"},
		{"two lines at each time, every hour", "0:00+ 0:00+ 1:00+ 1:00+ 2:00+ 2:00? 2:00? 2:00? 3:00- 3:00-"},
		{"one line twice", "1:00+ 1:20+ 1:40+ 2:00+ 2:00? 2:20+ 2:40+ 2:00- 2:20-"},
		{"few lines", "1:30+ 2:00+ 2:30+ 2:00- 2:30- 3:00-"},
		{"few lines, the newest first", "3:00- 2:30- 2:00- 2:30+ 2:00+ 1:30+"},
		{"few lines, only one pass", "1:00+ 2:30? 3:00- 3:30- 4:00-"},
		{"irregular steps", "0:07+ 0:41+ 1:02+ 1:31+ 2:01+ 2:15+ 2:50+ 2:05- 2:30- 2:59- 3:10-"},
		{"a gap before it, longer than each step", "0:00+ 0:05+ 0:10+ 2:30? 2:35? 3:00- 3:05-"},
		{"a gap in it, back to the second pass", "1:40+ 1:50+ 2:00+ 2:10+ 2:05- 2:15- 3:00-"},
		{"steps that are longer than the hour", "0:00+ 1:45+ 2:30? 4:30-"},
		{"times that turn", "1:00+ 1:30+ 1:10+ 1:40+ 2:00? 2:30? 2:00? 3:00-"},
		{"one line", "2:30?"},
		{"no second pass", "1:20+ 1:40+ 2:00+ 2:20+ 2:40+ 3:00- 3:20-"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := strings.Fields(test.lines)
			samples := make([]string, len(want))
			for i, line := range want {
				samples[i] = "2024-10-27 " + line[:4] + ":00"
			}
			if diff := cmp.Diff(want, readRepeated(t, samples)); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

// readRepeated reads the lines of a file and returns them as TestRepeatedHour has them.
func readRepeated(t *testing.T, samples []string) (lines []string) {
	t.Helper()
	f, err := Detect(samples, Options{Zone: vienna(t)})
	if err != nil {
		t.Fatal(err)
	}
	p := f.NewParser()
	for _, sample := range samples {
		ms, err := p.ParseTime(sample)
		line := strings.TrimSuffix(strings.TrimPrefix(sample, "2024-10-27 "), ":00")
		switch _, offset := time.UnixMilli(int64(ms)).In(vienna(t)).Zone(); {
		case errors.Is(err, ErrRepeated):
			line += "?"
		case err != nil:
			t.Fatal(err)
		case offset == 7200:
			line += "+"
		default:
			line += "-"
		}
		lines = append(lines, line)
	}
	return lines
}

// TestRepeatedHourOfAnyFile writes each instant of a day with a repeated hour, at any regular step,
// and wants them back, from either end.
func TestRepeatedHourOfAnyFile(t *testing.T) {
	zone := vienna(t)
	day := time.Date(2024, 10, 27, 0, 0, 0, 0, zone)
	for _, step := range []time.Duration{time.Second, 7 * time.Second, time.Minute, 5 * time.Minute, 13 * time.Minute,
		15 * time.Minute, 30 * time.Minute, 59 * time.Minute, time.Hour} {
		var samples []string
		var want []int64
		for at := day; at.Before(day.Add(6 * time.Hour)); at = at.Add(step) {
			samples, want = append(samples, at.Format("2006-01-02 15:04:05")), append(want, at.UnixMilli())
		}
		for range 2 {
			mustReadAll(t, samples, want, step.String())
			slices.Reverse(samples)
			slices.Reverse(want)
		}
	}
}

func mustReadAll(t *testing.T, samples []string, want []int64, name string) {
	t.Helper()
	f, err := Detect(samples[:min(len(samples), 100)], Options{Zone: vienna(t)})
	if err != nil {
		t.Fatal(err)
	}
	p := f.NewParser()
	for i, sample := range samples {
		got, err := p.ParseTime(sample)
		if err != nil || int64(got) != want[i] {
			t.Fatalf("step %s, line %d, %q: %d, %v; want %d", name, i+1, sample, got, err, want[i])
		}
	}
}
