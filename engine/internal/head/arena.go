// SPDX-License-Identifier: Apache-2.0

package head

import "encoding/binary"

// arena keeps bytes in large blocks that are never moved or overwritten, so that a reader that has
// copied the list of blocks reads what was there without a lock.
type arena struct {
	blocks    [][]byte // of 1<<shift bytes; a larger one takes up the places of several, the later ones nil
	shift     uint
	last      int // the block that is being filled
	used      int // bytes of it that are taken
	allocated int64
}

// add keeps a copy of data, behind its length, and returns where: an offset into the blocks as if they stood behind
// one another.
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
	for covered := 1 << a.shift; covered < size; covered += 1 << a.shift {
		a.blocks = append(a.blocks, nil)
	}
	a.allocated += int64(size)
}

// view returns the blocks as they are now.
func (a *arena) view() blocks { return blocks{a.blocks[:len(a.blocks):len(a.blocks)], a.shift} }

type blocks struct {
	list  [][]byte
	shift uint
}

func (b blocks) at(offset uint32) []byte {
	data := b.list[offset>>b.shift][offset&(1<<b.shift-1):]
	length, lengthLen := binary.Uvarint(data)
	end := lengthLen + int(length)
	return data[lengthLen:end:end]
}

// fetch reads a little of each value. They lie far apart, and the processor would wait for the memory of each in turn;
// here it need not wait for one to ask for the next. It is not inlined, or nothing would be read.
//
//go:noinline
func (b blocks) fetch(items []item) (sum byte) {
	for _, it := range items {
		sum += b.list[it.value>>b.shift][it.value&(1<<b.shift-1)]
	}
	return sum
}
