// SPDX-License-Identifier: Apache-2.0

// Package index finds record names: it compiles patterns to a literal prefix and a matcher, and keeps
// the catalogue of names in a bbolt bucket, where the prefix is a seek and the matcher filters what
// follows it.
//
// # The catalogue's format
//
// The key is the record's name, the value
//
//	byte      version, 1
//	4 bytes   checksum, little-endian: CRC-32C of the name, of the version and of what follows
//	uvarint   count, the number of values, at least 1
//	uvarint   bytes, the total length of their JSON
//	uvarint   oldest timestamp, Unix ms
//	uvarint   newest timestamp, Unix ms
//	uvarint   sequence number of the newest value
//	uvarint   0, or 1 plus the length of the newest value, and the value
//
// The newest value itself is there when it is short, so that the latest values of many records are read
// without touching their chunks.
package index

import "errors"

var (
	// ErrPattern is returned when a pattern is malformed.
	ErrPattern = errors.New("index: malformed pattern")
	// ErrCorrupt is returned when bytes are not a catalogue entry.
	ErrCorrupt = errors.New("index: corrupt catalogue entry")
	// ErrVersion is returned when a catalogue entry is of a newer format.
	ErrVersion = errors.New("index: newer format")
)
