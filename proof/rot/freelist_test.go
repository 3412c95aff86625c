// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"fmt"
	"slices"
)

// addFreelist adds the freelist and the free pages.
func (f *treeFile) addFreelist(id uint64) {
	p := f.page(id)
	p.kind = "freelist"
	f.pages = append(f.pages, p)
	f.addFields(spot{kind: p.kind, where: "header", offset: p.offset, page: p},
		fieldSpec{"id", 8, everyBit, mustFind}, fieldSpec{"flags", 2, everyBit, mustFind},
		fieldSpec{"count", 2, elementCount, mustFind}, fieldSpec{"overflow", 4, everyBit, mustFind})
	at := p.offset + pageHeaderLen
	for i := range p.count {
		where := fmt.Sprintf("id %d", i)
		f.add(&spot{kind: "freelist: ids", where: where, offset: at, size: 8, shape: pageNumber, page: p})
		free := f.freePage(nativeOrder.Uint64(f.data[at:]))
		f.pages = append(f.pages, free)
		f.add(&spot{
			kind: "free page", where: free.kind, offset: free.offset, size: int(free.size),
			shape: someBits, expect: harmless, page: free,
		})
		at += 8
	}
	f.add(&spot{
		kind: "freelist: unused", offset: at, size: int(p.offset + p.size - at),
		shape: someBits, expect: mayFind, page: p,
	})
}

// freePage returns a free page with its former flags and first key. The overflow pages of a former
// page have no header, so only a page with its own number has them.
func (f *treeFile) freePage(id uint64) *treePage {
	p := f.page(id)
	p.free, p.size = true, f.pageSize
	if nativeOrder.Uint64(f.data[p.offset:]) != id {
		p.flags, p.count = 0, 0
	}
	p.kind = fmt.Sprintf("free page with flags %d", p.flags)
	element := p.offset + pageHeaderLen
	if p.count == 0 || p.flags != branchFlag && p.flags != leafFlag {
		return p
	}
	at := 0
	if p.flags == leafFlag {
		at = 4
	}
	pos := int64(nativeOrder.Uint32(f.data[element+int64(at):]))
	ksize := int64(nativeOrder.Uint32(f.data[element+int64(at)+4:]))
	if end := element + pos + ksize; end <= int64(len(f.data)) {
		p.firstKey = f.data[element+pos : end]
	}
	return p
}

// others returns the pages whose numbers may replace that of child, because they have the same
// flags. former are the free pages that were versions of child.
func (f *treeFile) others(child *treePage) (former, others []*treePage) {
	for _, p := range f.pages {
		switch {
		case p == child || p.flags != child.flags:
		case p.free && slices.Equal(p.firstKey, child.firstKey):
			former = append(former, p)
		default:
			others = append(others, p)
		}
	}
	return former, others
}
