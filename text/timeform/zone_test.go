// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"archive/zip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// zoneNames returns the names of all zones of the tz database that comes with Go.
func zoneNames(t *testing.T) (names []string) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatalf("go env: %v", err)
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	for _, file := range archive.File {
		if !strings.HasSuffix(file.Name, "/") {
			names = append(names, file.Name)
		}
	}
	if len(names) < 400 {
		t.Fatalf("%d zones; want all", len(names))
	}
	return names
}

// TestZones reads the local times around each change of each zone in several years, and compares
// them with what the clock of the zone shows at each instant.
func TestZones(t *testing.T) {
	from, to := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if testing.Short() {
		to = time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	changes := 0
	for _, name := range zoneNames(t) {
		location := mustZone(t, name)
		for at := from; ; changes++ {
			_, end := at.In(location).ZoneBounds()
			if end.IsZero() || end.After(to) {
				break
			}
			checkChange(t, location, end)
			at = end
		}
	}
	t.Logf("%d changes", changes)
	if !testing.Short() && changes < 1000 {
		t.Errorf("%d changes of clocks; want those of all zones", changes)
	}
}

// TestStrangeZones reads the local times around changes that are not by one hour in spring and
// autumn.
func TestStrangeZones(t *testing.T) {
	tests := []struct{ zone, change, reason string }{
		{"Pacific/Apia", "2011-12-30T10:00:00Z", "a whole day is left out"},
		{"Pacific/Kwajalein", "1993-08-21T12:00:00Z", "a whole day is left out, by 24 hours"},
		{"America/Santiago", "2024-09-08T04:00:00Z", "midnight to 1 o'clock"},
		{"America/Sao_Paulo", "2018-11-04T03:00:00Z", "a day without a midnight"},
		{"America/Havana", "2024-11-03T05:00:00Z", "a day with two midnights"},
		{"Asia/Tehran", "2022-09-21T19:30:00Z", "back over midnight"},
		{"Australia/Lord_Howe", "2024-04-06T15:00:00Z", "half an hour"},
		{"Antarctica/Troll", "2024-10-27T01:00:00Z", "two hours"},
		{"Asia/Pyongyang", "2015-08-14T15:00:00Z", "half an hour, for good"},
		{"America/Caracas", "2016-05-01T07:00:00Z", "half an hour forward, for good"},
	}
	for _, test := range tests {
		change, err := time.Parse(time.RFC3339, test.change)
		if err != nil {
			t.Fatal(err)
		}
		location := mustZone(t, test.zone)
		if start, _ := change.In(location).ZoneBounds(); !start.Equal(change) {
			t.Errorf("%s, %s: the clock is not set at %s, but at %s", test.zone, test.reason, change, start.UTC())
		}
		checkChange(t, location, change)
	}
}

// checkChange compares local times around a change with the instants at which a clock shows them.
func checkChange(t *testing.T, location *time.Location, change time.Time) {
	t.Helper()
	const step, around = 30 * 60, 60 * 60 * 60
	shown := make(map[int64][]int64) // the instants of each local time
	first, last := change.Unix()-around, change.Unix()+around
	for at := first; at <= last; at += step {
		_, offset := time.Unix(at, 0).In(location).Zone()
		shown[at+int64(offset)] = append(shown[at+int64(offset)], at)
	}
	_, offset := change.In(location).Zone()
	z := zone{location: location}
	for local := first + int64(offset) + around/2; local <= last+int64(offset)-around/2; local += step {
		want := shown[local]
		if got := z.all(local); !slices.Equal(got, want) {
			t.Fatalf("%s: local time %s has %v; want %v", location, civilTime(local), got, want)
		}
		got, ok := z.only(local)
		if ok != (len(want) == 1) || ok && got != want[0] {
			t.Fatalf("%s: local time %s has only %d, %v; want %v", location, civilTime(local), got, ok, want)
		}
	}
	checkStartOfDay(t, &z, change)
}

func civilTime(local int64) string { return time.Unix(local, 0).UTC().Format(time.DateTime) }

// checkStartOfDay wants the first instant at which the clock shows a date.
func checkStartOfDay(t *testing.T, z *zone, change time.Time) {
	t.Helper()
	for day := -1; day <= 1; day++ {
		year, month, date := change.In(z.location).AddDate(0, 0, day).Date()
		start := time.Unix(z.startOfDay(time.Date(year, month, date, 0, 0, 0, 0, time.UTC).Unix()), 0).In(z.location)
		if y, m, d := start.Date(); y != year || m != month || d != date {
			t.Errorf("%s: %d-%02d-%02d begins at %s", z.location, year, month, date, start)
		}
		for back := time.Second; back <= 2*time.Hour; back += 30*time.Minute - time.Second {
			if start.Add(-back).In(z.location).Day() == date {
				t.Errorf("%s: %d-%02d-%02d begins before %s", z.location, year, month, date, start)
			}
		}
	}
}

// TestStartOfDay finds the first instant of days whose midnight is missing, or is there twice.
func TestStartOfDay(t *testing.T) {
	tests := []struct {
		zone, date, want string
		reason           string
	}{
		{"America/Santiago", "2026-09-06", "2026-09-06T01:00:00-03:00", "the clock is set forward at midnight"},
		{"America/Santiago", "2026-04-05", "2026-04-05T00:00:00-04:00", "set back to 23 o'clock of the day before"},
		{"America/Havana", "2026-03-08", "2026-03-08T01:00:00-04:00", "the clock is set forward at midnight"},
		{"America/Havana", "2026-11-01", "2026-11-01T00:00:00-04:00", "the first of two midnights"},
		{"Atlantic/Azores", "2026-03-29", "2026-03-29T01:00:00Z", "the clock is set forward at midnight"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00:00-02:00", "the clock is set forward at midnight"},
		{"Asia/Beirut", "2022-03-27", "2022-03-27T01:00:00+03:00", "the clock is set forward at midnight"},
		{"Europe/Vienna", "2026-03-29", "2026-03-29T00:00:00+01:00", "set forward later on that day"},
		{"Europe/Vienna", "2026-10-25", "2026-10-25T00:00:00+02:00", "set back later on that day"},
		{"Pacific/Apia", "2011-12-30", "2011-12-31T00:00:00+14:00", "the day was left out"},
		{"UTC", "2026-06-01", "2026-06-01T00:00:00Z", "no change of the clock"},
	}
	for _, test := range tests {
		t.Run(test.zone+" "+test.date, func(t *testing.T) {
			date, err := time.Parse(time.DateOnly, test.date)
			if err != nil {
				t.Fatal(err)
			}
			if got := StartOfDay(date, mustZone(t, test.zone)).Format(time.RFC3339); got != test.want {
				t.Errorf("%s begins at %s; want %s: %s", test.date, got, test.want, test.reason)
			}
		})
	}
}
