// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/text"
)

func TestErrorLine(t *testing.T) {
	tests := []struct {
		why  string
		err  error
		want string
	}{
		{"a sentinel before its details", fmt.Errorf("%w: it is empty", daybook.ErrInvalidName), "invalid record name: it is empty"},
		{"a sentinel after a place", &text.LineError{File: "stdin", Line: 7, Err: daybook.ErrInvalidValue}, "stdin:7: invalid value"},
		{"wrapped several times", fmt.Errorf("%w: 0 values were stored before it", fmt.Errorf("a.csv: %w", context.Canceled)),
			"a.csv: interrupted: 0 values were stored before it"},
		{"two at once", errors.Join(daybook.ErrClosed, daybook.ErrNoSpace), "closed; no space left"},
		{"a file with the name of the package", fmt.Errorf("open daybook: notes.csv: %w", os.ErrNotExist), "open daybook: notes.csv: file does not exist"},
		{"a record that is named like an error, after it", fmt.Errorf("%w: %q ends early", daybook.ErrInvalidPattern, "daybook: invalid pattern"),
			`invalid pattern: "daybook: invalid pattern" ends early`},
		{"a file that is named like an error, before it", fmt.Errorf("context canceled.csv: %w", context.Canceled), "context canceled.csv: interrupted"},
		{"a text like an interruption's is none", errors.New(`no column "context canceled"`), `no column "context canceled"`},
		{"what steers a terminal", errors.New("a\x1b[2J"), `a\u001b[2J`},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			if diff := cmp.Diff(test.want, errorLine(test.err)); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUserDataInErrorsStays(t *testing.T) {
	file := writeFile(t, "rows.csv", "context canceled,daybook: b\n1,2\n")
	got := run(t, "", "ingest", "--record", "r", "--time-column", "t", "--dir", newDir(t), file)
	if want := `the header is ["context canceled" "daybook: b"]; want a column "t"`; !strings.Contains(got.err, want) {
		t.Errorf("stderr %q; want %q in it", got.err, want)
	}
}

func TestStoppedCleanup(t *testing.T) {
	tests := []struct {
		why  string
		err  error
		want string
	}{
		{"after an interruption the same command does the rest", context.Canceled,
			"deleted 3 values before it stopped; the same command finishes: interrupted"},
		{"in a damaged store the others are done", daybook.ErrCorrupt, "deleted 3 values of the records that are whole: corrupt"},
		{"on a full disk too", daybook.ErrNoSpace, "deleted 3 values before it stopped: no space left"},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			if diff := cmp.Diff(test.want, errorLine(stoppedAfter(3, test.err))); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

// closer is what closes with an error.
type closer struct{ err error }

func (c closer) Close() error { return c.err }

func TestCloseAfterStoring(t *testing.T) {
	interrupted := errors.New("interrupted")
	full := fmt.Errorf("closed without a last checkpoint: %w", daybook.ErrNoSpace)
	tests := []struct {
		why                  string
		before, closed, want error
		warns                bool
	}{
		{"nothing went wrong", nil, nil, nil, false},
		{"the log keeps the values of a full disk", nil, full, nil, true},
		{"what is in the log may be lost", nil, errors.Join(full, daybook.ErrFailed), daybook.ErrFailed, false},
		{"the disk is broken", nil, os.ErrPermission, os.ErrPermission, false},
		{"it has failed before", interrupted, full, interrupted, false},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			var errOut strings.Builder
			err := test.before
			closingStored(closer{test.closed}, &errOut, &err)
			if !errors.Is(err, test.want) || (errOut.Len() > 0) != test.warns {
				t.Errorf("error %v, stderr %q; want %v, and a warning: %v", err, errOut.String(), test.want, test.warns)
			}
		})
	}
}

// someRecords are records and then an error.
func someRecords(err error) iter.Seq2[daybook.RecordInfo, error] {
	return func(yield func(daybook.RecordInfo, error) bool) {
		_ = yield(daybook.RecordInfo{RecordName: "first"}, nil) &&
			yield(daybook.RecordInfo{RecordName: "second"}, nil) && yield(daybook.RecordInfo{}, err)
	}
}

func TestRecordsBeforeAnErrorArePrinted(t *testing.T) {
	tests := []struct {
		why string
		out func(*bytes.Buffer) recordWriter
	}{
		{"in a table, which holds rows to lay them out", func(out *bytes.Buffer) recordWriter { return newRecordTable(out) }},
		{"in lines", func(out *bytes.Buffer) recordWriter { return newRecordLines(out) }},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			var out bytes.Buffer
			found, err := writeRecords(test.out(&out), someRecords(daybook.ErrCorrupt))
			if found != 2 || !errors.Is(err, daybook.ErrCorrupt) {
				t.Errorf("%d records, %v; want 2 and ErrCorrupt", found, err)
			}
			wantParts(t, out.String(), "first", "second")
		})
	}
}

func TestWhatHoldsADaybook(t *testing.T) {
	tests := []struct {
		why  string
		fill func(dir string) error
		want bool
	}{
		{"an empty directory", func(string) error { return nil }, false},
		{"a directory that is not there", os.Remove, false},
		{"a tree that is blank was never finished", func(dir string) error { return os.WriteFile(filepath.Join(dir, "daybook.db"), nil, 0o600) }, false},
		{"a log without its tree is damage, which the engine reports", func(dir string) error { return os.Mkdir(filepath.Join(dir, "wal"), 0o700) }, true},
		{"a daybook", func(dir string) error {
			db, err := engine.Open(dir, nil)
			if err != nil {
				return err
			}
			return db.Close()
		}, true},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "history")
			if err := errors.Join(os.Mkdir(dir, 0o700), test.fill(dir)); err != nil {
				t.Fatal(err)
			}
			if got := holdsDaybook(dir); got != test.want {
				t.Errorf("%v; want %v", got, test.want)
			}
		})
	}
}
