// SPDX-License-Identifier: Apache-2.0

// Package wal is the write-ahead log. A store appends each value to the log first, and after a
// crash the log is replayed. The log holds opaque payloads and gives sequence numbers to the values
// in them. It knows nothing about records.
//
// A [Recovery] is what [Scan] found in the directory of a log. It replays the frames and then opens
// the [Log], which appends. A [Follower] reads the log while another process appends to it.
//
// # What a crash can lose
//
// A frame survives a power cut if Append and then Sync returned nil. It survives the death of the
// process if Append alone returned nil. Recovery always finds a prefix of the frames that were
// appended.
//
// Each frame says how much of its segment was durable when it was written ("durable", below). A
// damaged frame that a later frame calls durable is corruption: Scan returns an error with the file
// and the offset, and changes nothing. So is a damaged frame in a segment that is not the last.
// Only the other damaged frames count as the torn tail of a crash, and are dropped with all that
// follows.
//
// So a damaged disk can remove values without an error only where no later frame calls them
// durable: the frames of the last segment after the last sync that a readable frame tells of. If
// every commit is synced, that is the last commit. If nothing is synced, that is the whole last
// segment.
//
// # Identity
//
// The header of a segment in use names its store and its epoch. It also names the epoch before that
// one, with the last sequence number that both share, so that recovery finds epochs that the tree
// does not know yet. A segment of another store, or of another copy of the store, is an error: Scan
// does not replay it, even if its sequence numbers fit.
//
// A log whose directory has any segment was not closed, and may have lost values that a reader has
// seen. The values after that belong to a new epoch. At least one of the files stays until the tree
// knows that epoch; see Log.ReleaseEvidence.
//
// A log from which files were removed looks shorter, or closed. So the log tells a [Session] which
// segment it begins, and the next Scan expects that segment and the values before it: see
// [Expected]. A segment is only released when the session durably names a later one, or none.
//
// # A full disk
//
// When the disk has no room for another segment, the log goes on in its last one, once the values
// of that are in the tree. The session then names no segment, and the last one is released and
// recycled as any other. Until the new header is written, no segment is in use. But the file has
// one of the names below at each moment, so the log does not look closed. All steps overwrite bytes
// in their place, or rename the file.
//
// # Files
//
// A file with the name of a segment always has a complete header. So a header that cannot be read
// is damage, and a file that is shorter than its header says is damage. The header is overwritten
// in place. The log relies on the disk to write the first 512 bytes of a file as a whole, as disks
// and their file systems do: after a power cut the old header or the new one is there. Frames do
// not rely on that: they may be torn at any byte.
//
// A segment is made in steps, so a crash on the way leaves one of these files. A prepared header is
// one without a first sequence number; see Format.
//
//	NNN.new.log                        unfinished; Open removes it
//	NNN.log, prepared header           not in use yet
//	NNN.log, header of another number  released, not in use yet; its values are in the tree. Only
//	                                   earlier versions of this package leave it.
//	NNN.log, header, no frame          in use; the same as if it were the last segment
//
// # Format
//
// A log is a directory of segments. The name of a segment is its number, as 20 decimal digits, and
// ".log". All integers are little-endian, and all checksums are CRC-32C.
//
// A segment is made under a temporary name, its number and ".new.log". It begins as a file that
// reads as zeros or as a released segment, and gets a prepared header. When the header is durable,
// the file gets its name. So a frame gets blocks that the file already has. The header with the
// first sequence number is written just before the first frame.
//
// A small Append to blocks that have never been written also writes zeros after its frames, so that
// syncing the next ones writes no metadata. A large one does not, because the zeros would be more
// than the metadata.
//
//	segment   0  magic            8 bytes, "DAYBKLOG"
//	          8  version          uint32, 3; version 2 has no identity: its frames begin at 44, and
//	                              have no sections in their batches; version 1 is the same, without
//	                              compressed batches
//	         12  (zero)           uint32
//	         16  number           uint64, the same as in the name
//	         24  first sequence   uint64, sequence number of the first value, from 1;
//	                              0: a prepared header, the segment has no values
//	         32  size             uint64, of the file; a shorter file has been cut off
//	         40  checksum         uint32, of bytes 0..39
//	         44  store            16 bytes; zeros in a prepared header, as the next three
//	         60  epoch            16 bytes
//	         76  parent           16 bytes, the epoch before this one; zeros: it is the first one
//	         92  shared           uint64, the last sequence number that both epochs share
//	        100  checksum         uint32, of bytes 0..99
//	        104  frames
//
//	frame     0  length           uint32, of the payload; 0: the segment ends here (a seal)
//	          4  values           uint32, number of values in the payload
//	          8  durable          uint32, offset up to which the segment was known to be durable
//	                              when this frame was written
//	         12  header checksum  uint32, of segment number and frame offset (uint64 each),
//	                              and bytes 0..11
//	         16  checksum         uint32, of segment number (uint64), length and payload
//	         20  payload
//
// Both checksums of a frame cover the segment number. So the old frames in a recycled segment are
// never taken for frames of the new one. The frame header has a checksum of its own, so the search
// for frames after a damaged one reads only a few bytes at each offset. A length that is garbage
// never makes a reader verify megabytes.
package wal
