// SPDX-License-Identifier: Apache-2.0

// Package proof holds tests of the engine against what lies below it: power cuts and a failing disk. It has
// no code of its own, and is the only part of this module that uses a FUSE library, so that a program that
// imports the engine does not build one.
//
// # The parts
//
//	journal     what a disk was asked to do, in order, and what a disk holds
//	fusedisk    a file system that keeps such a journal, and fails operations when told to (Linux, root)
//	crashstate  from a journal to the states in which a power cut may leave the disk
//	history     what was asked of a daybook and acknowledged, and whether what it shows agrees with that
//
// The tests of this package run the engine on a fusedisk, cut the power at every operation of its journal,
// and hold what the engine makes of the rest against what it acknowledged:
//
//	acknowledged ⊆ visible ⊆ attempted, batches whole, order kept
//
// Where a fusedisk cannot be mounted these tests are skipped and say why. With the environment variable
// DAYBOOK_PROOF=required they fail instead.
package proof
