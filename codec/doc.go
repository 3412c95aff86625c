// SPDX-License-Identifier: Apache-2.0

// Package codec encodes and decodes the bytes of Daybook's formats: the keys, chunks and catalogue
// entries of the tree, and the batches in the frames of the log. It does no I/O and imports no
// other package of Daybook.
//
// All checksums are CRC-32C. A uvarint is an unsigned varint of encoding/binary; a zig-zag varint
// is a signed one.
//
// # Keys
//
// The tree holds a chunk of a record's values under
//
//	+---------------+------+---------------------+-------------------------+
//	| record name   | 0x00 | first timestamp     | ordinal (only if not 0) |
//	| 1..1024 bytes |      | uint64, big-endian  | uint32, big-endian      |
//	+---------------+------+---------------------+-------------------------+
//
// The bytewise order of keys is the order of (record, timestamp, ordinal). A name contains no NUL,
// so the separator sorts before any byte that a longer name has in its place. An absent ordinal
// sorts before a present one.
//
// # Chunks
//
// A chunk holds values of one record in the order of (timestamp, sequence number). The header has
// its own checksum, so that chunks can be counted, skipped and deleted without being decoded. That
// checksum covers the key too, because a chunk under a wrong key is as bad as a wrong chunk.
//
//	offset 0  version          1 byte: 3; version 2 is the same with places of decimals alone and
//	                           without members, and version 1 without templates
//	       1  encoding         1 byte: 0 plain, 1 zstd, 2 templates, 3 members
//	       2  header checksum  4 bytes, little-endian: of the key, of bytes 0 and 1, and of the
//	                           bytes from offset 6 up to the body
//	       6  body checksum    4 bytes, little-endian: of the body
//	      10  count            uvarint: number of values, at least 1
//	          span             uvarint: last timestamp minus the first, which is in the key
//	          sequence         uvarint: lowest sequence number
//	          range            uvarint: highest sequence number minus the lowest
//	          value bytes      uvarint: total length of the values
//	          columns          uvarint: total length of the three columns before the values; 0
//	                           with templates or members
//	          body
//
// A plain body consists of four columns; a zstd body is the same as one zstd frame:
//
//	timestamps    count uvarints, each minus the one before; the first minus the key's
//	sequences     count zig-zag varints, each minus the one before; the first minus the lowest
//	lengths       count uvarints
//	values        the bytes of the values, one after another
//
// # Templates
//
// A device mostly sends the same text again and again, with other numbers in it. A body of
// templates stores that text once, and for each place where it has a number, a column of integers:
//
//	timestamps     integers, each minus the key's
//	sequences      integers, each minus the lowest
//	templates      uvarint: number of templates, 1 to 16
//	which          integers: the template of each value; absent if there is only one template
//	for each template:
//	  places       uvarint: number of places
//	  pieces       the text before, between and after the places: for each piece, a uvarint
//	               length and the bytes
//	  for each place:
//	    kind       1 byte: 1 to 18 is a place of decimals, and their min digits; 0x80 is a place
//	               of floats
//	    ...        as the kind says, for each value that has this template
//
// A place of decimals:
//
//	min digits     1 byte, which is the kind
//	max decimals   1 byte
//	min decimals   1 byte
//	numbers        integers: each number times 10^(max decimals)
//
// A number is written with at least min digits before the point, filled up with leading zeros, and
// with max decimals after it, of which trailing zeros are left out until min decimals remain.
//
// Most programs write a float64 as the shortest decimal that is read back as it. A place of floats
// keeps the float in place of its digits:
//
//	kind           1 byte: 0x80
//	form           1 byte: how the decimal is written
//	unit           1 byte: which integer stands for a float
//	scale          1 byte
//	numbers        integers
//	corrections    integers; only with units 2 and 3
//
// A number is written in full if the exponent of its first digit is in a range, and otherwise with
// an exponent. The forms are those of these programs:
//
//	0  JavaScript, Go   -6 to 20   5                       1e-7      1e+21
//	1  Python           -4 to 15   5.0                     1e-05     1e+16
//	2  Rust             -5 to 15   5.0                     1e-6      1e16
//	3  C++ (nlohmann)   -4 to 14   5.0                     1e-05     1e+15
//	4  Java             -3 to 6    5.0                     1.0E-4    1.0E7
//	5  C#               -4 to 14   5                       1E-05     1E+15
//
// The unit is:
//
//	0  bits             the integer is the float's 63 bits without the sign, shifted to the right
//	                    by scale bits, and negative for a negative float
//	1  binary           the float is the integer times 2^-scale; scale is up to 200
//	2  decimal          the float is the integer divided by 10^scale in float64s, and then moved by
//	                    the correction: to the next float64 for 1, to the one before for -1, and so
//	                    on; scale is up to 22
//	3  32-bit decimal   the same, but the quotient is rounded to a float32, and then moved by
//	                    neighbours among the float32s
//
// An integer of unit 1, 2 or 3 is converted to a float64 first. A place with an infinity, or with
// what is not a number, is not valid.
//
// Values that need more than 16 templates are encoded in another way, and those that need several
// may be. A chunk is encoded as zstd or plain if one of its numbers is written in another way, or
// if that is shorter.
//
// Integers are modulo 2^64. The context says how many there are. They are packed integers, or what
// the first byte says:
//
//	57, divisor    uvarint, at least 2, and then the integers divided by it: packed, 58 or 59
//	58, runs       uvarint: number of runs of equal integers, at least 2
//	    integers   packed integers: the integer of each run
//	    lengths    packed integers: the length of each run except the last, which is the rest
//	59, packed     packed integers, of which some are patched
//	    patches    uvarint: number of patches; what follows is absent if it is 0
//	    indexes    packed integers: the index of each patch among the integers in width bits
//	    patches    packed integers: each is added to the integer, or difference, with its index
//
// Runs are for what repeats, such as the states of a switch; patches for a few integers far from
// the others, such as a gap in time; and a divisor for times in whole seconds and numbers in steps,
// such as 0.0625. Packed integers:
//
//	width          1 byte: bits of each packed integer, 0 to 56 or 64; plus 128 for differences
//	base           zig-zag varint: the lowest integer that is not patched, or a lower one; for
//	               differences, the first integer
//	min difference zig-zag varint: the same of the differences; only for differences
//	packed         width bits for each integer: the integer minus the base. For differences, width
//	               bits for each integer except the first: the integer minus the one before, minus
//	               the min difference. The first starts at the lowest bit; the last byte is filled
//	               with zeros.
//
// Chunks of version 1 and 2 have packed integers only.
//
// Each value in a body of templates or of members can be written out on its own. That makes it
// cheap to read the newest few values of many records.
//
// # Members
//
// Where texts change too, or some values lack a member, the numbers alone make too many templates.
// A body of members has a place for each scalar: for each number, string, true, false and null that
// is not the name of a member. The scalars at one path, such as {"user":{"name": or the second
// element of an array, have one column, whatever the template. Only a path with equal texts in all
// values has none: they belong to the pieces.
//
//	timestamps     integers, each minus the key's
//	sequences      integers, each minus the lowest
//	pieces         uvarint: number of different pieces; for each, a uvarint length and the bytes
//	columns        uvarint: number of columns, up to 1024
//	templates      uvarint: number of templates, 1 to 128
//	which          integers: the template of each value; absent if there is only one template
//	for each template:
//	  places       uvarint: number of places
//	  for each place:
//	    piece      uvarint: index of the piece before the place
//	    column     uvarint: index of the column
//	  piece        uvarint: index of the piece after the last place
//	for each column:
//	  kind         1 byte, as of a place of a template; or 0x81 to 0x84 for texts
//	  ...          as the kind says, for each scalar, in the order of the values, and of the places
//	               in a value
//
// A column of kind 0x81 has forms. A form is a text, or a text around numbers, such as A-17:
//
//	forms          uvarint: number of forms, 1 to 256
//	for each form:
//	  places       uvarint: number of places
//	  pieces       the text before, between and after the places: for each piece, a uvarint
//	               length and the bytes
//	which          integers: the form of each text; absent if there is only one form
//	for each place of each form:
//	  kind         1 byte, as of a place of a template
//	  ...          as the kind says, for each text that has this form
//
// Texts that have little in common follow one another. A column of kind 0x82 or 0x83:
//
//	lengths        integers: the length of each text
//	total          uvarint: the length of all texts
//	frame length   uvarint; only with kind 0x83
//	texts          the bytes of the texts; with kind 0x83, as one zstd frame
//
// Identifiers such as 6f1ea9c0-17b2 have the same bytes at some positions and digits at the rest.
// A column of kind 0x84:
//
//	lengths        integers: the length of each text
//	total          uvarint: the length of all texts
//	pattern length uvarint: the length of each text, 1 to 256; or 1 if the pattern is an alphabet,
//	               and the texts may have other lengths, up to 256
//	pattern        for each position of a text, or for all positions if the length is 1: the byte
//	               that all texts have there; or 1 for a digit of 0-9a-f, 2 for one of 0-9A-F, 3
//	               for one of A-Za-z0-9-_
//	packed length  uvarint
//	packed         the number of each digit, in 4 bits, or in 6 for A-Za-z0-9-_. The first starts
//	               at the lowest bit; the last byte is filled with zeros.
//
// # Catalogue entries
//
// The catalogue holds a summary of each record under the record's name:
//
//	version        1 byte: 1
//	checksum       4 bytes, little-endian: of the name, of the version and of the fields below
//	count          uvarint: number of values, at least 1
//	bytes          uvarint: total length of their JSON
//	oldest         uvarint: timestamp, Unix ms
//	newest         uvarint: timestamp, Unix ms
//	sequence       uvarint: sequence number of the newest value
//	newest value   uvarint: 0 if it is absent; otherwise 1 plus its length, and then the value
//
// A newest value of up to 256 bytes is in the entry itself, so that the newest values of many
// records are read without touching their chunks.
//
// # Batches
//
// A batch holds the values of one Store or StoreBatch, for one frame of the log:
//
//	count          uvarint: number of values, at least 1
//	for each value:
//	  record       uvarint length of the name, and the name
//	  timestamp    zig-zag varint: minus the one before, modulo 2^64; the first minus 0
//	  value        uvarint length, and the value
//
// A long batch is compressed if that makes it shorter, but not by more than a factor of 256:
//
//	0              1 byte, which no count starts with
//	block          the batch as one S2 block
//
// A section of bytes that belong to the batch may stand before either form. Package engine keeps
// the position of a stream there, so that it is durable together with the values:
//
//	0, 0           2 bytes, which no batch and no compressed batch starts with
//	section        uvarint length, at least 1, and the bytes
//	batch          the batch, compressed or not
//
// # Decoding
//
// Every function that decodes accepts arbitrary bytes. If they are not the encoding of anything, it
// returns an error that matches ErrCorrupt or ErrVersion. It does not panic, and it allocates no
// more memory than the length of the input justifies; with templates or members, that is up to
// 65536 values of 1 MiB in all.
package codec
