// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"bytes"
	"encoding/binary"
	"math"
	"sync/atomic"
)

// A key-value peer keeps each value under a key of its own:
//
//	+---------------+------+--------------------+--------------------+
//	| record name   | 0x00 | timestamp          | sequence           |
//	| 1..1024 bytes |      | uint64, big-endian | uint64, big-endian |
//	+---------------+------+--------------------+--------------------+
//
// The bytewise order of keys is the order of record, timestamp and sequence: no name has a NUL, so
// the NUL sorts before any byte that a longer name has in its place. The sequence keeps values of
// equal record and time apart, in the order of insertion. In the layout newestFirst both numbers
// are stored inverted.
const (
	separator = 0x00
	tailLen   = 16 // the two numbers
)

// layout is the order of one record's keys.
type layout int

const (
	oldestFirst layout = iota
	// newestFirst makes a query for the newest values of a record a seek and a walk forward, which
	// LSM trees do faster than a walk back. In a B+tree on disk new values would be inserted before
	// the others of a page, which have to be moved for it.
	newestFirst
)

// stored converts a timestamp or a sequence number to its form in a key, and back.
func (l layout) stored(number uint64) uint64 {
	if l == newestFirst {
		return ^number
	}
	return number
}

func (l layout) appendKey(dst []byte, record string, timestamp, sequence uint64) []byte {
	dst = appendRecord(dst, record)
	dst = binary.BigEndian.AppendUint64(dst, l.stored(timestamp))
	return binary.BigEndian.AppendUint64(dst, l.stored(sequence))
}

// timestamp returns the time in a key.
func (l layout) timestamp(key []byte) uint64 {
	return l.stored(binary.BigEndian.Uint64(key[len(key)-tailLen:]))
}

// bounds returns the range of a record's keys from one timestamp to another, both inclusive. lower
// is at most the least such key, and upper is greater than the greatest.
func (l layout) bounds(record string, from, to uint64) (lower, upper []byte) {
	first, last := l.stored(from), l.stored(to)
	if l == newestFirst {
		first, last = last, first
	}
	lower = binary.BigEndian.AppendUint64(appendRecord(nil, record), first)
	if last == math.MaxUint64 {
		return lower, appendRecordEnd(nil, record)
	}
	return lower, binary.BigEndian.AppendUint64(appendRecord(nil, record), last+1)
}

// keyLen returns the length of a record's keys.
func keyLen(record string) int { return len(record) + 1 + tailLen }

// appendRecord appends the prefix of all keys of a record.
func appendRecord(dst []byte, record string) []byte {
	return append(append(dst, record...), separator)
}

// appendRecordEnd appends a key that is greater than all keys of a record, and less than the keys
// of greater records.
func appendRecordEnd(dst []byte, record string) []byte {
	return append(append(dst, record...), separator+1)
}

// hasRecord reports whether key is a key of the record whose keys have the prefix.
func hasRecord(key, prefix []byte) bool {
	return len(key) == len(prefix)+tailLen && bytes.HasPrefix(key, prefix)
}

// recordOf returns the record's name in a key.
func recordOf(key []byte) []byte { return key[:len(key)-tailLen-1] }

// Under openingsKey a peer counts how often it has been opened. The key is less than firstKey,
// which is at most the least key of a value.
var (
	openingsKey = []byte("\x00openings")
	firstKey    = []byte{separator + 1}
)

// sequencer numbers values in the order of insertion. The upper bits of a number count how often
// the store has been opened, so that the order continues after the next opening. That costs one
// write for each opening.
type sequencer struct{ next atomic.Uint64 }

const sequenceBits = 40

// start begins the numbers of an opening. stored is the value that the opening before it stored, or
// empty. start returns the value that has to be stored, durably, before a number is used.
func (s *sequencer) start(stored []byte) []byte {
	openings := uint64(1)
	if len(stored) == 8 {
		openings += binary.BigEndian.Uint64(stored)
	}
	s.next.Store(openings << sequenceBits)
	return binary.BigEndian.AppendUint64(nil, openings)
}

// take reserves count numbers and returns the first.
func (s *sequencer) take(count int) uint64 { return s.next.Add(uint64(count)) - uint64(count) }
