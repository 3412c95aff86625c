// SPDX-License-Identifier: Apache-2.0

// Package engine is the embedded engine. It keeps the history of named JSON records in one
// directory.
//
// Store appends a value to the write-ahead log. One write and one fdatasync make it durable,
// together with the values of all writers that wait at that moment. Then it adds the value to the
// head, which holds in memory the values that are not in the tree yet. When the head is full, a
// checkpoint in the background posts its values to the tree, a bbolt file, as compressed chunks,
// and the log's segments are used again. A query merges the head and the tree, from one consistent
// snapshot.
//
// To read the source, begin with db.go (Open and Close), store.go and commit.go (how a value gets
// into the log), heads.go and checkpoint.go (how it gets into the tree), turn.go (who may write to
// the tree), and snapshot.go and query.go (how it is found again).
//
// # What a crash can and cannot lose
//
//	Options.Durability  Store returns when its  a process crash loses  a power cut loses
//	                    frame is
//	DurabilityAlways    on stable storage       nothing acknowledged   nothing acknowledged
//	DurabilityInterval  written; synced each s  nothing acknowledged   last interval and sync
//	DurabilityOS        written to the OS       nothing acknowledged   what the OS had not written
//
// In every mode the remaining values are a prefix of what was stored: whole batches, in order, with
// no gap. A value whose Store had not returned yet, or had failed because the disk did, may or may
// not be there after a crash.
//
// After a failed fdatasync nobody knows what has reached the disk. The log takes no more writes
// then: Store returns daybook.ErrFailed until the directory is opened again, and reads go on. When
// the disk is full, Store returns daybook.ErrNoSpace, and works again once there is room. A small
// reserve makes sure that Cleanup and Prune can make room. Options.MaxSize bounds the directory
// before the disk is full. A damaged directory does not open, unless Options.OnCorruption says to
// set the damage aside.
//
// # Identity
//
// A directory has an identity, and a value has a [daybook.Cursor]: an epoch and a sequence number.
// Open begins a new epoch where numbers could be given a second time: after a crash, and in a copy
// of the directory. So do Restore, the quarantine of a log, and a failed write that was undone. A
// log that belongs to another store, or to another copy, is daybook.ErrCorrupt; identity.go has
// more.
//
// # Limits
//
// One process at a time has a directory open for writing; others get daybook.ErrLocked. Readers
// give way to it, or read beside it with Options.BesideWriter. A batch takes at most
// [MaxBatchBytes]. The tree uses again the pages that Cleanup frees. Its file shrinks when it is
// compacted, by Compact, or by itself once most of a large file is free.
//
// While a Scan is open, pages that were freed after it began cannot be used again, so the file
// grows if a Scan stays open for long. With WhenFullDropOldest a Scan that lasts longer than a
// second ends with daybook.ErrSnapshotEnded if new values need these pages. On Windows, and on
// 32-bit systems once the file exceeds 256 MiB, an open Scan can hold up a checkpoint. Stores go on
// meanwhile, until a head has four times its size. Then they fail with [daybook.ErrNoSpace], and
// work again when the Scan has ended. Close waits for running calls, and ends the loops over Scan,
// Records and Changes.
//
// # The directory
//
//	daybook.db           the tree; its lock is the directory's lock
//	wal/                 the log's segments; empty after Close
//	reserve              space for Cleanup on a full disk
//	session              whether the directory was closed, and how far the log had come
//	daybook.new.db       a copy of the tree, during a compaction
//	daybook.salvaged.db  the undamaged part of a damaged tree, before it becomes the tree; on
//	                     Windows also a complete copy, for a moment
//	daybook.old-1.db     on Windows: a tree that was replaced and that queries still read
//	daybook.restored.db  the tree that Restore was writing when it was interrupted
//	daybook.sync         an empty file that is made and removed to make the directory durable
//	daybook.corrupt-1.db, wal.corrupt-1    what OnCorruptionQuarantine has set aside
//
// Files have mode 0600, directories 0700. The file daybook.db and the directory wal may be symbolic
// links to another disk. The copies of the tree and the reserve are beside the real file then, and
// have its name: history.new.db beside history.db. The link stays.
//
// Open looks the path up once. Everything is done in the directory that it found, also when the
// working directory changes, or when the directory is renamed or replaced. The engine compares the
// path with that directory before each checkpoint and each new segment of the log, and otherwise at
// most once a second. If the path leads elsewhere, or daybook.db is another file, writes return
// [daybook.ErrFailed]. The next Open of the path would not find what they write. No daybook that
// took its place is touched. On Windows a directory that is open cannot be renamed or deleted.
package engine
