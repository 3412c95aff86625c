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

// Fault says which operations fail, and how. Operations are counted from when Inject was called.
type Fault struct {
	// Kinds are those that match; none: all that change something, which leaves out Open and Read.
	// A failed Read of a mapped file is a SIGBUS to whoever looks at it.
	Kinds []journal.OpKind
	// Glob is matched, as path.Match does, against the path relative to the root, or where it has no
	// slash against the last element. A Rename matches under either name. Empty: everything matches.
	Glob string
	// Skip is how many matching operations succeed first.
	Skip int
	// Times is how many fail then. Negative: all. Zero: none, they are only counted.
	Times int
	// Errno is what they fail with.
	Errno syscall.Errno
	// Written is how many bytes a failing Write applies all the same.
	Written int
	// Short has a failing Write return Written, if that is more than 0, instead of Errno: what a disk
	// that is nearly full does. The caller then writes the rest, which is the next operation.
	Short bool
	// Hold has a Sync succeed instead, but not before the next Inject.
	Hold bool
}

// Counts is what became of a Fault.
type Counts struct {
	Matched int // operations so far that it is about
	Failed  int // of those
}

// rule is a fault and its counts.
type rule struct {
	Fault
	Counts
}

// meet counts an operation, and reports whether it is to fail.
func (r *rule) meet(kind journal.OpKind, paths []string) bool {
	if !r.matches(kind, paths) {
		return false
	}
	r.Matched++
	fails := r.Matched > r.Skip && (r.Times < 0 || r.Failed < r.Times)
	if fails {
		r.Failed++
	}
	return fails
}

func (r *rule) matches(kind journal.OpKind, paths []string) bool {
	if len(r.Kinds) == 0 && (kind == journal.Open || kind == journal.Read) {
		return false
	}
	if len(r.Kinds) > 0 && !slices.Contains(r.Kinds, kind) {
		return false
	}
	return r.Glob == "" || slices.ContainsFunc(paths, func(name string) bool {
		if !strings.Contains(r.Glob, "/") {
			name = path.Base(name)
		}
		matched, err := path.Match(r.Glob, name)
		return matched && err == nil
	})
}
