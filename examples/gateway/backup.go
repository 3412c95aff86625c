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
}

// run makes backups until ctx ends. It looks at the clock each minute, because it may be set
// meanwhile. One that fails is tried again in the next night.
func (b *backups) run(ctx context.Context) error {
	backend, ok := daybook.As[fileBackup](b.backend)
	if !ok {
		return fmt.Errorf("backups in files: %w", errors.ErrUnsupported)
	}
	for due := b.firstDue(); ctx.Err() == nil; sleep(ctx, time.Minute) {
		next := nextBackup(b.now(), b.hour)
		if due.After(next) {
			due = next // the clock was ahead, and has been set back
		}
		if b.now().Before(due) {
			continue
		}
		err := backend.BackupFile(ctx, b.path, b.keep)
		b.status.report("backup", err)
		if isFinal(err) {
			return err
		}
		due = next
	}
	return nil
}

// firstDue returns when the first backup after a start is due. A gateway that was off at that hour
// makes the backup when it is on again, and one that has no backup makes it at once.
func (b *backups) firstDue() time.Time {
	last, err := os.Stat(b.path)
	if err != nil {
		return time.Time{}
	}
	return nextBackup(last.ModTime().In(b.now().Location()), b.hour)
}

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
