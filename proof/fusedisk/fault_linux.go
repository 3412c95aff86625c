// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package fusedisk

import (
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/daybook-db/daybook/proof/journal"
)

// Fault says which operations fail, and how. It counts the operations that follow the call of
// Inject.
type Fault struct {
	// Kinds selects operations by kind. None selects all kinds that change something, so not Open
	// and Read. A failed Read of a mapped file is a SIGBUS for the program that accesses the page.
	Kinds []journal.OpKind
	// Glob selects operations by path, as path.Match does. A Glob with a slash is compared with the
	// path relative to the root, and one without with the last element of the path. A Rename is
	// selected by either of its names. The empty Glob selects every path.
	Glob string
	// Skip is the number of selected operations that succeed first.
	Skip int
	// Times is the number of operations that fail then. A negative number fails all, and zero only
	// counts.
	Times int
	// Errno is the error of operations that fail.
	Errno syscall.Errno
	// Written is the number of bytes that a failing Write still applies.
	Written int
	// Short makes a failing Write return Written instead of Errno, unless Written is 0. That is the
	// behaviour of a disk that is nearly full: the caller then writes the rest, which is another
	// operation.
	Short bool
	// Hold makes a Sync wait for the next call of Inject, and succeed then.
	Hold bool
}

// Counts has the numbers of operations that a Fault selected and failed.
type Counts struct {
	Matched int
	Failed  int
}

// countedFault is a Fault with its Counts.
type countedFault struct {
	Fault
	Counts
}

// meet counts an operation if the fault selects it, and reports whether the operation fails.
func (f *countedFault) meet(kind journal.OpKind, paths []string) bool {
	if !f.matches(kind, paths) {
		return false
	}
	f.Matched++
	fails := f.Matched > f.Skip && (f.Times < 0 || f.Failed < f.Times)
	if fails {
		f.Failed++
	}
	return fails
}

func (f *countedFault) matches(kind journal.OpKind, paths []string) bool {
	if len(f.Kinds) == 0 && (kind == journal.Open || kind == journal.Read) {
		return false
	}
	if len(f.Kinds) > 0 && !slices.Contains(f.Kinds, kind) {
		return false
	}
	return f.Glob == "" || slices.ContainsFunc(paths, func(name string) bool {
		if !strings.Contains(f.Glob, "/") {
			name = path.Base(name)
		}
		matched, err := path.Match(f.Glob, name)
		return matched && err == nil
	})
}
