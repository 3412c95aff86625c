// SPDX-License-Identifier: Apache-2.0

// Package proof has no code. Its folders test the engine against a disk that fails. They are the
// only part of this module that uses a FUSE library, so a program that imports the engine does not
// build one.
//
// # The proofs
//
//	powercut    the power is cut after any operation of the disk; random workloads are its input
//	faults      operations of the disk fail: once, for a while, or for good
//	rot         bytes of the files are flipped, cleared, cut off, or replaced by older ones
//
// Other proofs stand beside the engine: TestKill kills processes, and TestFullDisk fills a disk.
//
// # What they share
//
//	journal     the operations that a disk was asked to do, in order, and the content of a disk
//	fusedisk    a FUSE disk that keeps such a journal, and fails operations on request
//	crashstate  from a journal to the states in which a power cut may leave the disk
//	history     judges what a daybook shows after a crash: acknowledged ⊆ visible ⊆ attempted
//	smalldisk   a tmpfs of a few megabytes, which tests fill
//	testenv     the flag -long, and directories in memory
//
// # How to run them
//
// powercut and faults mount a FUSE disk. They need Linux on amd64 or arm64, root and /dev/fuse, and
// are skipped with the reason elsewhere. With the environment variable DAYBOOK_PROOF=required they
// fail instead. The comment of each package says which flags make a run longer, and how to repeat a
// failure.
package proof
