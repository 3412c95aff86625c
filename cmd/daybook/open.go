// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// openForReading opens the daybook in dir without changing anything there.
func openForReading(dir string) (*engine.DB, error) {
	return open(dir, &engine.Options{ReadOnly: true})
}

// openForWriting opens the daybook in dir, and creates it if there is none.
func openForWriting(dir string) (*engine.DB, error) {
	return open(dir, nil)
}

// openExisting opens the daybook in dir for writing, but creates none.
func openExisting(dir string) (*engine.DB, error) {
	if !holdsDaybook(dir) {
		return nil, noDaybook(dir)
	}
	return openForWriting(dir)
}

// holdsDaybook reports whether there is a part of a daybook in dir. The log alone is enough: that the
// tree beside it is lost is for the engine to say, which calls that damage. A blank tree alone is what
// a first open leaves that did not come to its end.
func holdsDaybook(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, "wal")); !errors.Is(err, fs.ErrNotExist) {
		return true
	}
	tree, err := os.Stat(filepath.Join(dir, "daybook.db"))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return tree.Size() > 0
}

// open explains the errors that a user can do something about.
func open(dir string, opts *engine.Options) (*engine.DB, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", dir)
	}
	db, err := engine.Open(dir, opts)
	switch {
	case errors.Is(err, daybook.ErrLocked):
		return nil, fmt.Errorf("the daybook in %s is open in another process: let it finish or end it, then try again; "+
			"\"daybook tail -f\" works beside it, and a program of yours backs up with DB.Backup", dir)
	case errors.Is(err, fs.ErrNotExist) && opts != nil && opts.ReadOnly:
		return nil, noDaybook(dir)
	}
	return db, err
}

func noDaybook(dir string) error {
	return fmt.Errorf("there is no daybook in %s: run \"daybook demo\" or \"daybook ingest\" first, "+
		"or name another directory with --dir", dir)
}

// closing closes db and reports what that finds, unless something went wrong before.
func closing(db *engine.DB, err *error) {
	if closeErr := db.Close(); *err == nil {
		*err = closeErr
	}
}

// closingStored is closing for a command that has stored what it was to store. On a full disk that stays in the log, and the
// command has not failed: who took it for that would store everything twice.
func closingStored(db io.Closer, errOut io.Writer, err *error) {
	closeErr := db.Close()
	switch {
	case *err != nil:
	case errors.Is(closeErr, daybook.ErrNoSpace) && !errors.Is(closeErr, daybook.ErrFailed):
		fmt.Fprintln(errOut, "the disk is full: all values are stored, but in the log alone; \"daybook cleanup\" or \"daybook prune\" makes room")
	default:
		*err = closeErr
	}
}
