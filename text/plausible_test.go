// SPDX-License-Identifier: Apache-2.0

package text

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

func TestIsPlausible(t *testing.T) {
	const now, day = uint64(1_764_000_000_000), uint64(86_400_000)
	tests := []struct {
		name    string
		ms, now uint64
		want    bool
	}{
		{"now", now, now, true},
		{"the first time of 1980", MinPlausible, now, true},
		{"just before 1980", MinPlausible - 1, now, false},
		{"the start of 1970", 0, now, false},
		{"a day after now", now + day, now, true},
		{"more than a day after now", now + day + 1, now, false},
		{"the greatest time", 1<<64 - 1, now, false},
		{"a time after a clock that is set to 1980", MinPlausible + day + 1, MinPlausible, false},
		{"a time after a clock that was never set", now, 5, true},
		{"just before 1980, with such a clock", MinPlausible - 1, 5, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := isPlausible(test.ms, test.now); got != test.want {
				t.Errorf("isPlausible(%d, %d) is %v; want %v", test.ms, test.now, got, test.want)
			}
		})
	}
}

// TestImplausibleTimes reads each time as a line of another program, as a row, and as an own line.
// The clock stands at the first instant of 2000. An own line may have any time.
func TestImplausibleTimes(t *testing.T) {
	tests := []struct {
		name      string
		time      string
		ms        uint64
		plausible bool
	}{
		{"now", "2000-01-01T00:00:00Z", 946_684_800_000, true},
		{"a day after now", "2000-01-02T00:00:00Z", 946_771_200_000, true},
		{"more than a day after now", "2000-01-02T00:00:01Z", 946_771_201_000, false},
		{"the last second of 1979", "1979-12-31T23:59:59Z", 315_532_799_000, false},
		{"the start of 1970", "1970-01-01T00:00:00Z", 0, false},
	}
	for _, test := range tests {
		for _, anyTime := range []bool{false, true} {
			t.Run(test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					opts := ReadOptions{Record: "r", Time: []string{"t"}, AnyTime: anyTime}
					for form, r := range foreignReaders(t, test.time, opts) {
						mustRead(t, form, r, test.ms, anyTime || test.plausible)
					}
					own := `{"record_name":"r","value":1,"stored_at":"` + test.time + `"}`
					mustRead(t, "own line", NewNDJSONReader(strings.NewReader(own), opts), test.ms, true)
				})
			})
		}
	}
}

// foreignReaders returns a reader of each form that another program may have written with a time.
func foreignReaders(t *testing.T, time string, opts ReadOptions) map[string]ValueReader {
	t.Helper()
	rows, err := NewCSVReader(strings.NewReader("t,a\n"+time+",1\n"), opts)
	if err != nil {
		t.Fatal(err)
	}
	line := `{"topic":"r","payload":1,"ts":"` + time + `"}`
	return map[string]ValueReader{"row": rows, "line": NewNDJSONReader(strings.NewReader(line), opts)}
}

// mustRead wants one value of a time, or a bad line whose time is not plausible.
func mustRead(t *testing.T, form string, r ValueReader, ms uint64, good bool) {
	t.Helper()
	got, err := r.Read()
	if good && (err != nil || got.StoredAt != ms) {
		t.Errorf("%s: %v, %v; want the time %d", form, got, err, ms)
	}
	if !good && (!errors.Is(err, ErrImplausible) || !errors.As(err, new(*LineError))) {
		t.Errorf("%s: %v, %v; want a *LineError with ErrImplausible", form, got, err)
	}
}

// TestImplausibleTimeIsSaid wants the time that a number with a wrong unit would have.
func TestImplausibleTimeIsSaid(t *testing.T) {
	_, err := ReadOptions{TimeUnit: Seconds}.parseTime("20140214")
	want := `"20140214" is 1970-08-22T02:30:14Z, which is not a plausible time: ` +
		`want a time from 1980 to a day after now`
	if err == nil || err.Error() != want {
		t.Errorf("error %v; want %q", err, want)
	}
}
