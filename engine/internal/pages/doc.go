// SPDX-License-Identifier: Apache-2.0

// Package pages reads the pages of a bbolt file and verifies their checksums. bbolt's pages have no
// checksums of their own: a flipped bit can hide values, or lead to a page that was replaced long
// ago, and a read through bbolt would not notice.
//
// # What a checksum covers
//
// The checksum of a page covers its structure, and the first bytes of every value, which contain
// the value's own checksums:
//
//	the header                   id, flags, count, overflow
//	the elements                 positions and lengths of keys and values; child pages of a branch
//	the keys
//	the first [ValuePrefix] bytes of each value
//
// The checksum inside a value (package codec) covers the rest of the value. Together they cover the
// whole tree, and few bytes are covered twice. bbolt writes a changed page, and all its parents,
// under new page numbers. So a checksum that matches says two things: the page is undamaged, and it
// is the page that was committed under this number.
//
// # The table
//
// A [Table] holds the checksums of all pages of some buckets after one commit. It is immutable.
// [Table.Advance] makes the table of the next commit, and reads only the pages that were not in use
// before. On disk a table is kept in blocks of [BlockLen] bytes. There is one block for every 256
// pages of which at least one is in use:
//
//	uint32 (little-endian) per page   0: not in use; 1: an overflow page of the page before it;
//	                                  otherwise the checksum: CRC-32C, with 0 stored as 2 and
//	                                  1 stored as 3
//
// A [Summary] ties the blocks together: it holds a checksum of all blocks and the root pages of the
// buckets. The caller stores the blocks, and the summary with a checksum of its own.
//
// All functions accept arbitrary bytes as pages. For pages that make no sense they return an error
// that matches ErrCorrupt and names the page and its offset. They read mapped memory: if the file
// has been cut off, reading it faults, and the caller must recover from that.
//
// # Without the mapping
//
// bbolt's own lock keeps a process from mapping a file to which another one writes. [Copies] reads
// the pages of one commit of such a file into memory of its own, without a lock. Its checksums tell
// a page that was overwritten since.
package pages

import (
	"errors"
	"fmt"
)

// ErrCorrupt is matched by every DamagedPage.
var ErrCorrupt = errors.New("pages: corrupt")

// DamagedPage is the error of a page that differs from the one that was committed.
type DamagedPage struct {
	Bucket   string // the bucket that the page belongs to; empty if it belongs to the file as a whole
	Page     uint64
	Offset   int64  // in the file, in bytes
	FirstKey []byte // the page's smallest key, as its parent has it; nil for a root
	Problem  string
}

func (d *DamagedPage) Error() string {
	return fmt.Sprintf("page %d at offset %d: %s", d.Page, d.Offset, d.Problem)
}

// Is reports that the damage matches ErrCorrupt.
func (d *DamagedPage) Is(target error) bool { return target == ErrCorrupt }
