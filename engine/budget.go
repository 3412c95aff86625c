// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math"

	"github.com/daybook-db/daybook/engine/internal/tree"
)

// Options.MaxSize is divided among the log, the reserve, and the tree, which has the rest.
const (
	logPart     = 4  // the log has one part in four
	segmentPart = 32 // a segment of the log has at most one part in 32

	// DropOldest deletes the first sixteenth of what may be dropped, until the new values fit. It
	// begins when less than one part in 32 of MaxSize would be left, and deletes one sixteenth at
	// least unless twice as much is left.
	dropPart    = 16
	minFreePart = 32
	// minDropPart: it deletes one part in 1024 of MaxSize more, or a quarter of what may be dropped
	// if that is less, because each time it looks at all chunks.
	minDropPart = 1024

	// maxValuePart: one value may have one part in 128. Two or three large values share a leaf of
	// the tree, which is written again as a whole.
	maxValuePart = 128
	// maxBatchPart: a batch may have one part in 16, which is what the log has room for beside the
	// segments that it keeps. Its names and its JSON count, and batchBytesPerValue for each value.
	maxBatchPart       = 16
	batchBytesPerValue = treeBytesPerValue / treeBytesPerNameByte
)

// The space that values need in the tree at most. Pages are half full after a split. A name stands
// in both buckets and in their branch pages.
const (
	treeBytesPerValue     = 256
	treeBytesPerValueByte = 2
	treeBytesPerNameByte  = 4

	// aheadPart: the tree has room for one part in eight of MaxSize beside its values. Until the
	// next transaction, the old pages of the last one are not free yet; and a large chunk needs
	// free pages that lie together, of which there may be none although enough pages are free.
	aheadPart = 8
	// pinnedPart: open snapshots may take up one part in 16 of MaxSize of that room: pages that
	// they still read do not become free.
	pinnedPart = 16
	// emptyTreePart: a tree without values takes less than one part in 64 of MaxSize.
	emptyTreePart = 64
)

// demand describes values that are to be stored, for an estimate of the space that they need.
type demand struct {
	values     int64 // number of values
	valueBytes int64 // of JSON
	nameBytes  int64 // of record names
	logBytes   int64 // of frames that are not in the log yet
}

// inTree returns the bytes of the tree's file that the values need at most.
func (d demand) inTree() int64 {
	return d.values*treeBytesPerValue + d.valueBytes*treeBytesPerValueByte + d.nameBytes*treeBytesPerNameByte
}

// plus returns the demand of both.
func (d demand) plus(other demand) demand {
	return demand{
		values:     d.values + other.values,
		valueBytes: d.valueBytes + other.valueBytes,
		nameBytes:  d.nameBytes + other.nameBytes,
		logBytes:   d.logBytes + other.logBytes,
	}
}

// demandOf returns the demand of a group of commits.
func demandOf(group []*commit) demand {
	var d demand
	for _, c := range group {
		d.values += int64(len(c.values))
		d.logBytes += int64(len(c.payload))
		for i := range c.values {
			d.valueBytes += int64(len(c.values[i].Value))
			d.nameBytes += int64(len(c.values[i].RecordName))
		}
	}
	return d
}

// sizes are the sizes of a directory's files in bytes, as they are on the disk.
type sizes struct {
	file    int64 // of the tree
	free    int64 // of the pages of that file which the next transaction may use
	pinned  int64 // of the pages that will be free when the open snapshots end
	copy    int64 // of a compaction's copy; 0: there is none
	log     int64 // of all files of the log, and of the session's file
	spare   int64 // number of segments that the log has ready or can use again
	reserve int64
}

// budget decides what Options.MaxSize leaves room for. It depends on the options and the sizes
// alone, so it decides the same after a restart as before.
type budget struct {
	maxSize      int64 // 0: no maximum
	transaction  int64 // Tuning.TransactionSize
	fillsMapping bool  // the tree's file does, as on Windows: it cannot have every size
}

func (o *Options) budget() budget {
	return budget{o.MaxSize, o.Tuning.TransactionSize, tree.FillsMapping}
}

// treePart returns the part of MaxSize that the tree's file has beside the reserve, in bytes; 0
// when there is no maximum. The file can have that size.
func (b budget) treePart() int64 {
	if b.maxSize == 0 {
		return 0
	}
	return b.reachable(b.maxSize - b.maxSize/logPart - reserveSize)
}

// reachable returns the greatest size up to limit that the tree's file can have, in bytes.
func (b budget) reachable(limit int64) int64 {
	if b.fillsMapping {
		return tree.LargestMapping(limit)
	}
	return limit
}

// fileSize returns the size of a file of the tree's kind that has at least some bytes.
func (b budget) fileSize(atLeast int64) int64 {
	if b.fillsMapping {
		return tree.MappedSize(atLeast)
	}
	return atLeast
}

