// SPDX-License-Identifier: Apache-2.0

// Package fusedisk is a disk for tests: a FUSE file system that keeps its files in memory, records every
// operation that changes something, and fails operations when told to. It runs on Linux, as root, where
// there is a /dev/fuse, on amd64 and arm64 (the library does not compile for 32 bits); elsewhere the package is
// empty.
//
// The file system is served by another process, a second run of the test binary, so that the program under
// test cannot starve it: a page fault on a mapped file blocks a thread without the scheduler's knowledge,
// and a garbage collection that waited for that thread would also stop the goroutine that has to answer.
// The test's process talks to it over a pipe. So a test binary that mounts one must hand over its main:
//
//	func TestMain(m *testing.M) { fusedisk.Main(m) }
//
// # What is recorded
//
// Writes reach the file system as the program made them: the kernel caches what it read, for mmap too, but
// writes through at once. A write of more than MaxWrite bytes comes in pieces. Advisory locks are the
// kernel's. Reads, stats and opens change nothing and are not recorded. There are no links, no modes, no
// times, and no renames from one directory to another (EXDEV). The kernel holds a file's lock during each
// write, truncation and sync, so a sync never runs beside a write to the same file.
//
// # Faults
//
// Inject has the n-th operation of certain kinds on certain names fail, or all from the n-th on, or only
// counts them: see Fault. What failed is recorded too, with its error.
package fusedisk
