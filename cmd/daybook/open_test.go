// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

func TestReadingAnEmptyDirectoryLeavesItEmpty(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		{"query", "*"}, {"records"}, {"stats"}, {"cleanup", "--older-than", "1d"}, {"compact"},
		{"holds"}, {"quarantine"},
	} {
		got := run(t, "", append(args, "--dir", dir)...)
		if got.status != statusFailed || !strings.Contains(got.err, "there is no daybook in "+dir) {
			t.Errorf("daybook %q: status %d, stderr %q", args, got.status, got.err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("the directory holds %v, %v; want nothing", entries, err)
	}
}

// TestLockedByAnotherProcess runs the commands at the same time, because each waits for a second
// for the lock.
func TestLockedByAnotherProcess(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	db, err := engine.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	var commands sync.WaitGroup
	for _, args := range [][]string{
		{"check"}, {"backup", filepath.Join(t.TempDir(), "copy")}, {"ingest"}, {"cleanup", "--older-than", "1d"},
		{"compact"},
	} {
		commands.Go(func() {
			got := run(t, "", append(args, "--dir", dir)...)
			if got.status != statusFailed || !strings.Contains(got.err, "open in another process") ||
				!strings.Contains(got.err, dir) ||
				strings.Contains(got.err, "demo or an ingest") || // it may as well be a query
				!strings.Contains(got.err, `"daybook query", "daybook tail -f" and`) ||
				!strings.Contains(got.err, "DB.Backup") || strings.Count(got.err, "\n") != 1 {
				t.Errorf("daybook %q: status %d, stderr %q", args, got.status, got.err)
			}
		})
	}
	commands.Wait()
	mustRun(t, "", "tail", "*", "--dir", dir)
}

func TestReadersShareADirectory(t *testing.T) {
	dir := filledDir(t, someValues()...)
	db, err := engine.Open(dir, &engine.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	mustRun(t, "", "query", "*", "--dir", dir)
}

// TestOpenExisting wants "there is no daybook" only for a directory without any part of one.
func TestOpenExisting(t *testing.T) {
	tests := []struct {
		name   string
		fill   func(dir string) error
		exists bool
	}{
		{"an empty directory", func(string) error { return nil }, false},
		{"a directory that does not exist", os.Remove, false},
		{"a blank tree, which was never finished",
			func(dir string) error { return os.WriteFile(filepath.Join(dir, "daybook.db"), nil, 0o600) }, false},
		{"a log without its tree, which the engine reports as damage",
			func(dir string) error { return os.Mkdir(filepath.Join(dir, "wal"), 0o700) }, true},
		{"a daybook", func(dir string) error {
			db, err := engine.Open(dir, nil)
			if err != nil {
				return err
			}
			return db.Close()
		}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "history")
			if err := errors.Join(os.Mkdir(dir, 0o700), test.fill(dir)); err != nil {
				t.Fatal(err)
			}
			db, err := openExisting(dir)
			if err == nil {
				err = db.Close()
			}
			missing := err != nil && strings.HasPrefix(err.Error(), "there is no daybook in ")
			if missing == test.exists {
				t.Errorf("error %v; want that a daybook exists: %v", err, test.exists)
			}
		})
	}
}

// failingCloser closes with an error.
type failingCloser struct{ err error }

func (c failingCloser) Close() error { return c.err }

func TestCloseAfterStoring(t *testing.T) {
	interrupted := errors.New("interrupted")
	full := fmt.Errorf("closed without a last checkpoint: %w", daybook.ErrNoSpace)
	tests := []struct {
		name                 string
		before, closed, want error
		warns                bool
	}{
		{"nothing went wrong", nil, nil, nil, false},
		{"the disk is full, and the log keeps the values", nil, full, nil, true},
		{"values in the log may be lost", nil, errors.Join(full, daybook.ErrFailed), daybook.ErrFailed, false},
		{"the disk is broken", nil, os.ErrPermission, os.ErrPermission, false},
		{"the command has failed before", interrupted, full, interrupted, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var errOut strings.Builder
			err := test.before
			closeAfterStoring(failingCloser{test.closed}, &errOut, &err)
			if !errors.Is(err, test.want) || (errOut.Len() > 0) != test.warns {
				t.Errorf("error %v, stderr %q; want %v, and a warning: %v", err, errOut.String(), test.want, test.warns)
			}
		})
	}
}
