// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// openForReading opens the daybook in dir without changing anything there.
func openForReading(dir string) (*engine.DB, error) {
	return open(dir, &engine.Options{ReadOnly: true})
}

// openBesideWriter is openForReading that also works while another program has the daybook open for
// writing.
func openBesideWriter(dir string) (*engine.DB, error) {
	return open(dir, &engine.Options{ReadOnly: true, BesideWriter: true})
}

// openForWriting opens the daybook in dir, and creates it if there is none.
func openForWriting(dir string) (*engine.DB, error) {
	return open(dir, nil)
}

// openExisting opens the daybook in dir for writing, and fails if there is none.
func openExisting(dir string) (*engine.DB, error) {
	return openExistingWith(dir, nil)
}

func openExistingWith(dir string, opts *engine.Options) (*engine.DB, error) {
	if err := checkDirectory(dir); err != nil {
		return nil, err
	}
	exists, err := engine.Exists(dir)
	if err == nil && !exists {
		err = errNoDaybook(dir)
	}
	if err != nil {
		return nil, err
	}
	return open(dir, opts)
}

// open opens the daybook in dir. It replaces errors that a user can do something about by ones that
// say what.
func open(dir string, opts *engine.Options) (*engine.DB, error) {
	if err := checkDirectory(dir); err != nil {
		return nil, err
	}
	db, err := engine.Open(dir, opts)
	switch {
	case errors.Is(err, daybook.ErrLocked):
		return nil, lockedError(dir, err)
	case errors.Is(err, fs.ErrNotExist) && opts != nil && opts.ReadOnly:
		return nil, errNoDaybook(dir)
	}
	return db, err
}

// lockedError says which process has the daybook open, and what to do.
func lockedError(dir string, err error) error {
	locked, by := new(daybook.LockedError), "another process"
	if errors.As(err, &locked) && locked.PID != 0 {
		by = fmt.Sprintf("another process, %d (%s)", locked.PID, locked.Program)
	}
	if locked.Stopped {
		return fmt.Errorf("the daybook in %s is open in %s, which is stopped: let it go on with kill -CONT %d, "+
			"or end it, then try again", dir, by, locked.PID)
	}
	return fmt.Errorf("the daybook in %s is open in %s: wait for it or end it, then try again; "+
		"\"daybook query\", \"daybook tail -f\" and the other commands that only read work beside it, and a program "+
		"of yours does the rest by itself with DB.Check, DB.Backup and the other methods", dir, by)
}

// checkDirectory refuses a path that exists and is not a directory.
func checkDirectory(path string) error {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is not a directory", path)
	}
	return nil
}

func errNoDaybook(dir string) error {
	return fmt.Errorf("there is no daybook in %s: run \"daybook demo\" or \"daybook ingest\" first, "+
		"or name another directory with --dir", dir)
}

// closeDB closes db, and sets err to the error of that unless there is one already.
func closeDB(db io.Closer, err *error) {
	if closeErr := db.Close(); *err == nil {
		*err = closeErr
	}
}

// closeAfterStoring is closeDB for a command that stores. Close cannot move the values into the
// tree of a full disk, and they stay in the log. The command has not failed then: a user who
// believed so would store everything twice.
func closeAfterStoring(db io.Closer, errOut io.Writer, err *error) {
	closeErr := db.Close()
	switch {
	case *err != nil:
	case errors.Is(closeErr, daybook.ErrNoSpace) && !errors.Is(closeErr, daybook.ErrFailed):
		fmt.Fprintln(errOut, "the disk is full: all values are stored, but only in the log; "+
			"\"daybook cleanup\" or \"daybook prune\" makes room")
	default:
		*err = closeErr
	}
}
