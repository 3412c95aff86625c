// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"hash/fnv"

	"github.com/daybook-db/daybook/codec"
)

// bbolt's format (go.etcd.io/bbolt/internal/common): a page is a header and elements, and behind them keys
// and values, where the elements say. Integers are in the machine's byte order.
//
//	header    0  id        uint64
//	          8  flags     uint16, 1: branch, 2: leaf, 4: meta, 16: freelist
//	         10  count     uint16, number of elements
//	         12  overflow  uint32, number of further pages that belong to it
//
//	branch    0  position  uint32, of the key, from the element on
//	          4  key       uint32, its length
//	          8  page      uint64
//
//	leaf      0  flags     uint32, 1: the value is a bucket
//	          4  position  uint32, of the key, from the element on; the value follows it
//	          8  key       uint32, its length
//	         12  value     uint32, its length
//
//	bucket    0  root      uint64, its page; 0: the page follows here, inline
//	          8  sequence  uint64
//
//	meta      0  magic, version, page size, flags  uint32 each
//	         16  root      bucket
//	         32  freelist  uint64, its page
//	         40  pages     uint64, the first number that was never used
//	         48  tx        uint64
//	         56  checksum  uint64, FNV-1a of the bytes before it
const (
	headerLen       = 16
	elementLen      = 16
	bucketHeaderLen = 16
	metaLen         = 64

	branchFlag   = 1
	leafFlag     = 2
	freelistFlag = 16

	bucketElement = 1

	// longList is the count of a freelist whose length stands in its first element.
	longList = 0xffff
)

// MetaLen is how long a meta page is, with its header.
const MetaLen = headerLen + metaLen

// ValuePrefix is how many bytes of a value its page's checksum covers.
const ValuePrefix = 10

var order = binary.NativeEndian

// page is a branch or leaf whose keys and values follow one another, as bbolt writes them, and lie within it.
type page struct {
	id    uint64
	data  []byte // with the pages that belong to it
	leaf  bool
	count int
	end   uint64 // where the last value ends
}

// parse returns the page in data and its checksum.
func parse(data []byte, id uint64) (p page, sum uint32, what string) {
	if len(data) < headerLen {
		return page{}, 0, "it has no header"
	}
	p = page{id: id, data: data, leaf: order.Uint16(data[8:]) == leafFlag, count: int(order.Uint16(data[10:]))}
	elements := headerLen + p.count*elementLen
	switch flags := order.Uint16(data[8:]); {
	case order.Uint64(data) != id:
		return page{}, 0, fmt.Sprintf("it says that it is page %d", order.Uint64(data))
	case flags != leafFlag && flags != branchFlag:
		return page{}, 0, fmt.Sprintf("its flags %#x are no branch's or leaf's", flags)
	case elements > len(data):
		return page{}, 0, fmt.Sprintf("it has no room for %d elements", p.count)
	case p.count == 0 && !p.leaf:
		return page{}, 0, "a branch without elements"
	}
	sum = crc32.Update(0, codec.Castagnoli, data[:elements])
	p.end = uint64(elements)
	for i := range p.count {
		from, key, value := p.extent(i)
		switch {
		case from != p.end:
			return page{}, 0, fmt.Sprintf("element %d begins at %d; want %d, where the one before it ends", i, from, p.end)
		case from+key+value > uint64(len(data)):
			return page{}, 0, fmt.Sprintf("element %d reaches beyond it", i)
		}
		p.end = from + key + value
		sum = crc32.Update(sum, codec.Castagnoli, data[from:from+key+min(value, ValuePrefix)])
	}
	return p, sum, ""
}

// extent is where an element's key begins, and how long the key and the value are. The sum of them cannot
// overflow.
func (p *page) extent(i int) (from, key, value uint64) {
	at := headerLen + i*elementLen
	element := p.data[at : at+elementLen]
	if p.leaf {
		return uint64(at) + uint64(order.Uint32(element[4:])), uint64(order.Uint32(element[8:])), uint64(order.Uint32(element[12:]))
	}
	return uint64(at) + uint64(order.Uint32(element)), uint64(order.Uint32(element[4:])), 0
}

func (p *page) key(i int) []byte {
	from, key, _ := p.extent(i)
	return p.data[from : from+key : from+key]
}

func (p *page) value(i int) []byte {
	from, key, value := p.extent(i)
	return p.data[from+key : from+key+value : from+key+value]
}

// child is the page that a branch's element leads to.
func (p *page) child(i int) uint64 {
	return order.Uint64(p.data[headerLen+i*elementLen+8:])
}

// flags are those of a leaf's element.
func (p *page) flags(i int) uint32 { return order.Uint32(p.data[headerLen+i*elementLen:]) }

// isBucket reports whether a leaf's element is a bucket.
func (p *page) isBucket(i int) bool { return p.flags(i)&bucketElement != 0 }

// flagged says which element of a leaf is marked as something other than a value; bbolt would take it for that.
func (p *page) flagged() (what string) {
	for i := 0; p.leaf && i < p.count; i++ {
		if flags := p.flags(i); flags != 0 {
			return fmt.Sprintf("element %d has flags %#x; want a plain value", i, flags)
		}
	}
	return ""
}

// Meta is what one of the file's two meta pages says.
type Meta struct {
	Tx       uint64
	Freelist uint64 // its page
}

// What bbolt begins a file with.
const (
	metaFlag    = 4
	magic       = 0xED0CDAED
	version     = 2
	newFreelist = 2 // the pages of a new file: two metas, and these
	newRoot     = 3
	newPages    = 4
)

// NewFile returns what bbolt writes when it creates a file: two meta pages, an empty freelist and an empty root.
func NewFile(pageSize int) []byte {
	data := make([]byte, newPages*pageSize)
	for id, flags := range []uint16{metaFlag, metaFlag, freelistFlag, leafFlag} {
		page := data[id*pageSize:]
		order.PutUint64(page, uint64(id))
		order.PutUint16(page[8:], flags)
		if flags != metaFlag {
			continue
		}
		meta := page[headerLen : headerLen+metaLen]
		order.PutUint32(meta, magic)
		order.PutUint32(meta[4:], version)
		order.PutUint32(meta[8:], uint32(pageSize))
		order.PutUint64(meta[16:], newRoot)
		order.PutUint64(meta[32:], newFreelist)
		order.PutUint64(meta[40:], newPages)
		order.PutUint64(meta[48:], uint64(id))
		order.PutUint64(meta[56:], metaSum(meta))
	}
	return data
}

// metaSum is the checksum of a meta page.
func metaSum(meta []byte) uint64 {
	sum := fnv.New64a()
	_, _ = sum.Write(meta[:56])
	return sum.Sum64()
}

// readMeta reads meta page 0 or 1, and reports whether its checksum agrees with it.
func readMeta(data []byte) (m Meta, ok bool) {
	if len(data) < headerLen+metaLen {
		return Meta{}, false
	}
	data = data[headerLen : headerLen+metaLen]
	m = Meta{Freelist: order.Uint64(data[32:]), Tx: order.Uint64(data[48:])}
	return m, metaSum(data) == order.Uint64(data[56:])
}
