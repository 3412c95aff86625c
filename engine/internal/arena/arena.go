// SPDX-License-Identifier: Apache-2.0

// Package arena copies values and names into memory that it allocates in blocks, so that a large
// result takes few allocations. The memory belongs to the owner of the copies.
package arena

import "strings"

// Sizes in bytes of the blocks from which results get their memory. A block is twice as large as
// the one before, so that a large result takes few allocations, and a small one little memory.
const (
	MinBlock = 512
	MaxBlock = 64 << 10
	// MinOwn is the size from which the values of a chunk get an allocation of their own.
	MinOwn = 4 << 10
	// MaxOwn is the largest size of such an allocation, unless for one value. Go has memory of up
	// to this size at hand; a larger allocation takes its lock on the heap, and new pages.
	MaxOwn = 32 << 10
)

// Values copies values. The zero Values is ready for use.
type Values struct {
	block []byte
	size  int // of the last block
}

// Copy returns a copy of a value.
func (a *Values) Copy(value []byte) []byte {
	if len(value) > cap(a.block)-len(a.block) {
		a.size = min(max(2*a.size, MinBlock), MaxBlock)
		a.block = make([]byte, 0, max(a.size, len(value)))
	}
	start := len(a.block)
	a.block = append(a.block, value...)
	return a.block[start:len(a.block):len(a.block)]
}

// Names copies names into strings. The zero Names is ready for use.
type Names struct {
	block     strings.Builder
	size      int   // of the last block
	allocated int64 // total size of the blocks
}

// Copy returns a name as a string.
func (a *Names) Copy(name []byte) string {
	a.makeRoom(len(name))
	start := a.block.Len()
	a.block.Write(name)
	return a.block.String()[start:]
}

// CopyString returns a copy of a name.
func (a *Names) CopyString(name string) string {
	a.makeRoom(len(name))
	start := a.block.Len()
	a.block.WriteString(name)
	return a.block.String()[start:]
}

// Allocated returns the total size of the blocks, in bytes.
func (a *Names) Allocated() int64 { return a.allocated }

func (a *Names) makeRoom(n int) {
	if n > a.block.Cap()-a.block.Len() {
		a.size = min(max(2*a.size, MinBlock), MaxBlock)
		a.block = strings.Builder{}
		a.block.Grow(max(a.size, n))
		a.allocated += int64(a.block.Cap())
	}
}
