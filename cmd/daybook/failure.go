// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"syscall"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/retention"
	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/detect"
	"github.com/daybook-db/daybook/text/timeform"
)

// Exit statuses.
const (
	statusDone        = 0
	statusFailed      = 1
	statusUsage       = 2
	statusInterrupted = 130 // by SIGINT; see interruption.status for other signals
	statusCutOff      = 141 // of a cutOffError: what shells report after SIGPIPE
)

// cutOffError is the error of an export whose reader has closed the pipe. Nobody needs to be told,
// but a script sees that the export is not whole.
type cutOffError struct{ error }

func (e cutOffError) Unwrap() error { return e.error }

// quietStatus returns the exit status for nil and for a broken pipe.
func quietStatus(err error) int {
	if errors.As(err, new(cutOffError)) {
		return statusCutOff
	}
	return statusDone
}

// usageError is an error of the command line itself, not of the work that it asked for.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// stoppedError is the error that stopped a command, and the work that the command did before it.
type stoppedError struct {
	err  error
	done string // "2 values were stored before it"
}

func (e *stoppedError) Error() string { return fmt.Sprintf("%v: %s", e.err, e.done) }
func (e *stoppedError) Unwrap() error { return e.err }

// twoErrors is the error that stopped a command, and another one from stopping it.
type twoErrors [2]error

func (e twoErrors) Error() string   { return fmt.Sprintf("%v; %v", e[0], e[1]) }
func (e twoErrors) Unwrap() []error { return e[:] }

// bothErrors returns the errors that are not nil, as one error.
func bothErrors(first, second error) error {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return twoErrors{first, second}
}

// isUsage reports whether the command line caused err. Only the store finds out that a pattern or a
// parameter is invalid; both come from the command line, unless a policy file has them.
func isUsage(err error) bool {
	if errors.As(err, new(*retention.PolicyError)) {
		return false
	}
	return errors.As(err, new(usageError)) || errors.Is(err, daybook.ErrInvalidPattern) ||
		errors.Is(err, daybook.ErrInvalidParams)
}

// statusOf returns the exit status for an error of a command that ran with ctx.
func statusOf(ctx context.Context, err error) int {
	switch {
	case isUsage(err):
		return statusUsage
	case errors.Is(err, context.Canceled):
		return interruptedStatus(ctx)
	}
	return statusFailed
}

// remedy returns what the user can do about an error of a command, to be printed after the error.
func remedy(command string, err error) string {
	switch {
	case errors.As(err, new(historyError)):
		return ""
	case errors.Is(err, daybook.ErrCorrupt) && command != "restore": // the remedy for a backup is another backup
		return "; \"daybook check --quarantine\" sets damaged files aside and keeps the values that can be read"
	case errors.As(err, new(*text.HeaderError)) && command == "import":
		return "; \"daybook ingest\" reads CSV that \"daybook export\" did not write"
	case errors.Is(err, retention.ErrClock):
		return "; set the clock, or if it is right, delete by age with \"daybook prune --older-than\", " +
			"which believes it, and values from the future with \"daybook prune --newer-than 0s\""
	case errors.Is(err, fs.ErrNotExist) && command == "quarantine":
		return "; \"daybook quarantine\" lists the files"
	case errors.Is(err, daybook.ErrNoHold):
		return "; \"daybook holds\" lists the holds"
	}
	return readingRemedy(err) + skippingRemedy(command, err)
}

// skippingRemedy returns the flag that skips the bad line that stopped ingest, unless readingRemedy
// names it.
func skippingRemedy(command string, err error) string {
	stopped := errors.As(err, new(*stoppedError)) && errors.As(err, new(*text.LineError))
	if command != "ingest" || !stopped || strings.Contains(readingRemedy(err), "--skip-bad") {
		return ""
	}
	return "; --skip-bad skips such lines"
}

// shapeRemedy returns the flags that choose the values in JSON.
func shapeRemedy(err *detect.ShapeError) string {
	text := "; --jq makes values of them"
	if err.Example != "" {
		text += ", as in --jq '" + err.Example + "'"
	}
	if errors.Is(err, detect.ErrInnerTimes) {
		text += ", and --time names the time of their whole"
	}
	return text
}

