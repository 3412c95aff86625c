// SPDX-License-Identifier: Apache-2.0

// Package head keeps in memory the values that are in the log but not in the tree yet: per record,
// sorted by (timestamp, sequence), added in constant time when they come in order.
//
// A Head has one writer and any number of readers. The writer holds a lock that excludes readers while
// it adds; a reader holds a lock that excludes the writer while it captures views. A View stays what it
// was, without any lock: values are only ever appended behind what it covers. Once frozen by its owner,
// a Head needs no lock at all.
package head
