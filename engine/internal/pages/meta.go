// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"hash/fnv"
	"io"

	"go.etcd.io/bbolt"
)

// MetaLen is the length of a meta page, including the page's header, in bytes.
const MetaLen = headerLen + metaLen

// Meta is the content of one of the file's two meta pages.
type Meta struct {
	Tx       uint64
	Root     uint64 // the root page
	Freelist uint64 // its page
	Pages    uint64 // the number of pages
	PageSize int    // in bytes
}

// The content of a new bbolt file.
const (
	magic       = 0xED0CDAED
	version     = 2
	newFreelist = 2 // pages 0 and 1 are the meta pages
	newRoot     = 3
	newPages    = 4
)

// NewFile returns what bbolt writes when it creates a file: two meta pages, an empty freelist and
// an empty root.
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

// metaSum returns the checksum of a meta page.
func metaSum(meta []byte) uint64 {
	sum := fnv.New64a()
	_, _ = sum.Write(meta[:56])
	return sum.Sum64()
}

// readMeta reads meta page 0 or 1, and reports whether its checksum matches.
func readMeta(data []byte) (m Meta, ok bool) {
	if len(data) < headerLen+metaLen {
		return Meta{}, false
	}
	data = data[headerLen : headerLen+metaLen]
	m = Meta{
		Tx: order.Uint64(data[48:]), Root: order.Uint64(data[16:]), Freelist: order.Uint64(data[32:]),
		Pages: order.Uint64(data[40:]), PageSize: int(order.Uint32(data[8:])),
	}
	return m, metaSum(data) == order.Uint64(data[56:])
}

// Meta returns the meta page of the image's transaction.
func (im *Image) Meta() (Meta, error) {
	id := im.tx % 2
	m, ok := im.readMeta(id)
	if !ok || m.Tx != im.tx {
		return Meta{}, im.damage("", id, nil, "the meta page is damaged")
	}
	return m, nil
}

func (im *Image) readMeta(id uint64) (Meta, bool) {
	if faultOf(id) != "" {
		return Meta{}, false
	}
	return readMeta(im.metaPage(id))
}

// metaPage returns the beginning of meta page 0 or 1; nil if the file is shorter.
func (im *Image) metaPage(id uint64) []byte {
	if im.copies != nil {
		return im.copies.metas[id]
	}
	if offset := id * uint64(im.pageSize); offset <= uint64(len(im.data)) {
		return im.data[offset:]
	}
	return nil
}

// MetaPage returns the header and the meta page of the image's transaction, and their offset in the
// file.
func (im *Image) MetaPage() (data []byte, offset int64, err error) {
	if _, err := im.Meta(); err != nil {
		return nil, 0, err
	}
	offset = int64(im.tx%2) * int64(im.pageSize)
	return bytes.Clone(im.metaPage(im.tx % 2)[:MetaLen]), offset, nil
}

// MetaPages returns two meta pages for a copy of the image as a file. One is of the image's
// transaction. The other is of the transaction before, and leads to the same pages.
func (im *Image) MetaPages() ([]byte, error) {
	page, _, err := im.MetaPage()
	if err != nil {
		return nil, err
	}
	both := make([]byte, 2*im.pageSize)
	for id := range uint64(2) {
		copied := both[id*uint64(im.pageSize):][:MetaLen]
		copy(copied, page)
		order.PutUint64(copied, id)
		if id != im.tx%2 {
			meta := copied[headerLen:]
			order.PutUint64(meta[48:], im.tx-1)
			order.PutUint64(meta[56:], metaSum(meta))
		}
	}
	return both, nil
}

// HasMeta reports whether a file has a meta page whose checksum matches. It reads the file, not the
// mapping, so it needs no transaction. If no such page is found, err says whether a page could not
// be read.
func HasMeta(file io.ReaderAt, pageSize int) (bool, error) {
	var data [MetaLen]byte
	var failure error
	for id := range int64(2) {
		if _, err := file.ReadAt(data[:], id*int64(pageSize)); err != nil && err != io.EOF {
			failure = err
		} else if _, ok := readMeta(data[:]); ok && err == nil {
			return true, nil
		}
	}
	return false, failure
}

// HasMappedMeta is HasMeta for the mapping of an open file, which must stay meanwhile. It panics if
// the mapping cannot be read.
func HasMappedMeta(db *bbolt.DB) bool {
	data, pageSize := mappingOf(db, MetaLen)
	if _, ok := readMeta(data); ok {
		return true
	}
	data, _ = mappingOf(db, int64(pageSize+MetaLen))
	_, ok := readMeta(data[pageSize:])
	return ok
}

// CheckMetas returns an error for each meta page whose checksum does not match.
func (im *Image) CheckMetas() (faults []error) {
	for id := range uint64(2) {
		if _, ok := im.readMeta(id); !ok {
			faults = append(faults, im.damage("", id, nil, "the checksum of the meta page does not match"))
		}
	}
	return faults
}
