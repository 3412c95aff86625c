// SPDX-License-Identifier: Apache-2.0

package codec

import "encoding/binary"

// fieldReader takes one field after another off the front of data. After a field that data does
// not hold, it has failed, and returns zeros. It changes numbers and no pointers, because the write
// of a pointer takes long while the garbage collector works.
type fieldReader struct {
	data   []byte
	at     int // index of the next field
	failed bool
}

// rest returns the fields that have not been taken.
func (r *fieldReader) rest() []byte { return r.data[r.at:] }

// remaining returns the length of the rest.
func (r *fieldReader) remaining() int { return len(r.data) - r.at }

// fail makes the reader fail. Nothing can be taken then.
func (r *fieldReader) fail() { r.failed, r.at = true, len(r.data) }

func (r *fieldReader) uvarint() uint64 {
	if r.at < len(r.data) && r.data[r.at] < 0x80 { // the usual case
		r.at++
		return uint64(r.data[r.at-1])
	}
	v, n := binary.Uvarint(r.rest())
	r.skip(n)
	return v
}

func (r *fieldReader) varint() int64 {
	if r.at < len(r.data) && r.data[r.at] < 0x80 { // the usual case
		v := int64(r.data[r.at])
		r.at++
		return v>>1 ^ -(v & 1)
	}
	v, n := binary.Varint(r.rest())
	r.skip(n)
	return v
}

// skip skips a varint of n bytes. n is not positive if there is no valid one.
func (r *fieldReader) skip(n int) {
	if n <= 0 {
		r.fail()
		return
	}
	r.at += n
}

// bytes takes n bytes. The result is a part of data.
func (r *fieldReader) bytes(n uint64) []byte {
	if n > uint64(r.remaining()) {
		r.fail()
		return nil
	}
	start := r.at
	r.at += int(n)
	return r.data[start:r.at:r.at]
}
