// SPDX-License-Identifier: Apache-2.0

// Package rot proves that the engine never takes damaged files for good ones. It has only tests.
//
// # What is proven
//
// In each case of TestRot, one place of a store's files is damaged: a bit is flipped, a field,
// sector, page or file is filled with zeros, a page number leads to another page, or a file is cut
// off. The store is closed, killed or open at that time. Whatever is asked afterwards:
//
//   - Every answer is right, or the error is ErrCorrupt. A call never returns a wrong value,
//     panics, hangs or ends the process, and it does not allocate memory without bound.
//   - Check finds the damage, and names the file, the offset, and the record and key if there are
//     some.
//   - Damage to a place that is not in use is no reason to complain.
//   - The files stay unchanged when Open refuses the store, and when it is opened read-only.
//   - Deleting and storing makes nothing worse: a record that could be read before can be read
//     afterwards.
//   - Damage to the last frames of a log may look like the torn end of a crash. Then all values
//     before it must be there.
//
// TestOpenLog damages the log of a store that is open. The store must lose no value.
//
// # The model of the damage
//
// The tests read the formats of the tree and the log with code of their own. So they know for each
// place whether Open or Check must find damage there, may find it, or must not notice it. The files
// are those of five victims: deep and tiny have trees, and young, partly posted and recycled have
// logs of killed processes. The disk returns the damaged bytes without an error; package faults has
// disks that return errors.
//
// # How to run it
//
//	go test ./proof/rot -v                  # one case of each kind of place and damage
//	go test ./proof/rot -v -long            # four, or two where each takes long
//	go test ./proof/rot -v -proof.rot=full  # all cases, with a sample of long places
//
// It runs on every platform. -proof.rot.seed=N makes other victims and takes other samples.
//
// # How to repeat a failure
//
// A failure prints the name of a case, for example
//
//	deep/branch of records: count, bit/page 51 header bit 1, offset 208906
//
// and a command into which to paste it as -proof.rot.case='NAME'. The command contains the
// directory of the victims, which stays after a failure. A part of a name runs all cases that
// contain it, and -proof.rot.all reports each of them.
package rot
