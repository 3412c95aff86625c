// SPDX-License-Identifier: Apache-2.0

// Command mutation changes the code in one place at a time, and reports the changes that no test
// notices.
//
//	go run ./proof/mutation ./codec ./index         all mutants of two packages
//	go run ./proof/mutation -sample 40 -seed 7      40 mutants of all packages
//	go run ./proof/mutation -list ./codec           the mutants, without a run
//	go run ./proof/mutation -match 'Sync' ./engine  the mutants whose names match
//
// A mutant is one small change: a condition is negated, a comparison takes in its bound or leaves
// it out, a call is left out, an error is dropped. The command builds the package with the change
// (go test -overlay, so that no file is touched) and runs the short tests of the package. A test
// that fails kills the mutant. The engine's tests run as well on a mutant in engine/internal that
// the package's own tests do not kill. A mutant that does not compile does not count.
//
// With -reach DIRECTORY a mutant meets only the tests that run its line, the quick ones first, and
// one that no test runs survives at once. The mutants of a package are built together, in one
// binary that runs each under a number. A mutant of ./engine then takes seconds and not minutes.
// The command first runs each test alone, and keeps what it reaches in the directory. Delete the
// directory when the code has changed. A test that reaches a line only now and then, because of
// another goroutine, may be missed.
//
// # Survivors
//
// The file survivors.txt lists the mutants that the package's own tests do not kill, each with its
// reason. A line has the name of a mutant, a tab, and one of these:
//
//	equivalent: REASON           the change alters nothing that anybody can see
//	killed by PACKAGE TEST       a test of another package kills it; -named runs that test
//	open: REASON                 a hole in the tests
//
// A name has no line number, so that it stays when other lines change. The command fails unless the
// tests kill 95 % of the mutants that are not equivalent; -kill is another percentage. A survivor
// counts whether it is listed as open or not listed.
package main
