// SPDX-License-Identifier: Apache-2.0

// Package fusedisk is a disk for tests: a FUSE file system that keeps its files in memory. It
// records every operation that changes something, and fails operations on request. It needs Linux
// on amd64 or arm64, the device /dev/fuse and the rights of root; the FUSE library does not compile
// for 32 bits. On other systems the package is empty.
//
// Another process serves the file system: a second run of the test binary. The program under test
// could starve a goroutine of its own, because a page fault on a mapped file blocks a thread
// without the scheduler's knowledge. A garbage collection that waits for that thread would also
// stop the goroutine that must answer the fault. The test talks to the serving process over a pipe.
// So a test binary that mounts a disk must start as follows:
//
//	func TestMain(m *testing.M) { fusedisk.Main(m) }
//
// # What is recorded
//
// The journal has the writes as the program made them: the kernel caches reads, also those of mmap,
// but it passes every write on at once. A write of more than MaxWrite bytes comes in pieces. Reads,
// stats and opens change nothing, so they are not recorded. The kernel handles advisory locks.
// There are no links, modes or times, and a rename from one directory to another fails with EXDEV.
// The kernel holds a file's lock during each write, truncation and sync, so a sync never runs at
// the same time as a write to the same file.
//
// # Faults
//
// A [Fault] selects operations by their kind and path. It fails the n-th of them, or all from the
// n-th on, or only counts them. Failed operations are in the journal too, with their errors.
package fusedisk
