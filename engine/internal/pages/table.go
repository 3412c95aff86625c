// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"

	"github.com/daybook-db/daybook/codec"
)

const (
	pagesPerBlock = 256
	// BlockLen is the length of an encoded block, in bytes.
	BlockLen = 4 * pagesPerBlock

	notInUse = 0
	overflow = 1 // a further page of the page before it
	minSum   = 2
)

type block [pagesPerBlock]uint32

// Root is where a bucket begins: a page, or 0 and the checksum of its inline page.
type Root struct {
	Page uint64
	Sum  uint32
}

// Table holds the checksums of all pages of some buckets. It is immutable.
type Table struct {
	roots  map[string]Root
	blocks []*block // nil: none of the block's pages is in use
	sum    uint64   // of the blocks; their order does not matter
}

// NewTable returns the table of buckets that have no pages yet.
func NewTable(buckets ...string) *Table {
	t := &Table{roots: make(map[string]Root)}
	for _, name := range buckets {
		t.roots[name] = Root{}
	}
	return t
}

// entry returns the table's entry for a page: notInUse, overflow or a checksum.
func (t *Table) entry(id uint64) uint32 {
	if i := id / pagesPerBlock; i < uint64(len(t.blocks)) && t.blocks[i] != nil {
		return t.blocks[i][id%pagesPerBlock]
	}
	return notInUse
}

// compare returns the problem with a page whose checksum is sum; "" if the table agrees.
func (t *Table) compare(id uint64, sum uint32) (problem string) {
	switch want := t.entry(id); want {
	case notInUse, overflow:
		return "it is not in use, or an overflow page of another one"
	case encodeSum(sum):
		return ""
	default:
		return fmt.Sprintf("its checksum is %08x; want %08x", encodeSum(sum), want)
	}
}

// encodeSum returns a checksum as a table's entry.
func encodeSum(sum uint32) uint32 {
	if sum < minSum {
		return sum + minSum
	}
	return sum
}

// Advance returns the table of the image, which shows a commit after that of t, and the blocks that
// differ from t's. It returns t itself if nothing has changed. It reads only the pages that t has
// not in use: the pages that the commit freed are in the freelist, and all others are unchanged. A
// page that can be reached must not be free.
func (t *Table) Advance(im *Image) (next *Table, changed []uint64, err error) {
	free, err := im.Free()
	if err != nil {
		return nil, nil, err
	}
	return t.advance(im, free)
}

func (t *Table) advance(im *Image, free []uint64) (next *Table, changed []uint64, err error) {
	b := tableBuilder{image: im, owned: make(map[uint64]bool)}
	b.next = &Table{roots: maps.Clone(t.roots), blocks: slices.Clone(t.blocks), sum: t.sum}
	for _, id := range free {
		if b.next.entry(id) != notInUse {
			b.set(id, notInUse)
		}
	}
	for name := range t.roots {
		bucket, err := im.Bucket(name)
		if err != nil {
			return nil, nil, err
		}
		if err := b.addBucket(bucket); err != nil {
			return nil, nil, err
		}
	}
	if err := b.next.checkNotFree(im, free); err != nil {
		return nil, nil, err
	}
	if len(b.owned) == 0 && maps.Equal(b.next.roots, t.roots) {
		return t, nil, nil
	}
	changed = slices.Sorted(maps.Keys(b.owned))
	for _, i := range changed {
		b.next.sum += blockSum(i, b.next.Block(i)) - blockSum(i, t.Block(i))
	}
	return b.next, changed, nil
}

// tableBuilder makes a table from an earlier one, with which it shares blocks.
type tableBuilder struct {
	image *Image // without a table
	next  *Table
	owned map[uint64]bool // the blocks that only next has
}

func (b *tableBuilder) set(id uint64, entry uint32) {
	i := id / pagesPerBlock
	for uint64(len(b.next.blocks)) <= i {
		b.next.blocks = append(b.next.blocks, nil)
	}
	if !b.owned[i] {
		copied := new(block)
		if b.next.blocks[i] != nil {
			*copied = *b.next.blocks[i]
		}
		b.next.blocks[i], b.owned[i] = copied, true
	}
	b.next.blocks[i][id%pagesPerBlock] = entry
}

