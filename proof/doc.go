// SPDX-License-Identifier: Apache-2.0

// Package proof has the tests that try to break the engine's promises from below: by power cuts,
// failing disks and damaged files. It has no code of its own. Nothing outside of tests imports the
// packages in its folder, so a program that uses the engine does not build their FUSE library.
//
// # The proofs
//
//	powercut    the power is cut after every operation of the disk, and again during the recovery
//	faults      operations of the disk fail: once, until the store is closed, or for a while
//	rot         bits, fields, pages and whole files of a store are damaged
//	consumers   consumers of changes meet kills, power cuts, older backups, copies and deletions
//	mutation    the code is changed in one place at a time, and a test must notice
//
// The documentation of each says what it proves, against which model of a disk, how to run it, and
// how to repeat a failure.
//
// # The tools
//
//	journal     the operations that a disk was asked for, and the content of a disk
//	fusedisk    a disk that records a journal, and fails operations on request
//	crashstate  the states in which a power cut may leave a disk after a journal
//	history     judges the visible values against the actions that were attempted and acknowledged
//	smalldisk   a disk of a few megabytes, which tests fill
//	testenv     the flag -long, and directories in memory
//
// # How to run them
//
//	DAYBOOK_PROOF=required go test ./proof/...
//
// As root on Linux with /dev/fuse, on amd64 or arm64, this runs everything. Elsewhere powercut,
// faults and the tests of fusedisk are skipped and say why; DAYBOOK_PROOF=required makes them fail
// instead. The short form takes less than a minute on two cores. These run longer:
//
//	go test ./proof/... -long -timeout 30m                     # larger samples of everything
//	go test ./proof/powercut -proof.states=100000 -timeout 3h  # many crash states
//	go test ./proof/faults -proof.faults=all -timeout 1h       # every operation of the workloads
//	go test ./proof/rot -proof.rot=full -timeout 6h            # about 380,000 cases
//
// The engine has long tests of its own, which the top of engine/helpers_test.go lists.
//
// All random choices come from a seed that the test prints.
package proof
