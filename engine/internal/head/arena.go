// SPDX-License-Identifier: Apache-2.0

package head

// arena keeps bytes in large blocks that are never moved or overwritten, so that a reader that has
// copied the list of blocks reads what was there without a lock.
type arena struct {
	blocks    [][]byte // of 1<<shift bytes; a larger one takes up the places of several, the later ones nil
	shift     uint
	last      int // the block that is being filled
	used      int // bytes of it that are taken
	allocated int64
}

// place is where bytes are: an offset into the blocks as if they stood behind one another, and a length.
type place struct {
	offset uint32
	length uint32
}

func (a *arena) add(data []byte) place {
	if len(a.blocks) == 0 || a.used+len(data) > len(a.blocks[a.last]) {
		a.grow(max(1<<a.shift, len(data)))
	}
	copy(a.blocks[a.last][a.used:], data)
	at := place{offset: uint32(a.last<<a.shift + a.used), length: uint32(len(data))}
	a.used += len(data)
	return at
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

func (b blocks) at(p place) []byte {
	within := p.offset & (1<<b.shift - 1)
	end := within + p.length
	return b.list[p.offset>>b.shift][within:end:end]
}
