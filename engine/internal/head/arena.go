// SPDX-License-Identifier: Apache-2.0

package head

import "encoding/binary"

// arena keeps the bytes of values in large blocks. Blocks are never moved and bytes in them are
// never overwritten, so a reader with a copy of the list of blocks needs no lock.
type arena struct {
	blocks    [][]byte // of 1<<shift bytes; a larger block has one value
	shift     uint
	last      int   // index of the block that is being filled
	used      int   // number of bytes used in that block
	allocated int64 // total size of the blocks, in bytes
}

// add stores the length of data and a copy of data. It returns their offset, counted as if all
// blocks had 1<<shift bytes. A larger block has no room for a second value, so no value begins
// after that many bytes of its block.
func (a *arena) add(data []byte) (offset uint32) {
	if need := binary.MaxVarintLen32 + len(data); len(a.blocks) == 0 || a.used+need > len(a.blocks[a.last]) {
		a.grow(max(1<<a.shift, need))
	}
	free := a.blocks[a.last][a.used:]
	lengthLen := binary.PutUvarint(free, uint64(len(data)))
	offset = uint32(a.last<<a.shift + a.used)
	a.used += lengthLen + copy(free[lengthLen:], data)
	return offset
}

// grow adds a block of size bytes.
func (a *arena) grow(size int) {
	a.last, a.used = len(a.blocks), 0
	a.blocks = append(a.blocks, make([]byte, size))
	a.allocated += int64(size)
}

// view returns the list of blocks that exist now.
func (a *arena) view() blocks { return blocks{a.blocks[:len(a.blocks):len(a.blocks)], a.shift} }

// blocks is the list of an arena's blocks at one moment.
type blocks struct {
	list  [][]byte
	shift uint
}

// at returns the value that add stored at offset.
func (b blocks) at(offset uint32) []byte {
	data := b.list[offset>>b.shift][offset&(1<<b.shift-1):]
	length, lengthLen := binary.Uvarint(data)
	end := lengthLen + int(length)
	return data[lengthLen:end:end]
}

// prefetch reads the first byte of each value into the processor's caches. The values lie far apart
// in memory, and a loop that decodes one after another waits for the memory of each. The reads here
// do not depend on one another, so the processor does not wait. If prefetch were inlined, the
// compiler would remove the reads.
//
//go:noinline
func (b blocks) prefetch(items []item) (sum byte) {
	for _, it := range items {
		sum += b.list[it.value>>b.shift][it.value&(1<<b.shift-1)]
	}
	return sum
}
