// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backend/sqlite"
)

// historyFile is AimDB's history.db, open for reading.
type historyFile struct {
	*sqlite.History
	bar *byteBar
}

// historyError is an error of AimDB's file. No command mends that.
type historyError struct{ error }

func (e historyError) Unwrap() error { return e.error }

// isHistory reports whether a file is one of SQLite. It does not open a pipe, whose sender would
// notice.
func isHistory(name string) bool {
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return false
	}
	file, err := os.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	return sqlite.IsFile(file)
}

func openHistory(cmd *cobra.Command, name string) (*exportedFile, error) {
	history, err := sqlite.OpenHistory(name)
	if err != nil {
		return nil, historyError{err}
	}
	bar := newByteBar(cmd.ErrOrStderr(), "importing", -1)
	return &exportedFile{ValueReader: historyFile{history, bar}, file: history, bar: bar}, nil
}

func (f historyFile) Read() (daybook.StoredValue, error) {
	value, err := f.History.Read()
	f.bar.add(len(value.Value))
	if err != nil && err != io.EOF {
		err = historyError{err}
	}
	return value, err
}
