// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// maxReadAgain is how long a command reads again what another program changes meanwhile.
const maxReadAgain = time.Second

// readDaybook opens the daybook in dir, also beside a program that writes to it, and calls read,
// which writes to a buffer of a size. If that program overwrites what is read before anything is
// printed, readDaybook begins again.
func readDaybook(cmd *cobra.Command, dir string, size int, read func(db *engine.DB, out *bufio.Writer) error) error {
	printed := &startedWriter{Writer: cmd.OutOrStdout()}
	out := bufio.NewWriterSize(printed, size)
	for end := time.Now().Add(maxReadAgain); ; {
		err := readOnce(dir, func(db *engine.DB) error { return read(db, out) })
		isChanged := errors.Is(err, daybook.ErrLocked)
		if isChanged && !printed.started {
			if out.Reset(printed); time.Now().Before(end) {
				continue
			}
		}
		if flushErr := out.Flush(); err == nil {
			err = flushErr
		}
		if isChanged {
			err = changedError(dir, printed.started)
		}
		return err
	}
}

func readOnce(dir string, read func(db *engine.DB) error) (err error) {
	db, err := openBesideWriter(dir)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	return read(db)
}

// changedError says that another program has overwritten what a command read.
func changedError(dir string, cutOff bool) error {
	what := ""
	if cutOff {
		what = ", and the output is not complete"
	}
	return fmt.Errorf("the program that has the daybook in %s open changed it while it was read%s: try again, or ask "+
		"for less", dir, what)
}

// startedWriter is a writer that knows whether anything was written to it.
type startedWriter struct {
	io.Writer
	started bool
}

func (w *startedWriter) Write(p []byte) (int, error) {
	w.started = w.started || len(p) > 0
	return w.Writer.Write(p)
}
