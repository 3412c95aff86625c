// SPDX-License-Identifier: Apache-2.0

// Package tree keeps the values that have left the log: chunks and the catalogue of records, in one
// bbolt file.
//
// # The file
//
//	bucket "values"  composite key -> chunk           (package codec)
//	bucket "records" record name   -> catalogue entry (package codec)
//	bucket "pages"   block number  -> block of checksums  (package pages)
//	bucket "meta"    "format"      -> 3 (uint64), CRC-32C of it (uint32); so in every format to come
//	                 "state"       -> generation, watermark, last log segment, records, values, bytes of
//	                                  JSON (uint64 each), CRC-32C of those (uint32)
//	                 "part"        -> record name, watermark (uint64), CRC-32C of both (uint32); only while
//	                                  values are being posted
//	                 "pages"       -> generation, root page and inline checksum of "values" and of
//	                                  "records", sum of the blocks (uint64 each), CRC-32C of those (uint32)
//
// Integers are big-endian. The watermark is the sequence number up to which values are in the tree; it
// moves in the transaction that posts them, so that a crash finds both or neither. Where that would take much
// memory, they are posted in parts, by record name: each but the last leaves the watermark and says up to which name
// the values up to what will be the watermark are there.
//
// # Damage
//
// Each page of "values" and "records" is held against its checksum whenever it is read, and before bbolt
// reads it in order to change something. The checksums of the pages that a commit writes cannot be a part of
// it, since bbolt numbers pages when it commits. A commit that changes anything therefore raises the
// generation, and another one seals it: it saves the checksums. Until then the saved ones are those of the
// generation before, from which Open goes on after a crash. The seal is worth its two syncs for a second
// reason: bbolt has two meta pages, and falls back silently to the older one when the newer is damaged; after
// a seal both lead to the same values.
//
// The chunks of a record never overlap: in the order of their keys, the values of each follow those of
// the one before in the order of (timestamp, sequence). Two neighbours may share the timestamp where
// one ends and the next begins.
//
// A read takes a Snapshot, which stays what it was whatever is posted or pruned meanwhile. There is one
// writer at a time, which the caller sees to.
package tree
