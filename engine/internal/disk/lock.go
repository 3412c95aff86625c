// SPDX-License-Identifier: Apache-2.0

package disk

// Lock names a lock that open files have alone, or share. It ends when the file is closed, also by
// the death of the process. Nobody who reads or writes the file without the lock is held up.
//
// There are three. A reader of a tree must notice that a writer waits for it: readers share OfTree,
// which the writer needs alone, and the writer shows that it waits by OfSign. A writer must notice
// that there are readers beside it: they share OfPin.
type Lock int

const (
	// OfTree is the lock that bbolt takes on a tree's file.
	OfTree Lock = iota
	// OfSign is the lock of the file that SignPath names.
	OfSign
	// OfPin is the lock of the file that PinPath names.
	OfPin
)

// Holder is a process that has a lock.
type Holder struct {
	PID     int
	Program string // "": unknown
	Stopped bool   // as by SIGSTOP or a debugger
}
