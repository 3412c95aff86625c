// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// bbolt's format (go.etcd.io/bbolt/internal/common): a page is a header, its elements, and then the
// keys and values at the positions that the elements name. Integers are in the machine's byte
// order.
//
//	header    0  id        uint64
//	          8  flags     uint16, 1: branch, 2: leaf, 4: meta, 16: freelist
//	         10  count     uint16, number of elements
//	         12  overflow  uint32, number of further pages that belong to the page
//
//	branch    0  position  uint32, of the key, counted from the element
//	          4  key       uint32, length of the key
//	          8  page      uint64
//
//	leaf      0  flags     uint32, 1: the value is a bucket
//	          4  position  uint32, of the key, counted from the element; the value follows the key
//	          8  key       uint32, length of the key
//	         12  value     uint32, length of the value
//
//	bucket    0  root      uint64, root page; 0: the page follows here, inline
//	          8  sequence  uint64
//
//	meta      0  magic, version, page size, flags  uint32 each
//	         16  root      bucket
//	         32  freelist  uint64, its page
//	         40  pages     uint64, the first page number that was never used
//	         48  tx        uint64
//	         56  checksum  uint64, FNV-1a of the bytes before the checksum
const (
	headerLen       = 16
	elementLen      = 16
	bucketHeaderLen = 16
	metaLen         = 64

	branchFlag   = 1
	leafFlag     = 2
	metaFlag     = 4
	freelistFlag = 16

	bucketElement = 1

	// longList is the count of a freelist whose real length is in its first element.
	longList = 0xffff
)

// maxDepth is more than the depth of any valid tree of pages: each branch has at least two
// children.
const maxDepth = 64

const tooDeep = "it lies too deep"

// ValuePrefix is the number of bytes of a value that the checksum of its page covers.
const ValuePrefix = 10

var order = binary.NativeEndian

// page is a branch or a leaf. Its keys and values follow one another without gaps, as bbolt writes
// them, and lie within the page.
type page struct {
	id    uint64
	data  []byte // includes the overflow pages
	leaf  bool
	count int
	end   uint64 // the position after the last value
}

// parse returns the page in data and its checksum, or the problem with it.
func parse(data []byte, id uint64) (p page, sum uint32, problem string) {
	if len(data) < headerLen {
		return page{}, 0, "it has no header"
	}
	p = page{id: id, data: data, leaf: order.Uint16(data[8:]) == leafFlag, count: int(order.Uint16(data[10:]))}
	elements := headerLen + p.count*elementLen
	switch flags := order.Uint16(data[8:]); {
	case order.Uint64(data) != id:
		return page{}, 0, fmt.Sprintf("its header has the number of page %d", order.Uint64(data))
	case flags != leafFlag && flags != branchFlag:
		return page{}, 0, fmt.Sprintf("its flags %#x are neither a branch's nor a leaf's", flags)
	case elements > len(data):
		return page{}, 0, fmt.Sprintf("it has no room for %d elements", p.count)
	case p.count == 0 && !p.leaf:
		return page{}, 0, "it is a branch without elements"
	}
	sum, problem = p.sum()
	if problem != "" {
		return page{}, 0, problem
	}
	return p, sum, ""
}

// extent returns the position of an element's key in the page, and the lengths of the key and the
// value. Their sum cannot overflow.
func (p *page) extent(i int) (position, key, value uint64) {
	start := headerLen + i*elementLen
	data := p.data[start : start+elementLen]
	if !p.leaf {
		return uint64(start) + uint64(order.Uint32(data)), uint64(order.Uint32(data[4:])), 0
	}
	position = uint64(start) + uint64(order.Uint32(data[4:]))
	return position, uint64(order.Uint32(data[8:])), uint64(order.Uint32(data[12:]))
}

func (p *page) key(i int) []byte {
	position, key, _ := p.extent(i)
	return p.data[position : position+key : position+key]
}

func (p *page) value(i int) []byte {
	position, key, value := p.extent(i)
	return p.data[position+key : position+key+value : position+key+value]
}

// child returns the page that a branch's element leads to.
func (p *page) child(i int) uint64 {
	return order.Uint64(p.data[headerLen+i*elementLen+8:])
}

// flags returns the flags of a leaf's element.
func (p *page) flags(i int) uint32 { return order.Uint32(p.data[headerLen+i*elementLen:]) }

// isBucket reports whether a leaf's element is a bucket.
func (p *page) isBucket(i int) bool { return p.flags(i)&bucketElement != 0 }

// checkFlags returns the problem with a leaf that marks an element as something other than a value.
// bbolt would believe the mark.
func (p *page) checkFlags() (problem string) {
	for i := 0; p.leaf && i < p.count; i++ {
		if flags := p.flags(i); flags != 0 {
			return fmt.Sprintf("element %d has flags %#x; want a plain value", i, flags)
		}
	}
	return ""
}

// checkOrder returns the problem with a page whose keys do not ascend, or that does not begin with
// the key that its parent has for it; nil: it has no parent. A search would not find its keys, and
// bbolt would put the page into its parent a second time.
func (p *page) checkOrder(firstKey []byte) (problem string) {
	if firstKey != nil && (p.count == 0 || !bytes.Equal(p.key(0), firstKey)) {
		return fmt.Sprintf("its first key is not %q, as its parent says", firstKey)
	}
	for i := 1; i < p.count; i++ {
		if bytes.Compare(p.key(i-1), p.key(i)) >= 0 {
			return fmt.Sprintf("its key %q is followed by %q", p.key(i-1), p.key(i))
		}
	}
	return ""
}

// firstKey returns the page's smallest key: as its parent has it, or the first key of a page
// without parent.
func (p *page) firstKey(inParent []byte) []byte {
	if inParent == nil && p.count > 0 {
		return p.key(0)
	}
	return inParent
}
