// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/daybook-db/daybook/codec"
)

// sum returns the checksum of a page whose elements lie within it, and sets the page's end; or it
// returns the problem with the elements.
//
// The checksum covers the header, the elements, the keys, and the values of up to ValuePrefix bytes
// or their first ones.
func (p *page) sum() (sum uint32, problem string) {
	covered := coveredPool.Get().(*coveredParts)
	defer coveredPool.Put(covered)
	covered.sum, covered.length = 0, 0
	p.end = uint64(headerLen + p.count*elementLen)
	start := uint64(0) // of what the checksum covers next
	for i := range p.count {
		position, key, value := p.extent(i)
		end := position + key + value
		if position != p.end || end > uint64(len(p.data)) {
			return 0, p.extentProblem(i)
		}
		p.end = end
		if value > ValuePrefix {
			covered.add(p.data[start : position+key+ValuePrefix])
			start = end
		}
	}
	covered.add(p.data[start:p.end])
	return covered.total(), ""
}

// extentProblem returns the problem with the place of an element. The end of the page is that of
// the element before.
func (p *page) extentProblem(i int) (problem string) {
	if position, _, _ := p.extent(i); position != p.end {
		return fmt.Sprintf("element %d begins at %d; want %d, where the previous one ends", i, position, p.end)
	}
	return fmt.Sprintf("element %d ends outside the page", i)
}

// coveredParts computes the checksum of parts of a page. It puts short parts together first,
// because their checksums one by one take several times as long.
type coveredParts struct {
	sum    uint32 // of the parts that are not in short any more
	length int    // of short
	short  [2048]byte
}

// maxShort is the length in bytes of the longest part that is copied.
const maxShort = 128

var coveredPool = sync.Pool{New: func() any { return new(coveredParts) }}

func (c *coveredParts) add(part []byte) {
	if len(part) > maxShort || len(part) > len(c.short)-c.length {
		c.sum, c.length = c.total(), 0
	}
	if len(part) > maxShort {
		c.sum = crc32.Update(c.sum, codec.Castagnoli, part)
		return
	}
	c.length += copy(c.short[c.length:], part)
}

// total returns the checksum of all parts.
func (c *coveredParts) total() uint32 {
	return crc32.Update(c.sum, codec.Castagnoli, c.short[:c.length])
}
