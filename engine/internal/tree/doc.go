// SPDX-License-Identifier: Apache-2.0

// Package tree keeps the values that were posted from the heads: chunks and the catalogue of
// records, in one bbolt file.
//
// # The file
//
//	bucket "values"  composite key -> chunk               (package codec)
//	bucket "records" record name   -> catalogue entry     (package codec)
//	bucket "pages"   block number  -> block of checksums  (package pages)
//	bucket "meta"    "format"      -> 5 (uint64), CRC-32C of it (uint32); every later format has
//	                                  this key too. Format 4 has no "keys", and format 3 no identity
//	                 "keys"        -> number of the other keys of "meta", CRC-32C of them, each
//	                                  after its length as uint32 (uint64 each), CRC-32C of those
//	                                  (uint32)
//	                 "identity"    -> the store and its epochs (package identity)
//	                 "place"       -> file, when it was made, file system, machine (uint64 each),
//	                                  CRC-32C of those (uint32): where the file was when "identity"
//	                                  was written
//	                 "state"       -> generation, watermark, last log segment, records, values,
//	                                  bytes of JSON (uint64 each), CRC-32C of those (uint32)
//	                 "part"        -> record name, watermark (uint64), CRC-32C of both (uint32);
//	                                  only while a post that takes several transactions goes on
//	                 "note" 0 name -> CRC-32C of the key and the note (uint32), note; package engine
//	                                  keeps holds and positions so
//	                 "notes"       -> number of notes, sum of their checksums (uint64 each), CRC-32C
//	                                  of those (uint32); absent if there are no notes
//	                 "pages"       -> generation, root page and inline checksum of "values" and of
//	                                  "records", sum of the blocks (uint64 each), CRC-32C of those
//	                                  (uint32): what belongs to the bucket "pages" as a whole
//
// Integers are big-endian. The generation counts the commits that changed values. bbolt keeps a
// small bucket inline, within its parent's page, with a checksum here and no root page. The sum of
// the blocks is that of their checksums, so that a missing block is noticed. No checksum of a page
// covers "meta", but each of its values has one, and "keys" says whether a key is missing or has
// become another one.
//
// The watermark is the sequence number up to which all values are in the tree. It moves in the
// transaction that posts the values, so that after a crash the tree has both or neither. A post
// that would take much memory takes several transactions, in the order of record names. Each but
// the last leaves the watermark as it is, and writes "part": the records up to this name have their
// values up to this watermark.
//
// Notes are written in the transaction that makes them true: a position with the watermark of the
// values that it stands for, and what a hold has lost with the deletion of it.
//
// An identity is written with the next commit that changes values, so that a new epoch costs no
// sync of its own. A file that is found at another place than "place" is a copy. A file of format 3
// gets an identity before anything else is written beside it. From then on every commit writes the
// present format.
//
// # Damage
//
// The checksum of each page of "values" and "records" is verified whenever the page is read, and
// before bbolt reads the page in order to change it. A commit cannot contain the checksums of the
// pages that it writes, because bbolt numbers pages only when it commits. So a commit that changes
// anything raises the generation, and a second commit, the seal, saves the checksums. If the
// program crashes between them, the file has the checksums of the previous generation, and Open
// continues from those.
//
// The seal costs two syncs. Post seals at once. After Prune, whose result is durable without it,
// the caller seals a little later. The seal has a second use. bbolt has two meta pages, and
// silently uses the older one when the newer one is damaged: without the seal the values of the
// last commit would be missing then. After a seal both meta pages lead to the same values.
//
// # Chunks
//
// The chunks of a record do not overlap. In the order of their keys, the values of each chunk
// follow those of the previous chunk in the order of (timestamp, sequence number). Two neighbours
// may share a timestamp: the last of one chunk and the first of the next.
//
// A post joins new values with the chunk before them if that is tiny and need not be decoded for
// it, or is shorter than twice the new values. So a record with few values has one chunk, and each
// value of a long history is written again only O(log n) times. When the chunks of many records
// grow a little, the leaves that overflow are split into equal parts, which have room for the next
// posts. So are leaves of the catalogue when the names of new records lie between the others.
//
// # Concurrency
//
// Readers use a Snapshot, which does not change when values are posted or pruned. Only one
// goroutine at a time may write. The caller must see to that.
package tree
