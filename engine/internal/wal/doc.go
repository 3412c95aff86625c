// SPDX-License-Identifier: Apache-2.0

// Package wal is the write-ahead log: the first place a value reaches, and what is replayed after a
// crash. It carries opaque payloads and numbers the values in them; it knows nothing of records.
//
// # What a crash can and cannot lose
//
// A frame for which Append and then Sync have returned nil survives a power cut; one for which Append
// alone has survives a process crash. What recovery finds is always a prefix of what was appended. A bad
// frame is the torn tail of a crash only where it can be one: in the last segment, at or after the
// offset up to which the later frames knew the segment to be durable. Anywhere else it is corruption,
// and Scan says so with the file and the offset, having changed nothing.
//
// So the values that rotten bits can lose in silence are those that nothing vouches for: the frames of the
// last segment that were appended since the sync before the last frame that can still be read. That is the
// last group of a commit, where each is synced; all of the last segment, where none is.
//
// A file with a segment's name has a whole header at any time, so a header that cannot be read is damage,
// and so is a file that is shorter than its header says. For that the header is overwritten in place, and
// the disk is relied on to write the first 512 bytes as a whole, as disks and their file systems do:
// after a power cut the old header stands there, or the new one. Of a frame, which may be torn anywhere,
// nothing of the kind is asked. A crash while a segment is made or given another number leaves
//
//	NNN.new.log                        unfinished; Open removes it
//	NNN.log, header prepared           not in use yet
//	NNN.log, header of another number  released, its values in the tree; not in use yet
//	NNN.log, header used, no frame     as if it were the last one
//
// # Format
//
// A directory of segments named by their number, 20 decimal digits and ".log". All integers are
// little-endian, all checksums CRC-32C. A segment is made under another name, ".new.log" behind the number,
// of a prepared header and zeros, and renamed when these are durable; or it is a released one given a new
// number, name and prepared header. So an append overwrites blocks that the file has already. The header
// with the first sequence is written just before the first frame.
//
//	segment   0  magic            8 bytes, "DAYBKLOG"
//	          8  version          uint32, 2; 1 is the same, but for what a payload may be
//	         12  (zero)           uint32
//	         16  number           uint64, as in the name
//	         24  first sequence   uint64, number of the first value in the segment, from 1;
//	                              0: prepared, without any
//	         32  size             uint64, of the file; a shorter one has been cut off
//	         40  checksum         uint32, of bytes 0..39
//	         44  frames
//
//	frame     0  length           uint32, of the payload; 0: the segment ends here (a seal)
//	          4  values           uint32, how many the payload holds
//	          8  durable          uint32, offset up to which the segment was known to be durable
//	                              when this frame was written
//	         12  header checksum  uint32, of segment number, frame offset (uint64 each) and bytes 0..11
//	         16  checksum         uint32, of segment number (uint64), length and payload
//	         20  payload
//
// The segment's number is in both checksums, so that what a reused segment still holds from its earlier
// life is never taken for a frame. The header has a checksum of its own, so that looking for frames
// behind a bad one costs a few bytes per offset; a length that is garbage never makes a reader check
// megabytes.
package wal
