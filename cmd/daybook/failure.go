// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/retention"
)

// Exit statuses.
const (
	statusDone        = 0
	statusFailed      = 1
	statusUsage       = 2
	statusInterrupted = 130 // what shells report for a process that SIGINT ended
)

// usageError is an error of the command line itself rather than of what it asked for.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// isUsage reports whether err is the fault of the command line. Patterns and parameters come from
// there, unless a policy file has them; but only the store can tell that they are wrong.
func isUsage(err error) bool {
	if errors.As(err, new(*retention.PolicyError)) {
		return false
	}
	return errors.As(err, new(usageError)) || errors.Is(err, daybook.ErrInvalidPattern) ||
		errors.Is(err, daybook.ErrInvalidParams)
}

// statusOf is the exit status for an error.
func statusOf(err error) int {
	switch {
	case isUsage(err):
		return statusUsage
	case errors.Is(err, context.Canceled):
		return statusInterrupted
	}
	return statusFailed
}

// remedy says what can be done about an error of a command, where its text does not.
func remedy(command string, err error) string {
	if errors.Is(err, daybook.ErrCorrupt) && command != "restore" { // of a backup there is only another one
		return "; \"daybook check --quarantine\" sets aside what is damaged, and goes on with what is whole"
	}
	return ""
}

// errorLine puts an error on one line.
func errorLine(err error) string {
	return printable(strings.ReplaceAll(message(err), "\n", "; "))
}

// message is the text of err in this command's words. Only the text of the error that is reworded is
// touched: what stands around it may be a user's file name or value, and that may hold anything.
func message(err error) string {
	if err == context.Canceled {
		return "interrupted"
	}
	text := err.Error()
	inner := wrapped(err)
	if len(inner) == 0 {
		// The sentinels of package daybook start with its name, which the line starts with already.
		return strings.TrimPrefix(text, "daybook: ")
	}
	for _, err := range inner {
		text = replaceOnce(text, err.Error(), message(err))
	}
	return text
}

// wrapped are the errors that err wraps.
func wrapped(err error) []error {
	switch err := err.(type) {
	case interface{ Unwrap() []error }:
		return err.Unwrap()
	case interface{ Unwrap() error }:
		if inner := err.Unwrap(); inner != nil {
			return []error{inner}
		}
	}
	return nil
}

// replaceOnce replaces what stands at the end of text, else at its beginning, else the first. Those are
// the places where an error wraps another: after what a user wrote, and before it.
func replaceOnce(text, old, replacement string) string {
	if rest, ok := strings.CutSuffix(text, old); ok {
		return rest + replacement
	}
	if rest, ok := strings.CutPrefix(text, old); ok {
		return replacement + rest
	}
	return strings.Replace(text, old, replacement, 1)
}

// flagError says what a flag wants where strconv says which of its functions failed.
func flagError(err error) error {
	var number *strconv.NumError
	if !errors.As(err, &number) {
		return usageError{err}
	}
	want := "want a whole number"
	if number.Func == "ParseBool" {
		want = "want true or false"
	}
	return usageError{errors.New(strings.TrimSuffix(err.Error(), number.Error()) + want)}
}

// isBrokenPipe reports whether whoever read our output has stopped reading. That is their right.
func isBrokenPipe(err error) bool {
	const windowsNoData = syscall.Errno(232) // ERROR_NO_DATA: the pipe is being closed
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) ||
		runtime.GOOS == "windows" && errors.Is(err, windowsNoData)
}
