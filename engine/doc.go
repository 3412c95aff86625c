// SPDX-License-Identifier: Apache-2.0

// Package engine is the embedded engine: the history of named JSON records in one directory.
//
// A value goes first to the write-ahead log, where one write and one fdatasync make it durable together
// with everyone else's who is waiting, and into the head, the values in memory that are not in the tree
// yet. When the head is full a checkpoint posts it, in the background, into compressed chunks in a
// B+tree (bbolt), and the log's segments are used again. A query merges the head with the tree, from one
// consistent snapshot.
//
// # What a crash can and cannot lose
//
//	Durability  Store returns when                       a process crash loses  a power cut loses
//	Always      its frame is on stable storage           nothing acknowledged   nothing acknowledged
//	Interval    written to the OS; synced every second   nothing acknowledged   at most the last interval
//	OS          written to the OS                        nothing acknowledged   what the OS had not written back
//
// In every mode what survives is a prefix of what was stored: whole batches, in order, none after a lost
// one. A Store that had not returned yet, or that failed because the disk did, may or may not be there after
// a crash.
//
// After a failed fdatasync nothing is known about what reached the disk, so the log takes no more
// writes: Store returns daybook.ErrFailed until the directory is opened again, reads go on. When the disk is full Store
// returns daybook.ErrNoSpace, and works again once there is room; a small reserve makes sure that
// Cleanup and Prune can make that room. Options.MaxSize bounds the directory before the disk is full. A directory that is
// damaged does not open, unless Options.OnCorruption says to set the damage aside.
//
// # Limits
//
// One process has a directory open for writing; another gets daybook.ErrLocked. A batch takes at most
// [MaxBatchBytes]. Pages freed by Cleanup are used again; the file shrinks when it is compacted, by Compact or by
// itself once most of a large one is free, but not on Windows. While a
// Scan is open, pages freed since it began cannot be reused, so the file grows if it is left open for
// long; and on Windows, and on 32-bit systems once the file exceeds 256 MiB, an open Scan can hold up
// a checkpoint, so do not store from within its loop there. Close waits for what runs, so it must not be
// called from within a Scan's loop either.
//
// # The directory
//
//	daybook.db      the tree: a bbolt file, which is also what is locked
//	daybook.new.db  the same while it is being compacted
//	wal/            the log's segments; empty after Close
//	reserve         space set aside for Cleanup on a full disk
//
//	daybook.corrupt-1.db, wal.corrupt-1     what was set aside by Quarantine
//	daybook.restored.db                     what Restore was cut off at
//
// Files have mode 0600, directories 0700.
package engine
