// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// addTreeCases adds the cases that damage a victim's tree.
func addTreeCases(t *testing.T, v *victim, s *sampler, open bool) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(v.store(), treeName))
	if err != nil {
		t.Fatal(err)
	}
	f, err := readTree(data)
	if err != nil {
		t.Fatalf("victim %s: %v", v.name, err)
	}
	d := &damager{sampler: s, data: data, open: open, like: damageCase{Victim: v.name, File: treeName}}
	for _, s := range f.spots {
		d.damageSpot(s)
		if s.shape == pageNumber {
			d.misdirect(f, s)
		}
	}
	for _, p := range f.pages {
		d.zeroPage(f, p)
	}
	d.zero("file, zeros", "whole", &spot{kind: "file"}, 0, int64(len(data)))
	d.cutTree(f)
}

// misdirect replaces a page number by those of other pages. The most dangerous of them are former
// versions of the page: they have the right number, flags and keys, and the right checksums of
// their values.
func (d *damager) misdirect(f *treeFile, s *spot) {
	var former, others []*treePage
	if s.child != nil {
		former, others = f.others(s.child)
	} else { // a number in the freelist: a page that is used is then said to be free
		for _, page := range f.pages {
			if !page.free {
				others = append(others, page)
			}
		}
	}
	for _, to := range former {
		where := fmt.Sprintf("%s to page %d", s.where, to.id)
		number := nativeOrder.AppendUint64(nil, to.id)
		d.put(s.kind+", leads to a former version", where, s, s.offset, number, 4*d.perKind)
	}
	for _, to := range others {
		where := fmt.Sprintf("%s to page %d, %s", s.where, to.id, to.kind)
		number := nativeOrder.AppendUint64(nil, to.id)
		d.put(s.kind+", leads elsewhere", where, s, s.offset, number, 2*d.perKind)
	}
}

// zeroPage writes zeros over a page, and over each of its sectors.
func (d *damager) zeroPage(f *treeFile, page *treePage) {
	kind := page.kind
	all := &spot{kind: kind, hit: page.hit, page: page}
	if page.free {
		kind, all.expect = "free page", harmless
	}
	where := fmt.Sprintf("page %d", page.id)
	d.zero(kind+", page of zeros", where, all, page.offset, page.size)
	for at := int64(0); at < page.size; at += sectorSize {
		sector := *all
		if !page.free && !f.isRead(page.offset+at, page.offset+at+sectorSize) {
			sector.expect = mayFind
		}
		where := fmt.Sprintf("%s sector %d", where, at/sectorSize)
		d.zero(kind+", sector of zeros", where, &sector, page.offset+at, sectorSize)
	}
}

// isRead reports whether anything between two offsets is ever read.
func (f *treeFile) isRead(from, to int64) bool {
	return slices.ContainsFunc(f.spots, func(s *spot) bool {
		return s.expect == mustFind && s.offset < to && s.offset+int64(s.size) > from
	})
}

// cutTree truncates a tree's file at its start, before, at and within each page, and before its
// last byte.
func (d *damager) cutTree(f *treeFile) {
	used := int64(f.high) * f.pageSize
	cutAt := func(where string, offset int64) {
		s := &spot{kind: "file, cut off"}
		if offset >= used {
			s.expect = harmless // only pages are lost that were never used
		} else if !f.isRead(offset, used) {
			s.expect = mayFind // only free pages are lost, and the unused end of a page
		}
		d.cut(where, offset, s)
	}
	cutAt("at the start", 0)
	cutAt("after one byte", 1)
	cutAt("one byte short", int64(len(d.data))-1)
	for page := f.pageSize; page < int64(len(d.data)); page += f.pageSize {
		cutAt("at a page", page)
		cutAt("before a page", page-1)
		cutAt("within a page", page+f.pageSize/2)
		cutAt("within a page", page+sectorSize)
	}
}
