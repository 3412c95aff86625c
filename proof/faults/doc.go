// SPDX-License-Identifier: Apache-2.0

// Package faults proves that the engine survives a disk whose operations fail. It has only tests.
//
// # What is proven
//
// In each run of TestFaults an operation of the disk fails: a write, sync, truncate, rename,
// unlink, open, create, mkdir or the sync of a directory. It fails with EIO or ENOSPC, and for one
// operation, until the store is closed, or until the disk is healthy again while the store is open.
// A failing write applies none, some or all of its bytes. Whatever fails:
//
//   - Every acknowledged value is visible, at once and after the store is opened again. A value
//     whose Store returned an error is not visible; only after ErrFailed the next Open decides.
//   - Queries succeed and return the right values.
//   - A call that changes a hold, or the position of a stream, has its whole effect or none; only
//     after ErrFailed the next Open decides. A position moves with its values, a hold never goes
//     back, and it counts exactly what it spares and what it has lost.
//   - An error names the cause. A full disk is ErrNoSpace or ErrFailed, and nothing else is
//     ErrCorrupt.
//   - One failed operation makes at most one call fail, unless the content of the log or of the
//     tree is in doubt. Then calls that write to that file return ErrFailed until the store is
//     opened again.
//   - No call hangs.
//   - After the faults, the store opens, Check finds nothing, and the store works. Under Always
//     that also holds after a power cut in which only synced operations survive.
//
// Other tests fail a certain operation at a certain moment.
//
// # The model of the disk
//
// Package fusedisk fails the operations. For the power cut at the end, package crashstate computes
// what survives: after a failed sync the kernel treats its pages as clean, so a later sync does not
// write them.
//
// # How to run it
//
//	go test ./proof/faults -v                     # each workload, operation and error
//	go test ./proof/faults -v -long               # 500 runs
//	go test ./proof/faults -v -proof.faults=2000  # 2000 runs
//	go test ./proof/faults -v -proof.faults=all   # every operation, about 7,400 runs
//
// It needs Linux on amd64 or arm64, root and /dev/fuse, and is skipped elsewhere. With the
// environment variable DAYBOOK_PROOF=required it fails instead.
//
// # How to repeat a failure
//
// A failure prints the calls with their results, and the operations that failed. It also prints a
// command that repeats the run, for example:
//
//	go test ./proof/faults -run TestFaults -proof.faults=new:write:17:EIO:lasting:head
//
// The name says: in workload new, the writes from number 17 on fail with EIO, and apply 30 bytes.
// Numbers count from 0. The engine's background work may change the order of operations, so a run
// may have to be repeated some times.
package faults
