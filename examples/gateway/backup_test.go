// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // the rules of time zones, on any system

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// copier is a backend that notes when it was backed up.
type copier struct {
	daybook.Backend
	now  func() time.Time
	made []string
	errs []error // of the first backups
}

func (c *copier) Unwrap() daybook.Backend { return c.Backend }

func (c *copier) BackupFile(_ context.Context, path string, keep int) error {
	c.made = append(c.made, c.now().Format(time.RFC3339))
	if len(c.errs) >= len(c.made) {
		return c.errs[len(c.made)-1]
	}
	return writeBackup(path, c.now())
}

// writeBackup writes a file that was made at a time.
func writeBackup(path string, made time.Time) error {
	return errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, made, made))
}

// clock is a clock in a time zone that can be set.
type clock struct {
	ahead atomic.Int64 // nanoseconds
	zone  *time.Location
}

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())).In(c.zone) }

func TestBackups(t *testing.T) {
	tests := []struct {
		name string
		errs []error
		run  func(c *clock, start func() (stop func()))
		want []string // the bubble's clock begins at 2000-01-01T00:00:00Z
	}{
		{"the first at once, then each night", nil, func(_ *clock, start func() func()) {
			stop := start()
			time.Sleep(48 * time.Hour)
			stop()
		}, []string{"2000-01-01T00:00:00Z", "2000-01-01T02:00:00Z", "2000-01-02T02:00:00Z"}},
		{"one that fails is tried in the next night", []error{errors.New("not mounted")},
			func(_ *clock, start func() func()) {
				stop := start()
				time.Sleep(3 * time.Hour)
				stop()
			}, []string{"2000-01-01T00:00:00Z", "2000-01-01T02:00:00Z"}},
		{"a clock that is set ahead", nil, func(c *clock, start func() func()) {
			stop := start()
			time.Sleep(time.Hour + time.Second)
			c.ahead.Store(int64(24 * 365 * time.Hour))
			time.Sleep(time.Hour + 30*time.Minute)
			stop()
		}, []string{"2000-01-01T00:00:00Z", "2000-12-31T01:01:00Z", "2000-12-31T02:00:00Z"}},
		{"a clock that is set back", nil, func(c *clock, start func() func()) {
			c.ahead.Store(int64(24 * 365 * time.Hour))
			stop := start()
			time.Sleep(time.Hour)
			c.ahead.Store(0)
			time.Sleep(2 * time.Hour)
			stop()
		}, []string{"2000-12-31T00:00:00Z", "2000-01-01T02:00:00Z"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "history.daybook")
			synctest.Test(t, func(t *testing.T) {
				c := &clock{zone: time.UTC}
				disk := &copier{Backend: backendtest.NewMemory(), now: c.now, errs: test.errs}
				b := &backups{backend: disk, path: path, hour: 2, keep: 3, now: c.now, status: quiet()}
				test.run(c, func() func() { return start(t, b.run) })
				if len(disk.made) != len(test.want) {
					t.Fatalf("backups at %v; want %v", disk.made, test.want)
				}
				for i := range test.want {
					if disk.made[i] != test.want[i] {
						t.Errorf("backup %d at %s; want %s", i, disk.made[i], test.want[i])
					}
				}
			})
		})
	}
}

// A device that is off each night makes its backup each morning.
func TestBackupThatWasMissed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.daybook")
	eight := func() time.Time { return time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC) }
	b := &backups{path: path, hour: 2, keep: 3, now: eight}
	for made, want := range map[string]bool{
		"2026-11-30T02:10:00Z": false, "2026-11-30T01:50:00Z": true, "2026-11-28T02:10:00Z": true,
	} {
		at, err := time.Parse(time.RFC3339, made)
		if err != nil {
			t.Fatal(err)
		}
		if err := writeBackup(path, at); err != nil {
			t.Fatal(err)
		}
		if due := b.due(); due.Before(b.now()) != want {
			t.Errorf("after a backup at %s the next is due at %s; want before 8:00: %t", made, due, want)
		}
	}
}

// The newest file counts, whichever name it has. One from the future, of a clock that was ahead,
// does not put the next backup off for years.
func TestBackupsOfAWrongClock(t *testing.T) {
	const none, past, lastNight, future = "", "1970-01-01T02:00:00Z", "2026-11-30T02:00:00Z", "2031-01-01T02:00:00Z"
	tests := []struct {
		name  string
		files [3]string // when history.daybook, .1 and .2 were made
		want  string
	}{
		{"none", [3]string{none, none, none}, "0001-01-01T00:00:00Z"},
		{"the newest has no number", [3]string{lastNight, past, past}, "2026-12-01T02:00:00Z"},
		{"one was made in 1970", [3]string{past, lastNight, past}, "2026-12-01T02:00:00Z"},
		{"after a power cut", [3]string{none, lastNight, none}, "2026-12-01T02:00:00Z"},
		{"one is from the future", [3]string{future, past, none}, "1970-01-02T02:00:00Z"},
		{"all are from the future", [3]string{future, none, future}, "2026-12-01T02:00:00Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "history.daybook")
			for i, name := range []string{path, path + ".1", path + ".2"} {
				if made, err := time.Parse(time.RFC3339, test.files[i]); err == nil {
					if err := writeBackup(name, made); err != nil {
						t.Fatal(err)
					}
				}
			}
			eight := func() time.Time { return time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC) }
			b := &backups{path: path, hour: 2, keep: 3, now: eight}
			if got := b.due().Format(time.RFC3339); got != test.want {
				t.Errorf("due at %s; want %s", got, test.want)
			}
		})
	}
}

// A device that starts in 1970, and knows the time a moment later, makes one backup a day, however
// often it starts. Else its starts would soon replace the backups of a week.
func TestBackupsOfADeviceWithoutAClock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.daybook")
	synctest.Test(t, func(t *testing.T) {
		c := &clock{zone: time.UTC}
		disk := &copier{Backend: backendtest.NewMemory(), now: c.now}
		for range 10 {
			c.ahead.Store(-time.Now().UnixNano())
			if len(disk.made) == 0 {
				c.ahead.Store(0) // the first start has the right time
			}
			b := &backups{backend: disk, path: path, hour: 2, keep: 7, now: c.now, status: quiet()}
			stop := start(t, b.run)
			time.Sleep(30 * time.Second)
			c.ahead.Store(0)
			time.Sleep(30 * time.Minute)
			stop()
		}
		want := []string{"2000-01-01T00:00:00Z", "2000-01-01T02:00:30Z"}
		if diff := cmp.Diff(want, disk.made); diff != "" {
			t.Errorf("backups (-want +got):\n%s", diff)
		}
	})
}

// Each day has one backup, wherever the clock is put forward and back.
func TestNextBackup(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Asia/Kolkata"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for hour := range 24 {
			at := nextBackup(time.Date(2026, 1, 1, 0, 0, 0, 0, zone), hour)
			for at.Year() == 2026 {
				next := nextBackup(at, hour)
				if gap := next.Sub(at); gap < 23*time.Hour || gap > 25*time.Hour {
					t.Errorf("%s, at %d: from %s to %s; want about a day", name, hour, at, next)
				}
				if difference := next.Hour() - hour; difference%23 > 1 || difference%23 < -1 {
					t.Errorf("%s: %s; want %d o'clock, or an hour beside it", name, next, hour)
				}
				at = next
			}
		}
	}
}
