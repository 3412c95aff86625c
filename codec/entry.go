// SPDX-License-Identifier: Apache-2.0

package codec

import "cmp"

// Entry is one value of a record.
type Entry struct {
	Timestamp uint64 // Unix ms
	Sequence  uint64 // place in the order in which all values were stored, from 1
	Value     []byte // JSON
}

// Compare orders entries by timestamp, and entries with equal timestamps by sequence number.
func (e Entry) Compare(other Entry) int {
	return cmp.Or(cmp.Compare(e.Timestamp, other.Timestamp), cmp.Compare(e.Sequence, other.Sequence))
}

// Merge returns the elements of two sorted runs as one sorted run. compare is the order of all
// three.
func Merge[T any](a, b []T, compare func(T, T) int) []T {
	merged := make([]T, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if compare(a[0], b[0]) < 0 {
			merged, a = append(merged, a[0]), a[1:]
		} else {
			merged, b = append(merged, b[0]), b[1:]
		}
	}
	return append(append(merged, a...), b...)
}
