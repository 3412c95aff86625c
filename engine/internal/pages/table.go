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
	perBlock = 256
	// BlockLen is the length of an encoded block.
	BlockLen = 4 * perBlock

	notInUse = 0
	belongs  = 1 // to the page before it
	leastSum = 2
)

type block [perBlock]uint32

// Root is where a bucket begins: a page, or 0 and the checksum of its inline page.
type Root struct {
	Page uint64
	Sum  uint32
}

// Table holds the checksums of all pages of some buckets. It is immutable.
type Table struct {
	roots  map[string]Root
	blocks []*block // nil: none in use
	sum    uint64   // of the blocks, in any order
}

// NewTable returns the table of buckets that have no pages yet.
func NewTable(buckets ...string) *Table {
	t := &Table{roots: make(map[string]Root)}
	for _, name := range buckets {
		t.roots[name] = Root{}
	}
	return t
}

// of returns what the table has of a page.
func (t *Table) of(id uint64) uint32 {
	if i := id / perBlock; i < uint64(len(t.blocks)) && t.blocks[i] != nil {
		return t.blocks[i][id%perBlock]
	}
	return notInUse
}

// compare says what is wrong with a page that has the checksum sum, if anything is.
func (t *Table) compare(id uint64, sum uint32) (what string) {
	switch want := t.of(id); want {
	case notInUse, belongs:
		return "it is not in use, or the middle of another one"
	case inTable(sum):
		return ""
	default:
		return fmt.Sprintf("its checksum is %08x; want %08x", inTable(sum), want)
	}
}

// inTable is the checksum as it stands in a table.
func inTable(sum uint32) uint32 {
	if sum < leastSum {
		return sum + leastSum
	}
	return sum
}

// Advance returns the table of what the view shows, a commit later than t, and which of its blocks are not
// t's; t itself if nothing has changed. It reads the pages that t has not in use. Those that the commit freed are in
// the freelist, and the others are what they were. A page that a reachable one leads to must not be free.
func (t *Table) Advance(v *View) (next *Table, changed []uint64, err error) {
	free, err := v.Free()
	if err != nil {
		return nil, nil, err
	}
	return t.advance(v, free)
}

// read returns the table of what a view shows, read altogether.
func (t *Table) read(v *View, free []uint64) (*Table, error) {
	next, _, err := t.advance(v, free)
	return next, err
}

func (t *Table) advance(v *View, free []uint64) (next *Table, changed []uint64, err error) {
	a := advance{view: v, own: make(map[uint64]bool)}
	a.next = &Table{roots: maps.Clone(t.roots), blocks: slices.Clone(t.blocks), sum: t.sum}
	for _, id := range free {
		if a.next.of(id) != notInUse {
			a.set(id, notInUse)
		}
	}
	for name := range t.roots {
		bucket, err := v.Bucket(name)
		if err != nil {
			return nil, nil, err
		}
		if err := a.bucket(bucket); err != nil {
			return nil, nil, err
		}
	}
	if err := a.next.checkFree(v, free); err != nil {
		return nil, nil, err
	}
	if len(a.own) == 0 && maps.Equal(a.next.roots, t.roots) {
		return t, nil, nil
	}
	changed = slices.Sorted(maps.Keys(a.own))
	for _, i := range changed {
		a.next.sum += blockSum(i, a.next.Block(i)) - blockSum(i, t.Block(i))
	}
	return a.next, changed, nil
}

// advance is a table that is being made.
type advance struct {
	view *View // without a table
	next *Table
	own  map[uint64]bool // the blocks that are next's alone
}

func (a *advance) set(id uint64, sum uint32) {
	i := id / perBlock
	for uint64(len(a.next.blocks)) <= i {
		a.next.blocks = append(a.next.blocks, nil)
	}
	if !a.own[i] {
		own := new(block)
		if a.next.blocks[i] != nil {
			*own = *a.next.blocks[i]
		}
		a.next.blocks[i], a.own[i] = own, true
	}
	a.next.blocks[i][id%perBlock] = sum
}

func (a *advance) bucket(b *Bucket) error {
	root, err := b.rootOf()
	if err != nil {
		return err
	}
	a.next.roots[b.name] = root
	if root.Page == 0 {
		return nil
	}
	return a.page(b, root.Page, nil, 0)
}

// mostDepth is more than a tree of pages can have: each branch has two children at the least.
const mostDepth = 64

