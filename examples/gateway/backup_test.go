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
	return os.WriteFile(path, nil, 0o600)
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
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := &backups{path: path, hour: 2, now: func() time.Time { return time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC) }}
	for made, want := range map[string]bool{
		"2026-11-30T02:10:00Z": false, "2026-11-30T01:50:00Z": true, "2026-11-28T02:10:00Z": true,
	} {
		at, err := time.Parse(time.RFC3339, made)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		if due := b.firstDue(); due.Before(b.now()) != want {
			t.Errorf("after a backup at %s the next is due at %s; want before 8:00: %t", made, due, want)
		}
	}
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
