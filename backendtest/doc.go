// SPDX-License-Identifier: Apache-2.0

// Package backendtest is the conformance suite for [daybook.Backend]: what package daybook promises of
// every backend, as subtests that one call runs on yours.
//
//	func TestConformance(t *testing.T) {
//		backendtest.Run(t, func(t *testing.T) daybook.Backend {
//			backend, err := mybackend.Open(t.TempDir())
//			if err != nil {
//				t.Fatal(err)
//			}
//			return backend
//		}, backendtest.Capabilities{})
//	}
//
// [Run] opens a fresh, empty backend for each subtest, with that subtest's T, and calls its Initialize.
// One that is an io.Closer is closed when the subtest ends, and must return daybook.ErrClosed from then
// on. The optional abilities (BatchStorer, Scanner, RecordLister, Pruner, Watcher) are tested when the backend has
// them; when it has not, the log says so. A failure says what was asked, what was wanted and got, and
// which promise that breaks. What a backend cannot do is declared in [Capabilities].
//
// [Memory] is the reference: a slice behind a mutex, with every ability, that passes the suite. It is the
// model that the embedded engine is compared with, and does as a backend for tests of one's own. It
// shares neither code nor idea with the engine, pattern matching included.
//
// The suite takes no measure of time and makes no pauses. With -short it leaves out the values of 16 MiB.
// It cannot test durability, since a crash is nobody's method: that remains the backend's own task.
//
// # Reading the source
//
// run.go is the table of themes; each theme is a file of its own, from ordering.go to closing.go, that
// begins with the table of its cases. subject.go is what a case works with. The tests of this package run
// the suite on Memory, and on a Memory with one fault at a time, to see that each is found.
package backendtest