func (a *advance) page(b *Bucket, id uint64, from []byte, depth int) error {
	switch a.next.of(id) {
	case notInUse:
	case belongs:
		return a.view.fault(b.name, id, from, "it is the middle of another one")
	default:
		return nil
	}
	p, sum, what := a.view.parse(id)
	if what == "" && depth == mostDepth {
		what = "it lies too deep"
	}
	if what != "" {
		return a.view.fault(b.name, id, from, what)
	}
	a.set(id, inTable(sum))
	for further := range uint64(len(p.data)/a.view.pageSize) - 1 {
		a.set(id+1+further, belongs)
	}
	if p.leaf {
		return nil
	}
	for i := range p.count {
		if err := a.page(b, p.child(i), p.key(i), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// CheckFree holds the view's freelist against the pages that are in use: one that is listed as free would be
// written over. others are the buckets that the table does not know.
func (t *Table) CheckFree(v *View, others ...string) error {
	free, err := v.Free()
	if err != nil {
		return err
	}
	if err := t.checkFree(v, free); err != nil {
		return err
	}
	used, err := v.used(others)
	if err != nil {
		return err
	}
	slices.Sort(used)
	for i, id := range used {
		if t.of(id) != notInUse || i > 0 && id == used[i-1] {
			return v.fault("", id, nil, "two pages claim it")
		}
		if _, found := slices.BinarySearch(free, id); found {
			return v.inUse(id)
		}
	}
	return nil
}

// InUse returns the pages that are in use. others are the buckets that the table does not know.
func (t *Table) InUse(v *View, others ...string) ([]uint64, error) {
	used, err := v.used(others)
	if err != nil {
		return nil, err
	}
	for id := range v.pages() {
		if t.of(id) != notInUse {
			used = append(used, id)
		}
	}
	return used, nil
}

// CheckAll is CheckFree, and wants every page to be either in use or free.
func (t *Table) CheckAll(v *View, others ...string) error {
	if err := t.CheckFree(v, others...); err != nil {
		return err
	}
	free, err := v.Free()
	if err != nil {
		return err
	}
	used, err := v.used(others)
	if err != nil {
		return err
	}
	known := append(free, used...)
	slices.Sort(known)
	for id := range v.pages() {
		if _, found := slices.BinarySearch(known, id); !found && id >= 2 && t.of(id) == notInUse {
			return v.fault("", id, nil, "it is not in use, and the freelist does not have it")
		}
	}
	return nil
}

// used returns the pages in use of which no table knows.
func (v *View) used(buckets []string) (used []uint64, err error) {
	meta, err := v.Meta()
	if err != nil {
		return nil, err
	}
	for _, id := range []uint64{v.root, meta.Freelist} {
		data, what := v.at(id)
		if what != "" {
			return nil, v.fault("", id, nil, what)
		}
		for further := range uint64(len(data) / v.pageSize) {
			used = append(used, id+further)
		}
	}
	for _, name := range buckets {
		b, err := v.Bucket(name)
		if err != nil {
			return nil, err
		}
		if used, err = b.pages(used); err != nil {
			return nil, err
		}
	}
	return used, nil
}

// checkFree is CheckFree for the pages that the table knows.
func (t *Table) checkFree(v *View, free []uint64) error {
	for _, id := range free {
		if t.of(id) != notInUse {
			return v.inUse(id)
		}
	}
	return nil
}

func (v *View) inUse(id uint64) error {
	return v.fault("", id, nil, "it is in use, and the freelist says that it is free")
}

// Summary ties the blocks of a table together.
type Summary struct {
	Roots map[string]Root
	Sum   uint64 // of the blocks, in any order
}

// Summary returns the table's.
func (t *Table) Summary() Summary { return Summary{Roots: t.roots, Sum: t.sum} }

func blockSum(index uint64, encoded []byte) uint64 {
	if encoded == nil {
		return 0
	}
	sum := crc32.Update(0, codec.Castagnoli, binary.LittleEndian.AppendUint64(nil, index))
	return uint64(crc32.Update(sum, codec.Castagnoli, encoded))
}

// Equal reports whether two tables hold the same.
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

// Block returns a block's encoding; nil when no page of it is in use.
func (t *Table) Block(index uint64) (encoded []byte) {
	if index >= uint64(len(t.blocks)) || t.blocks[index] == nil || *t.blocks[index] == (block{}) {
		return nil
	}
	for _, sum := range t.blocks[index] {
		encoded = binary.LittleEndian.AppendUint32(encoded, sum)
	}
	return encoded
}

// ReadTable makes a table of the view's pages from its encoded blocks, which next returns one by one,
// ascending by index; a nil one ends them.
func ReadTable(v *View, summary Summary, next func() (index uint64, encoded []byte, err error)) (*Table, error) {
	t := &Table{roots: summary.Roots}
	for {
		index, encoded, err := next()
		if err != nil {
			return nil, err
		}
		if encoded == nil {
			break
		}
		if len(encoded) != BlockLen || index < uint64(len(t.blocks)) || index > v.pages()/perBlock {
			return nil, v.fault("", v.root, nil, fmt.Sprintf("block %d, of %d bytes, of the table of checksums is out of place", index, len(encoded)))
		}
		t.sum += blockSum(index, encoded)
		t.blocks = append(t.blocks, make([]*block, index-uint64(len(t.blocks)))...)
		t.blocks = append(t.blocks, decodeBlock(encoded))
	}
	if t.sum != summary.Sum {
		return nil, v.fault("", v.root, nil, fmt.Sprintf("the blocks of the table of checksums, which it leads to, add up to %x; want %x", t.sum, summary.Sum))
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
