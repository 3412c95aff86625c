// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"

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
	probe, err := openForReading(dir)
	if err != nil {
		return nil, err
	}
	if err := probe.Close(); err != nil {
		return nil, err
	}
	return openForWriting(dir)
}

// open explains the two errors that a user can do something about.
func open(dir string, opts *engine.Options) (*engine.DB, error) {
	db, err := engine.Open(dir, opts)
	switch {
	case errors.Is(err, daybook.ErrLocked):
		return nil, fmt.Errorf("the daybook in %s is open in another process (a demo or an ingest that still runs?): "+
			"let it finish or end it, then try again", dir)
	case errors.Is(err, fs.ErrNotExist) && opts != nil && opts.ReadOnly:
		return nil, fmt.Errorf("there is no daybook in %s: run \"daybook demo\" or \"daybook ingest\" first, "+
			"or name another directory with --dir", dir)
	}
	return db, err
}

// closing closes db and reports what that finds, unless something went wrong before.
func closing(db *engine.DB, err *error) {
	if closeErr := db.Close(); *err == nil {
		*err = closeErr
	}
}