func (b *tableBuilder) addBucket(bucket *Bucket) error {
	root, err := bucket.rootOf()
	if err != nil {
		return err
	}
	b.next.roots[bucket.name] = root
	if root.Page != 0 {
		return b.addPage(bucket, root.Page, nil)
	}
	inline, _, _ := parse(bucket.inline, 0) // rootOf has parsed it
	if problem := inline.checkOrder(nil); problem != "" {
		return bucket.inlineDamage(problem)
	}
	return nil
}

// addPage adds a page, and those that it leads to, unless the table has the page already. So it
// ends even if pages lead to each other in a ring.
func (b *tableBuilder) addPage(bucket *Bucket, id uint64, firstKey []byte) error {
	switch b.next.entry(id) {
	case notInUse:
	case overflow:
		return bucket.damage(id, firstKey, "it is an overflow page of another one")
	default:
		return nil
	}
	p, sum, problem := b.image.parse(id)
	if problem == "" {
		problem = p.checkOrder(firstKey)
	}
	if problem != "" {
		return bucket.damage(id, firstKey, problem)
	}
	b.set(id, encodeSum(sum))
	for i := range uint64(len(p.data)/b.image.pageSize) - 1 {
		b.set(id+1+i, overflow)
	}
	if p.leaf {
		return nil
	}
	for i := range p.count {
		if err := b.addPage(bucket, p.child(i), p.key(i)); err != nil {
			return err
		}
	}
	return nil
}

// Summary ties the blocks of a table together.
type Summary struct {
	Roots map[string]Root
	Sum   uint64 // checksum of the blocks; their order does not matter
}

// Summary returns the table's summary.
func (t *Table) Summary() Summary { return Summary{Roots: t.roots, Sum: t.sum} }

func blockSum(index uint64, encoded []byte) uint64 {
	if encoded == nil {
		return 0
	}
	sum := crc32.Update(0, codec.Castagnoli, binary.LittleEndian.AppendUint64(nil, index))
	return uint64(crc32.Update(sum, codec.Castagnoli, encoded))
}

// Equal reports whether two tables have the same content.
func (t *Table) Equal(other *Table) bool {
	if !maps.Equal(t.roots, other.roots) || t.sum != other.sum {
		return false
	}
	for i := range max(len(t.blocks), len(other.blocks)) {
		if !bytes.Equal(t.Block(uint64(i)), other.Block(uint64(i))) {
			return false
		}
	}
	return true
}

// Block returns the encoding of a block; nil if none of its pages is in use.
func (t *Table) Block(index uint64) (encoded []byte) {
	if index >= uint64(len(t.blocks)) || t.blocks[index] == nil || *t.blocks[index] == (block{}) {
		return nil
	}
	for _, entry := range t.blocks[index] {
		encoded = binary.LittleEndian.AppendUint32(encoded, entry)
	}
	return encoded
}

// ReadTable makes a table of the image's pages from its encoded blocks. next returns the blocks one
// by one, ascending by index; a nil block ends them.
func ReadTable(im *Image, summary Summary, next func() (index uint64, encoded []byte, err error)) (*Table, error) {
	t := &Table{roots: summary.Roots}
	for {
		index, encoded, err := next()
		if err != nil {
			return nil, err
		}
		if encoded == nil {
			break
		}
		if len(encoded) != BlockLen || index < uint64(len(t.blocks)) || index > im.pages()/pagesPerBlock {
			return nil, im.RootDamage(fmt.Sprintf(
				"block %d, of %d bytes, of the table of checksums is out of place", index, len(encoded)))
		}
		t.sum += blockSum(index, encoded)
		t.blocks = append(t.blocks, make([]*block, index-uint64(len(t.blocks)))...)
		t.blocks = append(t.blocks, decodeBlock(encoded))
	}
	if t.sum != summary.Sum {
		return nil, im.RootDamage(fmt.Sprintf(
			"the blocks of the table of checksums add up to %x; want %x", t.sum, summary.Sum))
	}
	return t, nil
}

func decodeBlock(encoded []byte) *block {
	b := new(block)
	for i := range b {
		b[i] = binary.LittleEndian.Uint32(encoded[4*i:])
	}
	return b
}
