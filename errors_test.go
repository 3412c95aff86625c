// SPDX-License-Identifier: Apache-2.0

package daybook_test

import (
	"errors"
	"os"
	"testing"

	"github.com/daybook-db/daybook"
)

// TestTypedErrors wants each typed error to match what its comment says, and its text to name what
// a consumer needs to go on.
func TestTypedErrors(t *testing.T) {
	at := func(n uint64) daybook.Cursor { return daybook.Cursor{Epoch: [16]byte{15: 1}, Sequence: n} }
	const epoch = "00000000000000000000000000000001:"
	damage := errors.New("page 7 is damaged")
	tests := []struct {
		err  error
		is   error
		want string
	}{
		{&daybook.DamagedChangesError{Record: "a", From: at(3), Through: at(5), Err: damage}, damage,
			`values of record "a" from ` + epoch + "3 through " + epoch + "5 cannot be read: page 7 is damaged"},
		{&daybook.DamagedChangesError{From: at(3), Through: at(5), Err: damage}, damage,
			"values from " + epoch + "3 through " + epoch + "5 cannot be read: page 7 is damaged"},
		{&daybook.ForkedError{Common: at(3), Current: at(9)}, daybook.ErrForked,
			"the history has forked: the cursor and the backend share the values up to " + epoch + "3; " +
				"the backend is at " + epoch + "9"},
		{&daybook.OutOfStepError{Position: daybook.Position{Through: 3}, From: 5}, daybook.ErrOutOfStep,
			"out of step: the batch begins after 5; the receiver has all values through 3: go on from there"},
		{&daybook.OutOfStepError{Position: daybook.Position{Through: 5}, From: 5}, daybook.ErrOutOfStep,
			"out of step: the batch begins after 5, as it should, but after other batches: " +
				"two stores have the same identity, or the sender has lost its state"},
		{&daybook.LockedError{Path: "d/daybook.db"}, daybook.ErrLocked,
			"locked by another process: d/daybook.db: close the program that has it open, " +
				"or wait longer with LockTimeout"},
		{&daybook.LockedError{Path: "d/daybook.db", PID: 1, Program: "init"}, daybook.ErrLocked,
			"locked by another process: d/daybook.db: close process 1 (init), which has it open, " +
				"or wait longer with LockTimeout"},
		{&daybook.LockedError{Path: "d/daybook.db", PID: os.Getpid(), Program: "this"}, daybook.ErrLocked,
			"locked: d/daybook.db: this process has it open already: use that backend, or close it first"},
	}
	for _, test := range tests {
		if got := test.err.Error(); got != test.want {
			t.Errorf("%T: got %q; want %q", test.err, got, test.want)
		}
		if !errors.Is(test.err, test.is) {
			t.Errorf("%v does not match %v", test.err, test.is)
		}
	}
}
