// SPDX-License-Identifier: Apache-2.0

// Package tree keeps the values that have left the log: chunks and the catalogue of records, in one
// bbolt file.
//
// # The file
//
//	bucket "values"   composite key -> chunk           (package codec)
//	bucket "records"  record name   -> catalogue entry (package index)
//	bucket "meta"     "format"      -> uint32, 1
//	                  "state"       -> watermark, last log segment, records, values, bytes of JSON
//	                                   (uint64 each), CRC-32C of those (uint32)
//
// Integers are big-endian. The watermark is the sequence number up to which values are in the tree; it
// moves in the transaction that posts them, so that a crash finds both or neither.
//
// The chunks of a record never overlap: in the order of their keys, the values of each follow those of
// the one before in the order of (timestamp, sequence). Two neighbours may share the timestamp where
// one ends and the next begins.
//
// A read takes a Snapshot, which stays what it was whatever is posted or pruned meanwhile. There is one
// writer at a time, which the caller sees to.
package tree