// maxTreeFile returns the maximum size of the tree's file in bytes; 0 when there is none. While the
// reserve does not take up its space, the tree may use that too. A file that is larger already,
// because MaxSize was greater before, may use its own length in place of the part.
func (b budget) maxTreeFile(now sizes) int64 {
	switch {
	case b.maxSize == 0:
		return 0
	case b.isTooLarge(now):
		return now.file + reserveSize - now.reserve
	}
	return max(b.treePart()+reserveSize-now.reserve, now.file)
}

// allowsReserve reports whether the reserve may take up its space: the tree has not grown into it.
func (b budget) allowsReserve(now sizes) bool { return b.maxSize == 0 || now.file <= b.treePart() }

// maxBatch returns the maximum size of a batch, in bytes: see maxBatchPart. The tree must have room
// for one, also where its part is small because its file cannot have every size.
func (b budget) maxBatch() int64 {
	room := b.treePart() - b.maxSize/aheadPart - b.maxSize/emptyTreePart
	return min(b.maxSize/maxBatchPart, room*batchBytesPerValue/treeBytesPerValue)
}

// leftInTree returns the number of bytes of the tree's part that remain when values with the given
// demand are posted. It is negative if they do not fit. Deletions make it greater.
func (b budget) leftInTree(now sizes, d demand) int64 {
	if b.maxSize == 0 {
		return math.MaxInt64
	}
	return b.treePart() - b.tree(now, d)
}

// tree returns the part of the tree's file that is in use when values with the given demand are
// posted, in bytes, with the room beside the values.
func (b budget) tree(now sizes, d demand) int64 {
	ahead := b.maxSize/aheadPart - min(now.pinned, b.maxSize/pinnedPart)
	return now.file - now.free + ahead + d.inTree()
}

// leftInDirectory returns the number of bytes below MaxSize that remain when values with the given
// demand are stored. It is negative if they do not fit. The log never takes more than the tree's
// part and the reserve leave: the tree's file may grow to that part at any time, however many of
// its pages are free, where values need pages that lie together.
func (b budget) leftInDirectory(now sizes, d demand) int64 {
	if b.maxSize == 0 {
		return math.MaxInt64
	}
	return min(b.leftForCopy(now, d, 0), b.maxSize-b.log(now, d)-b.treePart()-reserveSize)
}

// leftForCopy is leftInDirectory for a compaction's copy, which may use what the tree does not, and
// has rest bytes yet to copy. A file that is too large for it shrinks only by a compaction.
func (b budget) leftForCopy(now sizes, d demand, rest int64) int64 {
	all := b.log(now, d) + max(b.tree(now, d)+reserveSize, now.file+now.reserve)
	grown := now.copy + rest
	if now.copy > 0 { // the copy takes in the heads' values too, and a transaction's pages twice
		grown += d.inTree() + 2*b.transaction
	}
	if grown > 0 {
		all += b.fileSize(grown)
	}
	return b.maxSize - all
}

// segmentOverhead is more than what a segment takes beside its frames.
const segmentOverhead = 1 << 10

// log returns what the log takes when values with the given demand are stored, in bytes. It may
// begin a segment, and prepare the next one, unless it has them.
func (b budget) log(now sizes, d demand) int64 {
	_, segment := segmentSizes(b.maxSize)
	all := now.log + max(0, 2-now.spare)*segment
	if d.logBytes > 0 {
		all += d.logBytes + segmentOverhead
	}
	return all
}

// left returns the number of bytes that remain in the tree's part and in the directory, whichever
// is less.
func (b budget) left(now sizes, d demand) int64 {
	return min(b.leftInTree(now, d), b.leftInDirectory(now, d))
}

// isTooLarge reports whether the file is larger than all space that the tree may have. Then
// deletions make no room below MaxSize before a compaction.
func (b budget) isTooLarge(now sizes) bool {
	return b.maxSize > 0 && now.file > b.treePart()+reserveSize
}

// roomForNewest returns the maximum size of a file beside the tree's that takes its place with the
// values that were stored last, in bytes; 0 or less if there is no room. A file that is too large
// does not count: it shrinks only so, or by a compaction, which takes space beside it as well.
func (b budget) roomForNewest(now sizes) int64 {
	if b.isTooLarge(now) {
		return b.treePart()
	}
	return b.reachable(min(b.maxSize-now.file-now.log-now.reserve, b.treePart()))
}

// segmentSizes returns the sizes of the log's first segment and of the others, in bytes.
func segmentSizes(maxSize int64) (first, others int64) {
	others = segmentSize
	if maxSize > 0 {
		others = min(others, maxSize/segmentPart)
	}
	return min(firstSegmentSize, others), others
}
