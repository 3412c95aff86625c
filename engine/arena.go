// SPDX-License-Identifier: Apache-2.0

package engine

import "strings"

// Sizes in bytes of the blocks from which results get their memory. A block is twice as large as
// the one before, so that a large result takes few allocations, and a small one little memory.
const (
	minArenaBlock = 512
	maxArenaBlock = 64 << 10
	// minOwnAllocation is the size from which the values of a chunk get an allocation of their own.
	minOwnAllocation = 4 << 10
)

// valueArena copies values into memory that it allocates in blocks.
type valueArena struct {
	block []byte
	size  int // of the last block
}

func (a *valueArena) copy(value []byte) []byte {
	if len(value) > cap(a.block)-len(a.block) {
		a.size = min(max(2*a.size, minArenaBlock), maxArenaBlock)
		a.block = make([]byte, 0, max(a.size, len(value)))
	}
	start := len(a.block)
	a.block = append(a.block, value...)
	return a.block[start:len(a.block):len(a.block)]
}

// nameArena copies names into strings that it allocates in blocks.
type nameArena struct {
	block strings.Builder
	size  int // of the last block
}

func (a *nameArena) copy(name []byte) string {
	if len(name) > a.block.Cap()-a.block.Len() {
		a.size = min(max(2*a.size, minArenaBlock), maxArenaBlock)
		a.block = strings.Builder{}
		a.block.Grow(max(a.size, len(name)))
	}
	start := a.block.Len()
	a.block.Write(name)
	return a.block.String()[start:]
}
