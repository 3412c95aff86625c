// SPDX-License-Identifier: Apache-2.0

// Package backendtest is the conformance suite for [daybook.Backend]. One call runs a subtest on
// your backend for each promise that package daybook makes.
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
// [Run] opens a new, empty backend for each subtest, with the T of that subtest, and calls
// Initialize. If the backend is an io.Closer, it is closed at the end of the subtest. From then on
// its methods must return daybook.ErrClosed.
//
// The optional interfaces (BatchStorer, Scanner, RecordLister, Pruner, Watcher, ChangeSource,
// Statser, Holder, Receiver, ClockMemory, Checker, BackerUp, Compacter, Checkpointer) are tested if
// the backend has them. If not, the log says so. A failure names the call, the result, the expected
// result, and the broken promise. [Capabilities] declares the limits of a backend, which the suite
// then respects.
//
// [Memory] is the reference: a slice with a mutex that passes the suite. It has all optional
// interfaces except Checker, BackerUp, Compacter and Checkpointer. The embedded engine is compared
// with it, and programs can use it in their own tests. It shares no code with the engine, not even
// for patterns.
//
// The suite measures no time, other than that no call goes on for seconds after the end of its
// context, and never sleeps. With -short it leaves out values of 16 MiB. It
// cannot test durability, because no method makes a backend crash: each backend needs tests of its
// own for that.
//
// # Reading the source
//
// run.go has the table of themes. Each theme has a file, from ordering.go to closing.go, which
// begins with a table of its cases. subject.go has the helpers of the cases. The tests of this
// package run the suite on Memory, and on mutants of Memory with one mistake each. The suite must
// find every mistake.
package backendtest
