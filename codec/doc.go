// SPDX-License-Identifier: Apache-2.0

// Package codec holds the bytes of Daybook's formats: the composite keys, chunks and catalogue entries of the tree,
// and the batches that frames of the log carry. It does no I/O and knows no other package of Daybook.
//
// # Keys
//
// A chunk of a record's values is kept under
//
//	+---------------+------+---------------------+------------------------+
//	| record name   | 0x00 | first timestamp     | ordinal (only if not 0)|
//	| 1..1024 bytes |      | uint64, big-endian  | uint32, big-endian     |
//	+---------------+------+---------------------+------------------------+
//
// so that the bytewise order of keys is the order of (record, timestamp, ordinal): a name holds no
// NUL, which therefore sorts before whatever a longer name has in its place, and an absent ordinal
// sorts before a present one.
//
// # Chunks
//
// A chunk holds values of one record in the order of (timestamp, sequence). The header has a checksum of
// its own, so that chunks can be counted, skipped and deleted without being decoded; it covers the key,
// since a chunk under a wrong key is as bad as a wrong chunk.
//
//	offset 0  version          1 byte, 2; 1 is the same without templates
//	       1  encoding         1 byte, 0: plain, 1: zstd, 2: templates
//	       2  header checksum  4 bytes, little-endian: CRC-32C of the key, of bytes 0..1 and of bytes 6
//	                           up to the body
//	       6  body checksum    4 bytes, little-endian: CRC-32C of the body
//	      10  count            uvarint, number of values, at least 1
//	          span             uvarint, last timestamp minus first; the first is in the key
//	          sequence         uvarint, the least sequence number
//	          range            uvarint, the greatest sequence number minus the least
//	          value bytes      uvarint, total length of the values
//	          columns          uvarint, total length of the three columns before the values; 0 with templates
//	          body
//
// A plain body is the four columns below; zstd is the same as one zstd frame:
//
//	timestamps    count uvarints, each minus the one before (the first: minus the key's)
//	sequences     count zig-zag varints, each minus the one before (the first: minus the least)
//	lengths       count uvarints
//	values        the values' bytes, one after another
//
// # Templates
//
// What a device sends is mostly one text over and over, with other numbers in it. Such values are kept as the
// text, once, and a column of integers for each place in it that has a number:
//
//	timestamps    integers, each minus the key's
//	sequences     integers, each minus the least
//	templates     uvarint, 1 to 16
//	which         integers: the template of each value; absent if there is but one
//	per template:
//	  numbers     uvarint
//	  pieces      the text before, between and behind them: a uvarint length and the bytes of each
//	  per number:
//	    style     3 bytes: least digits before the point, most behind it, least behind it
//	    values    integers: the number times 10^(most behind the point)
//
// A number is written with zeros in front up to the least digits, and without the zeros at its end down to the
// least behind the point. Values in which a number is written otherwise, or that have more texts than templates,
// are encoded as zstd or plain; so are those that templates do not make smaller.
//
// Integers are modulo 2^64, and as many as the context says:
//
//	width         1 byte: bits of each, 0 to 56 or 64; plus 128 if they are the differences of neighbours
//	base          zig-zag varint: the least; of differences, the first integer
//	least         zig-zag varint: of differences, the least
//	packed        of each (but of differences the first), width bits, what it is above the base or the least;
//	              low bits first, zeros at the end
//
// Each value of a chunk encoded like this can be written on its own, which is what makes the newest few of many
// records cheap.
//
// # Catalogue entries
//
// The catalogue of records holds, under each record's name:
//
//	byte      version, 1
//	4 bytes   checksum, little-endian: CRC-32C of the name, of the version and of the fields below
//	uvarint   count, the number of values, at least 1
//	uvarint   bytes, the total length of their JSON
//	uvarint   oldest timestamp, Unix ms
//	uvarint   newest timestamp, Unix ms
//	uvarint   sequence number of the newest value
//	uvarint   0, or 1 plus the length of the newest value, and the value
//
// A newest value of up to 256 bytes is in the entry itself, so that the newest values of many records are read
// without touching their chunks.
//
// # Batches
//
// A batch is what one Store or StoreBatch appends to the log:
//
//	uvarint   count, at least 1
//	per value:
//	uvarint   length of the record name, and the name
//	varint    timestamp minus the one before, modulo 2^64, zig-zag (the first: minus 0)
//	uvarint   length of the value, and the value
//
// A long one is compressed where that makes it shorter, but not to less than a 256th:
//
//	0         1 byte
//	block     the batch as an S2 block
//
// Decoding takes arbitrary bytes: whatever is not the encoding of something gives an error that
// matches ErrCorrupt (or ErrVersion), without a panic, and without allocating more than the input's
// size justifies; by templates that is up to 65536 values of 1 MiB in all.
package codec

import "errors"

var (
	// ErrCorrupt is returned when bytes are not the encoding of anything.
	ErrCorrupt = errors.New("codec: corrupt")
	// ErrVersion is returned when bytes are of a newer format.
	ErrVersion = errors.New("codec: newer format")
)
