// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
)

func TestErrorLine(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"a sentinel before its details", fmt.Errorf("%w: it is empty", daybook.ErrInvalidName),
			"invalid record name: it is empty"},
		{"a sentinel after a place", &text.LineError{File: "stdin", Line: 7, Err: daybook.ErrInvalidValue},
			"stdin:7: invalid value"},
		{"an interruption that is wrapped several times",
			&stoppedError{fmt.Errorf("a.csv: %w", context.Canceled), "0 values were stored before it"},
			"interrupted: 0 values were stored before it"},
		{"an error after an interruption", twoErrors{fmt.Errorf("a.csv: %w", context.Canceled), daybook.ErrNoSpace},
			"interrupted; no space left"},
		{"an interruption among other errors of the engine", errors.Join(context.Canceled, daybook.ErrNoSpace),
			"context canceled; no space left"},
		{"two errors of the engine", errors.Join(daybook.ErrNotConfigured, daybook.ErrNoSpace),
			"no backend configured; no space left"},
		{"a file with the name of the package", fmt.Errorf("open daybook: notes.csv: %w", os.ErrNotExist),
			"open daybook: notes.csv: file does not exist"},
		{"a record that is named like an error",
			fmt.Errorf("%w: %q ends early", daybook.ErrInvalidPattern, "daybook: invalid pattern"),
			`invalid pattern: "daybook: invalid pattern" ends early`},
		{"a file that is named like an interruption", fmt.Errorf("context canceled.csv: %w", os.ErrNotExist),
			"context canceled.csv: file does not exist"},
		{"a text like an interruption's", errors.New(`no column "context canceled"`), `no column "context canceled"`},
		{"a text that controls a terminal", errors.New("a\x1b[2J"), `a\u001b[2J`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
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

func TestDeletionStopped(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"by an interruption", context.Canceled,
			"interrupted: deleted 3 values before it stopped; the same command deletes the rest"},
		{"by damage, which other records do not mind", daybook.ErrCorrupt,
			"corrupt: deleted 3 values of the undamaged records"},
		{"by a full disk", daybook.ErrNoSpace, "no space left: deleted 3 values before it stopped"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, errorLine(deletionStopped(3, test.err))); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

// closedPipe is a standard output whose reader has closed it.
type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestBrokenPipeIsQuiet(t *testing.T) {
	dir := filledDir(t, someValues()...)
	for _, args := range [][]string{
		{"query", "*"}, {"query", "*", "--format", "csv"}, {"query", "*", "--format", "ndjson"},
		{"records"}, {"records", "--json"}, {"stats"}, {"stats", "--json"},
		{"cleanup", "--older-than", "0"}, {"compact"},
	} {
		var errOut bytes.Buffer
		status := execute(t.Context(), append(args, "--dir", dir), strings.NewReader(""), closedPipe{}, &errOut)
		if status != statusDone || errOut.Len() > 0 {
			t.Errorf("daybook %q: status %d, stderr %q; want a quiet end", args, status, errOut.String())
		}
	}
}

// TestBrokenPipeLosesABackup wants a failure: a part of a backup is of no use.
func TestBrokenPipeLosesABackup(t *testing.T) {
	dir := filledDir(t, someValues()...)
	var errOut bytes.Buffer
	status := execute(t.Context(), []string{"backup", "-", "--dir", dir}, strings.NewReader(""), closedPipe{}, &errOut)
	if status != statusFailed || !strings.Contains(errOut.String(), "it got only a part") {
		t.Errorf("status %d, stderr %q; want a failure", status, errOut.String())
	}
}

// TestBrokenPipeOfAnExport wants a quiet end for "export - | head", whose status a script can tell
// from that of a whole export.
func TestBrokenPipeOfAnExport(t *testing.T) {
	dir := filledDir(t, someValues()...)
	for _, format := range exportFormats {
		args := []string{"export", "*", "-", "--format", format, "--dir", dir}
		var errOut bytes.Buffer
		status := execute(t.Context(), args, strings.NewReader(""), closedPipe{}, &errOut)
		if status != 141 || errOut.Len() > 0 {
			t.Errorf("%s: status %d, stderr %q; want 141 without an error", format, status, errOut.String())
		}
	}
}

func TestInterruptedQuery(t *testing.T) {
	dir := filledDir(t, someValues()...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errOut bytes.Buffer
	status := execute(ctx, []string{"query", "*", "--dir", dir}, strings.NewReader(""), &out, &errOut)
	if status != statusInterrupted || errOut.String() != "daybook: interrupted\n" {
		t.Errorf("status %d, stderr %q", status, errOut.String())
	}
}
