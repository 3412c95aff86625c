// SPDX-License-Identifier: Apache-2.0

package codec

import "encoding/binary"

// fieldReader takes one field after another off the front of data. After a field that data does not
// hold, it has failed, and returns zeros.
type fieldReader struct {
	data   []byte
	failed bool
}

func (r *fieldReader) uvarint() uint64 {
	if len(r.data) > 0 && r.data[0] < 0x80 { // the usual case
		v := uint64(r.data[0])
		r.data = r.data[1:]
		return v
	}
	v, n := binary.Uvarint(r.data)
	r.skip(n)
	return v
}

func (r *fieldReader) varint() int64 {
	if len(r.data) > 0 && r.data[0] < 0x80 { // the usual case
		v := int64(r.data[0])
		r.data = r.data[1:]
		return v>>1 ^ -(v & 1)
	}
	v, n := binary.Varint(r.data)
	r.skip(n)
	return v
}

// skip skips a varint of n bytes. n is not positive if there is no valid one.
func (r *fieldReader) skip(n int) {
	if n <= 0 {
		r.failed, r.data = true, nil
		return
	}
	r.data = r.data[n:]
}

// bytes takes n bytes. The result is a part of data.
func (r *fieldReader) bytes(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.failed, r.data = true, nil
		return nil
	}
	taken := r.data[:n:n]
	r.data = r.data[n:]
	return taken
}
