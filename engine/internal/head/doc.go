// SPDX-License-Identifier: Apache-2.0

// Package head keeps the values in memory that are in the log but not in the tree yet. The values
// of a record are sorted by timestamp, then by sequence number. Adding a value takes constant time
// when values come in order.
//
// A Head has one writer and any number of readers. The owner of the Head has a lock: the writer
// takes it exclusively to add values, and a reader takes it shared to capture views. A View needs
// no lock, because it never changes: the writer only appends after the values that a View covers. A
// frozen Head has no writer, so it needs no lock at all.
package head
