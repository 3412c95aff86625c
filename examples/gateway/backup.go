// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/daybook-db/daybook"
)

// fileBackup is a Backend that makes backups in files, as the engine does.
type fileBackup interface {
	BackupFile(ctx context.Context, path string, keep int) error
}

// backups makes a backup each night.
type backups struct {
	backend daybook.Backend
	path    string
	hour    int              // of the local time
	keep    int              // number of backups
	now     func() time.Time // in the local time zone
	status  *status

	tried time.Time // the last time; zero after a start
}

// run makes backups until ctx ends. It looks at the clock each minute, because it may be set
// meanwhile. One that fails is tried again in the next night.
func (b *backups) run(ctx context.Context) error {
	backend, ok := daybook.As[fileBackup](b.backend)
	if !ok {
		return fmt.Errorf("backups in files: %w", errors.ErrUnsupported)
	}
	for ; ctx.Err() == nil; sleep(ctx, time.Minute) {
		if b.time().Before(b.due()) {
			continue
		}
		b.tried = b.time()
		err := backend.BackupFile(ctx, b.path, b.keep)
		b.status.report("backup", err)
		if isFinal(err) {
			return err
		}
	}
	return nil
}

// due returns when the next backup is due. A gateway that was off at that hour makes the backup
// when it is on again, and one that has no backup makes it at once.
//
// A device without a battery for its clock is in 1970 when it starts. Its backups are from the
// future then, and say nothing until the clock is right. So a start alone makes no backup.
func (b *backups) due() time.Time {
	now := b.time()
	last, exists := b.newest(now)
	if b.tried.After(last) && !b.tried.After(now) {
		last = b.tried
	}
	switch {
	case !last.IsZero():
		return nextBackup(last, b.hour)
	case exists:
		b.tried = now // not yet, but the hour is awaited from here on
		return nextBackup(now, b.hour)
	default:
		return time.Time{}
	}
}

// newest returns when the newest backup was made that is not from the future, and whether there is
// a backup at all.
func (b *backups) newest(now time.Time) (newest time.Time, exists bool) {
	for n := range b.keep {
		path := b.path
		if n > 0 {
			path = fmt.Sprintf("%s.%d", b.path, n)
		}
		file, err := os.Stat(path)
		if err != nil {
			continue
		}
		exists = true
		if made := file.ModTime().In(now.Location()); made.After(newest) && !made.After(now) {
			newest = made
		}
	}
	return newest, exists
}

// time returns what the clock on the wall shows, which may be set. Round removes the other clock.
func (b *backups) time() time.Time { return b.now().Round(0) }

// nextBackup returns the first time after now at which the clock on the wall shows the hour. On a
// day that lacks the hour, because the clock is put forward, it is an hour earlier or later.
func nextBackup(now time.Time, hour int) time.Time {
	for day := now.Day(); ; day++ {
		next := time.Date(now.Year(), now.Month(), day, hour, 0, 0, 0, now.Location())
		if next.After(now) {
			return next
		}
	}
}
