// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
)

// This file has what a reader does beside a process that has the directory open for writing. It
// reads what a crash of that process would leave at one moment, and so does what Open does after a
// crash: it reads the tree, and then the values in the log that the tree does not have.
//
// They are of one moment if the tree has no later commit when the log has been read. All values
// that were acknowledged before Open are then in the tree or in the log, because a segment of the
// log is released only after a commit that has its values. Otherwise Open reads both again.
//
// While a reader is open, it has a lock that others of its kind share, and the writer keeps the
// pages for it: package tree has the bounds of that. The writer never waits for the reader.
//
// At every moment the files are such that a crash would do no harm. So an error is either due to
// files that changed between two looks at them, or it is damage, which is still there at the next
// look.

const (
	// besideInterval is the time between two tries to read beside a writer.
	besideInterval = 5 * time.Millisecond
	// maxSameFailure is how often a try fails with the same error before the error is damage.
	maxSameFailure = 3
	// maxMissing is how often a file is missing before it is. Where no file that is open can be
	// replaced, a writer that compacts the tree has it under another name meanwhile.
	maxMissing = 20
)

// openBesideWriter opens a directory for reading, with the lock that readers share, or else beside
// the process that writes to it.
func openBesideWriter(path string, opts Options, system disk.System) (*DB, error) {
	var failures besideFailures
	deadline := time.Now().Add(opts.LockTimeout)
	opts.LockTimeout = -1
	for {
		db, err := open(path, opts, system)
		locked := err
		if errors.Is(locked, daybook.ErrLocked) {
			db, err = openAs(path, opts, system, true)
		}
		if err == nil || failures.isLasting(err) {
			return db, err
		}
		if time.Now().After(deadline) {
			return nil, locked
		}
		time.Sleep(besideInterval)
	}
}

// besideFailures tell damage from what a writer has changed meanwhile.
type besideFailures struct {
	last  string
	times int
}

// isLasting reports whether a try has failed as those before it.
func (f *besideFailures) isLasting(err error) bool {
	if errors.Is(err, daybook.ErrLocked) {
		*f = besideFailures{}
		return false
	}
	if text := err.Error(); text != f.last {
		*f = besideFailures{last: text}
	}
	f.times++
	if errors.Is(err, fs.ErrNotExist) {
		return f.times == maxMissing
	}
	return f.times == maxSameFailure
}

// checkStillNewest returns daybook.ErrLocked if the tree is read beside a writer, which has made a
// commit since the tree was opened.
func (t *turn) checkStillNewest() error {
	if !t.db.beside || t.tree().IsNewest() {
		return nil
	}
	return fmt.Errorf("%w: %s: the program that has it open changed it while it was opened: try again",
		daybook.ErrLocked, t.db.dir.path)
}

// refuseBeside returns daybook.ErrLocked if the directory is read beside a writer.
func (db *DB) refuseBeside(method string) error {
	if !db.beside {
		return nil
	}
	return fmt.Errorf("%w: %s: %s does not work beside the program that has it open: close that program, or let it "+
		"call %s itself", daybook.ErrLocked, db.dir.path, method, method)
}
