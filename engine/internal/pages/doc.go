// SPDX-License-Identifier: Apache-2.0

// Package pages reads the pages of a bbolt file, each held against its checksum. bbolt's pages have none of
// their own: a bit that flips in one can hide values, or lead to a page that was replaced long ago, and a
// read through bbolt would not notice.
//
// # What a checksum covers
//
// A page's structure, and the beginning of every value, where the value's own checksums stand:
//
//	the header                   id, flags, count, overflow
//	the elements                 where keys and values are, how long they are, which page a branch leads to
//	the keys
//	the first [ValuePrefix] bytes of each value
//
// The rest of a value is covered by the checksum in it (package codec), so all of a tree is
// covered, and what is covered twice is little. bbolt writes a changed page under another number, and its
// parents with it, so a checksum that belongs to a number and matches says that the page is not only
// whole, but also the one that was committed.
//
// # The table
//
// A [Table] holds the checksums of all pages of some buckets, as one transaction committed them. It is
// immutable; [Table.Advance] makes the next one and looks only at pages that were not in use before. On
// disk it is kept in blocks of [BlockLen] bytes, one for each 256 pages that has any in use:
//
//	uint32 (little-endian) each   0: not in use; 1: the pages behind it belong to the one before it;
//	                              else the checksum: CRC-32C, or 2 and 3 where that is 0 and 1
//
// [Summary] is what ties the blocks together: their checksum and the buckets' root pages. Whoever keeps the
// blocks keeps the summary with a checksum of its own.
//
// Everything here takes arbitrary bytes for pages, and says ErrCorrupt, with the page and its offset, for
// those that make no sense. It reads mapped memory: a file that was cut off faults, which is the caller's to
// recover from.
package pages

import (
	"errors"
	"fmt"
)

// ErrCorrupt is what a Fault matches.
var ErrCorrupt = errors.New("pages: corrupt")

// Fault is a page that is not what was committed.
type Fault struct {
	Bucket string // whose page it is; empty: the file's own
	Page   uint64
	Offset int64  // in the file, in bytes
	From   []byte // the page's least key, as its parent has it; nil for a root
	What   string
}

func (f *Fault) Error() string {
	return fmt.Sprintf("page %d at offset %d: %s", f.Page, f.Offset, f.What)
}

// Is reports that the fault matches ErrCorrupt.
func (f *Fault) Is(target error) bool { return target == ErrCorrupt }
