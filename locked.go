// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"fmt"
	"os"
)

// LockedError says which process has a file open. It matches ErrLocked.
type LockedError struct {
	Path    string
	PID     int    // of the process, which may be this one; 0: unknown
	Program string // the name of the process; "": unknown
	Stopped bool   // the process is stopped, as by SIGSTOP or a debugger
}

func (e *LockedError) Error() string {
	if e.PID == os.Getpid() {
		return fmt.Sprintf("locked: %s: this process has it open already: use that backend, or close it first", e.Path)
	}
	return fmt.Sprintf("%v: %s: %s", ErrLocked, e.Path, e.remedy())
}

func (e *LockedError) remedy() string {
	switch {
	case e.PID == 0:
		return "close the program that has it open, or wait longer with LockTimeout"
	case e.Stopped:
		return fmt.Sprintf("%s is stopped and has it open: let it go on with kill -CONT %d, or end it",
			e.process(), e.PID)
	}
	return "close " + e.process() + ", which has it open, or wait longer with LockTimeout"
}

func (e *LockedError) process() string {
	if e.Program == "" {
		return fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("process %d (%s)", e.PID, e.Program)
}

// Unwrap returns ErrLocked.
func (e *LockedError) Unwrap() error { return ErrLocked }
