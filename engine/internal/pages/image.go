// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"fmt"
	"unsafe"

	"go.etcd.io/bbolt"
)

// Image is a bbolt file as an open transaction sees it. It is valid as long as the transaction, and
// in a write transaction until the commit begins. An image of copies is valid for ever.
type Image struct {
	data     []byte  // the mapping
	copies   *Copies // in place of the mapping; nil: the file is mapped
	pageSize int
	tx       uint64
	root     uint64
	table    *Table      // nil: the pages of its buckets are not verified
	others   *OtherPages // nil: the other pages are not verified
}

// NewImage returns the image of a transaction. Its pages are verified with table and others, either
// of which may be nil.
func NewImage(tx *bbolt.Tx, table *Table, others *OtherPages) *Image {
	data, pageSize := mappingOf(tx.DB(), tx.Size())
	im := &Image{
		data:     data,
		pageSize: pageSize,
		tx:       uint64(tx.ID()),
		root:     uint64(tx.Cursor().Bucket().Root()),
		table:    table,
		others:   others,
	}
	if tx.Writable() {
		im.tx--
	}
	return im
}

// mappingOf returns the first bytes of the mapping of a file, and the size of its pages.
func mappingOf(db *bbolt.DB, size int64) (data []byte, pageSize int) {
	info := db.Info()
	// vet rejects unsafe.Pointer(info.Data), a conversion of a number to a pointer. It is safe
	// here: the mapping is not part of Go's memory.
	start := *(*unsafe.Pointer)(unsafe.Pointer(&info.Data))
	return unsafe.Slice((*byte)(start), size), info.PageSize
}

// With returns an image of the same commit. Its pages are verified with table and others, either of
// which may be nil.
func (im *Image) With(table *Table, others *OtherPages) *Image {
	with := *im
	with.table, with.others = table, others
	return &with
}

// Tx returns the transaction whose commit the image shows.
func (im *Image) Tx() uint64 { return im.tx }

// Size returns the length of the file that the image shows, in bytes.
func (im *Image) Size() int64 {
	if im.copies != nil {
		return im.copies.size()
	}
	return int64(len(im.data))
}

// Offset returns the place in the file of a key or value that was read through the image. Of an
// image of copies it returns 0 if the page is not kept any more.
func (im *Image) Offset(part []byte) int64 {
	if len(part) == 0 {
		return 0
	}
	if im.copies != nil {
		return im.copies.offset(part)
	}
	return int64(uintptr(unsafe.Pointer(&part[0])) - uintptr(unsafe.Pointer(&im.data[0])))
}

// Part returns n bytes from an offset on, which Offset has returned for an image of the same
// transaction. An image of copies has no parts.
func (im *Image) Part(offset int64, n int) []byte { return im.data[offset:][:n:n] }

// pages returns the number of pages.
func (im *Image) pages() uint64 { return uint64(im.Size() / int64(im.pageSize)) }

// bytesOf returns the bytes of a page and of its overflow pages, or the problem with them.
func (im *Image) bytesOf(id uint64) (data []byte, problem string) {
	if id < 2 || id >= im.pages() { // the first two are the meta pages
		return nil, fmt.Sprintf("there is no such page; there are %d", im.pages())
	}
	if problem := faultOf(id); problem != "" {
		return nil, problem
	}
	if im.copies != nil {
		return im.copies.page(id)
	}
	start := id * uint64(im.pageSize)
	further := uint64(order.Uint32(im.data[start+12:]))
	if id+further >= im.pages() {
		return nil, tooLong(further)
	}
	return im.data[start : start+(1+further)*uint64(im.pageSize)], ""
}

func tooLong(further uint64) (problem string) {
	return fmt.Sprintf("it has %d overflow pages, more than the file", further)
}

// parse returns a page and its checksum, or the problem with it.
func (im *Image) parse(id uint64) (p page, sum uint32, problem string) {
	data, problem := im.bytesOf(id)
	if problem != "" {
		return page{}, 0, problem
	}
	p, sum, problem = parse(data, id)
	if size := uint64(im.pageSize); problem == "" && (p.end+size-1)/size != uint64(len(data))/size {
		problem = fmt.Sprintf("it takes %d pages, and ends at %d", uint64(len(data))/size, p.end)
	}
	return p, sum, problem
}

// damage returns the error for a problem with a page. A page that the file does not have would
// begin at its end or after it; the offset is that of the end, because the number may be any.
func (im *Image) damage(bucket string, id uint64, firstKey []byte, problem string) *DamagedPage {
	offset := int64(min(id, im.pages())) * int64(im.pageSize)
	return &DamagedPage{Bucket: bucket, Page: id, Offset: offset, FirstKey: bytes.Clone(firstKey), Problem: problem}
}

// RootDamage returns the error for a problem with the file as a whole, at the root page.
func (im *Image) RootDamage(problem string) error { return im.damage("", im.root, nil, problem) }

// Names returns the names of the file's buckets, and of anything else on its root page.
func (im *Image) Names() (names []string, err error) {
	root, err := im.rootPage()
	for i := range root.count {
		names = append(names, string(root.key(i)))
	}
	return names, err
}

func (im *Image) rootPage() (page, error) {
	if im.others != nil {
		if err := im.others.checkRoot(im); err != nil {
			return page{}, err
		}
	}
	p, _, err := im.readRoot()
	return p, err
}

// readRoot returns the root page, which must be one leaf without overflow pages, and its checksum.
func (im *Image) readRoot() (p page, sum uint32, err error) {
	p, sum, problem := im.parse(im.root)
	if problem == "" && (!p.leaf || len(p.data) > im.pageSize) {
		problem = "the root page is not a leaf of one page"
	}
	if problem != "" {
		return page{}, 0, im.RootDamage(problem)
	}
	return p, sum, nil
}
