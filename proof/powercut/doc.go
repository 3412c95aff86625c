// SPDX-License-Identifier: Apache-2.0

// Package powercut proves that the engine survives a power cut at any moment. It has only tests.
//
// # What is proven
//
// Whatever a power cut leaves on the disk, the engine opens it, Check finds nothing, and the
// visible values keep the rule of package history: acknowledged ⊆ visible ⊆ attempted, batches are
// whole, and the order is kept. Under Interval and OS an acknowledged value may be lost, but never
// one that was stored before a Sync, Checkpoint, Cleanup, Prune, Backup or Close that returned. The
// same holds when the power is cut a second time, while the engine recovers from the first cut.
//
// # The model of the disk
//
// Package crashstate documents the model. In short: every sector that was written after the last
// fsync of its file may have any of its versions, and the size of the file too. A new name, a
// rename or a removal may be lost until the directory is synced.
//
// # How it works
//
//  1. A random workload uses the engine on a fuse disk, which records every write, sync, rename and
//     so on in a journal. The workload notes in the journal when each of its actions begins and
//     when it is done.
//     In half of the workloads the tree and the log are symbolic links to two directories.
//  2. For every prefix of the journal, the test computes several states in which a power cut may
//     leave the disk: the two extreme ones and some random ones.
//  3. It writes each state to a directory in memory, opens the daybook there and judges the visible
//     values. It stores to every fourth daybook, closes it, and opens it again.
//  4. Some recoveries run on the fuse disk too, and the power is cut everywhere in them.
//
// # How to run it
//
//	go test ./proof/powercut -v                       # at least 2000 distinct states
//	go test ./proof/powercut -v -long                 # at least 2500, of longer workloads
//	go test ./proof/powercut -v -proof.states=100000  # reports its progress every minute
//	go test ./proof/powercut -v -proof.seed=7         # the workloads of an earlier run
//
// It needs Linux on amd64 or arm64, root and /dev/fuse, and is skipped elsewhere. With the
// environment variable DAYBOOK_PROOF=required it fails instead.
//
// # How to try a failure again
//
// A failure prints the operations that were in doubt and which of them survived. It also prints a
// command with -proof.replay=FILE, which tries this one state again. The test has written FILE into
// the directory of temporary files ($TMPDIR, or /tmp), as daybook-powercut-*.gob. The file contains
// the journal, the actions and the number of the state. FILE must be an absolute path, as it is
// printed, because go test runs a test in the folder of its package. A replay needs no FUSE disk
// and no root. The seed alone repeats the workload, but not the order in which the engine's
// goroutines ran.
package powercut
