// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"strings"
)

const (
	separator    = 0x00
	timestampLen = 8
	ordinalLen   = 4
)

// Key is the key of a chunk in the tree.
type Key struct {
	Record    string // not empty, without NUL
	Timestamp uint64 // of the chunk's first value, Unix ms
	Ordinal   uint32 // 0, 1, 2...: distinguishes chunks of a record that start with the same timestamp
}

// Append appends the key's encoding to dst.
func (k Key) Append(dst []byte) []byte { return appendKey(dst, k.Record, k.Timestamp, k.Ordinal) }

func appendKey[R string | []byte](dst []byte, record R, timestamp uint64, ordinal uint32) []byte {
	dst = append(dst, record...)
	dst = append(dst, separator)
	dst = binary.BigEndian.AppendUint64(dst, timestamp)
	if ordinal > 0 {
		dst = binary.BigEndian.AppendUint32(dst, ordinal)
	}
	return dst
}

// Compare orders keys by record, timestamp and ordinal. bytes.Compare orders their encodings
// equally.
func (k Key) Compare(other Key) int {
	return cmp.Or(
		strings.Compare(k.Record, other.Record),
		cmp.Compare(k.Timestamp, other.Timestamp),
		cmp.Compare(k.Ordinal, other.Ordinal))
}

// DecodeKey decodes a key that Key.Append has encoded.
func DecodeKey(key []byte) (Key, error) {
	record, timestamp, ordinal, err := SplitKey(key)
	return Key{string(record), timestamp, ordinal}, err
}

// SplitKey is DecodeKey without an allocation. The record is a part of key.
func SplitKey(key []byte) (record []byte, timestamp uint64, ordinal uint32, err error) {
	at := bytes.IndexByte(key, separator)
	if at <= 0 {
		return nil, 0, 0, corruptf("key %x names no record", key)
	}
	record, rest := key[:at], key[at+1:]
	switch len(rest) {
	case timestampLen:
	case timestampLen + ordinalLen:
		if ordinal = binary.BigEndian.Uint32(rest[timestampLen:]); ordinal == 0 {
			return nil, 0, 0, corruptf("key %x has an explicit ordinal 0", key)
		}
	default:
		return nil, 0, 0, corruptf("key %x has %d bytes after the record; want %d or %d",
			key, len(rest), timestampLen, timestampLen+ordinalLen)
	}
	return record, binary.BigEndian.Uint64(rest), ordinal, nil
}

// HasRecord reports whether an encoded key belongs to a record.
func HasRecord(key []byte, record string) bool {
	return len(key) > len(record) && key[len(record)] == separator && string(key[:len(record)]) == record
}

// AppendLowerBound appends the lowest key of a record with a timestamp of at least start.
func AppendLowerBound(dst []byte, record string, start uint64) []byte {
	return Key{Record: record, Timestamp: start}.Append(dst)
}

// AppendUpperBound appends the highest key of a record with a timestamp of at most end.
func AppendUpperBound(dst []byte, record string, end uint64) []byte {
	return Key{Record: record, Timestamp: end, Ordinal: math.MaxUint32}.Append(dst)
}
