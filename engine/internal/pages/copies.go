// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"unsafe"
)

// Copies reads the pages of one commit of a file to which another process writes. It reads each
// page into memory of its own, which nobody changes after that. So the bytes that were verified are
// those that are used.
//
// bbolt overwrites a page of a commit once that is followed by another commit, at the earliest: in
// the transaction after the next. So as long as [Copies.IsNewest], all pages that were read are
// those of the commit. After that a page may be another one, which its checksum tells.
//
// Any number of goroutines may use it at once.
type Copies struct {
	file  io.ReaderAt
	meta  Meta
	metas [2][]byte // the beginnings of both meta pages

	mu        sync.Mutex        // guards the fields below
	kept      map[uint64][]byte // pages that were read lately
	before    map[uint64][]byte // those that were read before them
	keptBytes int               // length of kept
	maxKept   int               // maximum length of each of kept and before; a longer page is not kept
}

// defaultMaxKept is the maxKept of new Copies, in bytes.
const defaultMaxKept = 4 << 20

// maxPageSize is the size of the largest pages that bbolt uses, in bytes, and minPageSize that of
// the smallest ones.
const (
	minPageSize = 1 << 10
	maxPageSize = 64 << 10
)

// errNoMeta is the error of a file without a valid meta page.
var errNoMeta = errors.New("both meta pages are damaged")

// NewCopies returns the copies of a file's newest commit.
// Errors: one that matches ErrCorrupt, or the operating system's.
func NewCopies(file io.ReaderAt) (*Copies, error) {
	c := &Copies{file: file, kept: make(map[uint64][]byte), maxKept: defaultMaxKept}
	for size := minPageSize; size <= maxPageSize; size *= 2 {
		meta, metas, err := newestMeta(file, size)
		if err == nil && meta.PageSize == size {
			c.meta, c.metas = meta, metas
			return c, nil
		}
		if err != nil && !errors.Is(err, errNoMeta) {
			return nil, err
		}
	}
	return nil, &DamagedPage{Problem: errNoMeta.Error()}
}

// newestMeta returns the newer one of the meta pages whose checksum matches.
func newestMeta(file io.ReaderAt, pageSize int) (newest Meta, metas [2][]byte, err error) {
	err = errNoMeta
	for id := range metas {
		data := make([]byte, MetaLen)
		n, readErr := file.ReadAt(data, int64(id*pageSize))
		if readErr != nil && readErr != io.EOF {
			return Meta{}, metas, readErr
		}
		metas[id] = data[:n]
		if m, ok := readMeta(metas[id]); ok && isOurs(data) && m.Tx%2 == uint64(id) && m.Tx >= newest.Tx {
			newest, err = m, nil
		}
	}
	return newest, metas, err
}

// isOurs reports whether a meta page is of the format that this package reads.
func isOurs(data []byte) bool {
	return order.Uint32(data[headerLen:]) == magic && order.Uint32(data[headerLen+4:]) == version
}

// IsNewest reports whether the file has no later commit.
func (c *Copies) IsNewest() bool {
	now, _, err := newestMeta(c.file, c.meta.PageSize)
	return err == nil && now == c.meta
}

// Image returns an image of the commit. Its pages are verified with table and others, either of
// which may be nil.
func (c *Copies) Image(table *Table, others *OtherPages) *Image {
	return &Image{
		copies: c, pageSize: c.meta.PageSize, tx: c.meta.Tx, root: c.meta.Root, table: table, others: others,
	}
}

// PageSize returns the size of a page, in bytes.
func (c *Copies) PageSize() int { return c.meta.PageSize }

func (c *Copies) size() int64 { return int64(c.meta.Pages) * int64(c.meta.PageSize) }

// page returns the bytes of a page and of its overflow pages, or the problem with them.
func (c *Copies) page(id uint64) (data []byte, problem string) {
	if data := c.find(id); data != nil {
		return data, ""
	}
	data = make([]byte, c.meta.PageSize)
	if err := c.read(data, id); err != nil {
		return nil, err.Error()
	}
	// A page that has another number is not the wanted one, and its length may be anything.
	if further := uint64(order.Uint32(data[12:])); further > 0 && order.Uint64(data) == id {
		if id+further >= c.meta.Pages {
			return nil, tooLong(further)
		}
		whole := make([]byte, int(1+further)*len(data))
		copy(whole, data)
		if err := c.read(whole[len(data):], id+1); err != nil {
			return nil, err.Error()
		}
		data = whole
	}
	c.keep(id, data)
	return data, ""
}

// read fills dst with the file's bytes from a page on.
func (c *Copies) read(dst []byte, id uint64) error {
	n, err := c.file.ReadAt(dst, int64(id)*int64(c.meta.PageSize))
	if n < len(dst) {
		return fmt.Errorf("it cannot be read: %w", err)
	}
	return nil
}

func (c *Copies) find(id uint64) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if data := c.kept[id]; data != nil {
		return data
	}
	data := c.before[id]
	if data != nil {
		c.keepLocked(id, data)
	}
	return data
}

func (c *Copies) keep(id uint64, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keepLocked(id, data)
}

// keepLocked keeps a page. When enough pages are kept, they become those of before, and the ones
// that these replace are forgotten.
func (c *Copies) keepLocked(id uint64, data []byte) {
	if len(data) > c.maxKept {
		return
	}
	if c.keptBytes += len(data); c.keptBytes > c.maxKept {
		c.before, c.kept, c.keptBytes = c.kept, make(map[uint64][]byte), len(data)
	}
	c.kept[id] = data
}

// offset returns the place in the file of a part of a page that is kept; 0 if none has it.
func (c *Copies) offset(part []byte) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	start := uintptr(unsafe.Pointer(&part[0]))
	for _, pages := range []map[uint64][]byte{c.kept, c.before} {
		for id, data := range pages {
			if first := uintptr(unsafe.Pointer(&data[0])); first <= start && start < first+uintptr(len(data)) {
				return int64(id)*int64(c.meta.PageSize) + int64(start-first)
			}
		}
	}
	return 0
}
