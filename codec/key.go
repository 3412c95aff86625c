// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

const (
	separator    = 0x00
	timestampLen = 8
	ordinalLen   = 4
)

// Key is where a chunk is kept.
type Key struct {
	Record    string // not empty, without NUL
	Timestamp uint64 // of the chunk's first value, Unix ms
	Ordinal   uint32 // tells apart the chunks of a record that start at the same millisecond
}

// Append appends the key's encoding to dst.
func (k Key) Append(dst []byte) []byte {
	dst = append(dst, k.Record...)
	dst = append(dst, separator)
	dst = binary.BigEndian.AppendUint64(dst, k.Timestamp)
	if k.Ordinal > 0 {
		dst = binary.BigEndian.AppendUint32(dst, k.Ordinal)
	}
	return dst
}

// Compare orders keys by record, timestamp and ordinal, as bytes.Compare orders their encodings.
func (k Key) Compare(other Key) int {
	return cmp.Or(
		strings.Compare(k.Record, other.Record),
		cmp.Compare(k.Timestamp, other.Timestamp),
		cmp.Compare(k.Ordinal, other.Ordinal))
}

// DecodeKey decodes what Key.Append encoded.
func DecodeKey(key []byte) (Key, error) {
	record, timestamp, ordinal, err := SplitKey(key)
	return Key{string(record), timestamp, ordinal}, err
}

// SplitKey is DecodeKey without the allocation: record is a part of key.
func SplitKey(key []byte) (record []byte, timestamp uint64, ordinal uint32, err error) {
	at := bytes.IndexByte(key, separator)
	if at <= 0 {
		return nil, 0, 0, fmt.Errorf("%w: key %x names no record", ErrCorrupt, key)
	}
	record, rest := key[:at], key[at+1:]
	switch len(rest) {
	case timestampLen:
	case timestampLen + ordinalLen:
		if ordinal = binary.BigEndian.Uint32(rest[timestampLen:]); ordinal == 0 {
			return nil, 0, 0, fmt.Errorf("%w: key %x spells out ordinal 0", ErrCorrupt, key)
		}
	default:
		return nil, 0, 0, fmt.Errorf("%w: key %x has %d bytes after the record; want %d or %d",
			ErrCorrupt, key, len(rest), timestampLen, timestampLen+ordinalLen)
	}
	return record, binary.BigEndian.Uint64(rest), ordinal, nil
}

// HasRecord reports whether key is one of record's keys.
func HasRecord(key []byte, record string) bool {
	return len(key) > len(record) && key[len(record)] == separator && string(key[:len(record)]) == record
}

// AppendLowerBound appends the least key of record with a timestamp of at least start.
func AppendLowerBound(dst []byte, record string, start uint64) []byte {
	return Key{Record: record, Timestamp: start}.Append(dst)
}

// AppendUpperBound appends the greatest key of record with a timestamp of at most end.
func AppendUpperBound(dst []byte, record string, end uint64) []byte {
	return Key{Record: record, Timestamp: end, Ordinal: math.MaxUint32}.Append(dst)
}
