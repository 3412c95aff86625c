// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"bytes"
	"encoding/binary"
	"math"
	"sync/atomic"
)

// Each key-value peer keeps a value under
//
//	+---------------+------+--------------------+--------------------+
//	| record name   | 0x00 | timestamp          | sequence           |
//	| 1..1024 bytes |      | uint64, big-endian | uint64, big-endian |
//	+---------------+------+--------------------+--------------------+
//
// so that the bytewise order of keys is that of (record, timestamp, sequence): a name holds no NUL, which
// therefore sorts before whatever a longer name has in its place. The sequence keeps apart the values of equal
// record and time, in the order of insertion. Under newestFirst both numbers are stored inverted.
const (
	separator = 0x00
	tailLen   = 16 // the two numbers
)

// layout is the order of one record's keys.
type layout int

const (
	oldestFirst layout = iota
	// newestFirst makes the newest values of a record, and with them the record itself, one seek and a
	// walk forward, which LSM trees do faster than a walk back. A B+tree on disk would have to make room in
	// front of what its pages hold.
	newestFirst
)

// stored is how a timestamp or a sequence number is kept.
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

// timestamp is the time in a key.
func (l layout) timestamp(key []byte) uint64 {
	return l.stored(binary.BigEndian.Uint64(key[len(key)-tailLen:]))
}

// bounds returns the least key, and the key behind the greatest, that a record can have from one timestamp to
// another, both inclusive.
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

// keyLen is the length of a record's keys.
func keyLen(record string) int { return len(record) + 1 + tailLen }

// appendRecord appends what all keys of a record start with.
func appendRecord(dst []byte, record string) []byte {
	return append(append(dst, record...), separator)
}

// appendRecordEnd appends a key behind all of a record's, and before those of any record behind it.
func appendRecordEnd(dst []byte, record string) []byte {
	return append(append(dst, record...), separator+1)
}

// hasRecord reports whether key is a key of the record whose keys start with start.
func hasRecord(key, start []byte) bool {
	return len(key) == len(start)+tailLen && bytes.HasPrefix(key, start)
}

// recordOf returns the record's name in a key.
func recordOf(key []byte) []byte { return key[:len(key)-tailLen-1] }

// openingsKey is where a peer counts how often it has been opened. It sorts before every value's key, which
// are sought from firstKey on.
var (
	openingsKey = []byte("\x00openings")
	firstKey    = []byte{separator + 1}
)

// sequencer numbers values in the order of insertion: the upper bits are how often the store has been opened,
// so that the order holds from one opening to the next for the price of one write each.
type sequencer struct{ next atomic.Uint64 }

const sequenceBits = 40

// start begins the numbers of an opening; stored is what the openings before it have left, or nothing. It
// returns what has to be stored, durably, before a number is used.
func (s *sequencer) start(stored []byte) []byte {
	openings := uint64(1)
	if len(stored) == 8 {
		openings += binary.BigEndian.Uint64(stored)
	}
	s.next.Store(openings << sequenceBits)
	return binary.BigEndian.AppendUint64(nil, openings)
}

// take returns the first of count numbers.
func (s *sequencer) take(count int) uint64 { return s.next.Add(uint64(count)) - uint64(count) }