// readingRemedy returns the flag of ingest that says what a file does not.
func readingRemedy(err error) string {
	if shape := (*detect.ShapeError)(nil); errors.As(err, &shape) {
		return shapeRemedy(shape)
	}
	if encoding := (*detect.EncodingError)(nil); errors.As(err, &encoding) {
		return "; --encoding " + encoding.Name + " decodes it"
	}
	if ambiguous := (*timeform.AmbiguousError)(nil); errors.As(err, &ambiguous) && ambiguous.Format != "" {
		return `; --time-format says the form: --time-format "` + ambiguous.Format + `" for ` + ambiguous.Meaning
	}
	for _, known := range []struct {
		err    error
		remedy string
	}{
		{text.ErrMissingTime, "--now stamps such values with the clock"},
		{detect.ErrNoTime, "--time names the column or path of the time, --skip-lines the lines before the header, " +
			"and --now stamps values with the clock"},
		{detect.ErrPartOfTime, "--time names each column of the time, as in --time Date,Hour, or the one " +
			"that is all of it, --time-unit what a number counts, and --time-zone the zone"},
		{detect.ErrHoursInColumns, "write a row for each hour first, or name the column of the days, " +
			"as in --time Date, to store such values"},
		{detect.ErrHeader, "--header names the columns, and --skip-lines skips lines before the rows"},
		{detect.ErrCommas, "--decimal , reads 1,234 as 1.234, and --decimal . keeps it as a text"},
		{detect.ErrHalfDays, `--time-format "%Y-%m-%d %H:%M" says that the hours are those of whole days`},
		{detect.ErrDivisors, "--skip-lines skips it, and stores the numbers as they are"},
		{detect.ErrBlanks, "--delimiter space takes blanks for what separates the cells, --header names the columns, " +
			"and --time those of the time"},
		{detect.ErrNoTable, "--delimiter says what separates the cells, " +
			"and --skip-lines how many lines are before them"},
		{text.ErrImplausible, "--any-time allows such times, and --time-unit says the unit of numbers"},
		{text.ErrNoUnit, "--time-unit says the unit, if this is a Unix time, and --time-format the form, " +
			"such as %Y%m%d, if it is a date"},
		{detect.ErrDigits, `--time-format says the form: --time-format "%Y%m%d %H%M"`},
		{timeform.ErrAmbiguous, `--time-format says the form: --time-format "%d/%m/%Y %H:%M:%S"`},
		{text.ErrNoZone, "--time-zone says the zone of such times, as in --time-zone America/New_York"},
		{timeform.ErrRepeated, "--time-zone says the zone, if it is another"},
		{timeform.ErrSkipped, "--time-zone says the zone, if it is another"},
		{text.ErrNotTime, "--time names another column or path, --time-format the form, " +
			"and --skip-bad skips such lines"},
		{text.ErrNotNumber, "--text keeps such cells as texts"},
		{text.ErrNotUTF8, "--encoding says the encoding: --encoding latin1"},
		{detect.ErrDamaged, "--skip-bad skips such lines, and --encoding says another encoding"},
		{detect.ErrNotText, "--encoding says the encoding: --encoding latin1"},
	} {
		if errors.Is(err, known.err) {
			return "; " + known.remedy
		}
	}
	return ""
}

// errorLine returns the text of err on one line that is safe to print on a terminal.
func errorLine(err error) string {
	return printable(strings.ReplaceAll(describe(err), "\n", "; "))
}

// describe returns the text of err, and "interrupted" for an interruption.
func describe(err error) string {
	switch err := err.(type) {
	case *stoppedError:
		return describe(err.err) + ": " + err.done
	case twoErrors:
		return describe(err[0]) + "; " + describe(err[1])
	}
	if isInterruption(err) {
		return "interrupted"
	}
	return err.Error()
}

// isInterruption reports whether an interruption is the only cause of err.
func isInterruption(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) { // which is nil for an error with several causes
		if err == context.Canceled {
			return true
		}
	}
	return false
}

// isBrokenPipe reports whether the reader of our output has closed it, as head does. That is no
// failure.
func isBrokenPipe(err error) bool {
	const windowsNoData = syscall.Errno(232) // ERROR_NO_DATA: the pipe is being closed
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) ||
		runtime.GOOS == "windows" && errors.Is(err, windowsNoData)
}
