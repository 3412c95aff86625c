// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"unsafe"

	"go.etcd.io/bbolt"
)

// View is a bbolt file as an open transaction sees it. It is valid as long as the transaction, and in a
// write transaction until the commit begins.
type View struct {
	data     []byte // the mapping
	pageSize int
	tx       uint64
	root     uint64
	table    *Table // nil: pages are taken for what they are
	rest     *Rest  // nil likewise
}

// NewView returns the view of a transaction, whose pages are held against table, and the others against rest; nil:
// against nothing.
func NewView(tx *bbolt.Tx, table *Table, rest *Rest) *View {
	info := tx.DB().Info()
	// Not a conversion, which would be one of a number to a pointer: the mapping is none of Go's memory.
	start := *(*unsafe.Pointer)(unsafe.Pointer(&info.Data))
	v := &View{
		data:     unsafe.Slice((*byte)(start), tx.Size()),
		pageSize: info.PageSize,
		tx:       uint64(tx.ID()),
		root:     uint64(tx.Cursor().Bucket().Root()),
		table:    table,
		rest:     rest,
	}
	if tx.Writable() {
		v.tx--
	}
	return v
}

// Tx is the transaction whose commit the view shows.
func (v *View) Tx() uint64 { return v.tx }

// Offset is where in the file a key or value stands that was read through the view.
func (v *View) Offset(part []byte) int64 {
	if len(part) == 0 {
		return 0
	}
	return int64(uintptr(unsafe.Pointer(&part[0])) - uintptr(unsafe.Pointer(&v.data[0])))
}

// pages is how many pages the view has.
func (v *View) pages() uint64 { return uint64(len(v.data) / v.pageSize) }

// at returns the bytes of a page and of those that belong to it.
func (v *View) at(id uint64) (data []byte, what string) {
	if id < 2 || id >= v.pages() { // the first two are the meta pages
		return nil, fmt.Sprintf("there is no such page; there are %d", v.pages())
	}
	from := id * uint64(v.pageSize)
	further := uint64(order.Uint32(v.data[from+12:]))
	if id+further >= v.pages() {
		return nil, fmt.Sprintf("it reaches %d pages further, beyond the last", further)
	}
	return v.data[from : from+(1+further)*uint64(v.pageSize)], ""
}

// parse returns a page and its checksum, or what is wrong with it.
func (v *View) parse(id uint64) (p page, sum uint32, what string) {
	data, what := v.at(id)
	if what != "" {
		return page{}, 0, what
	}
	p, sum, what = parse(data, id)
	if size := uint64(v.pageSize); what == "" && (p.end+size-1)/size != uint64(len(data))/size {
		what = fmt.Sprintf("it takes %d pages, and ends at %d", uint64(len(data))/size, p.end)
	}
	return p, sum, what
}

func (v *View) fault(bucket string, id uint64, from []byte, what string) *Fault {
	return &Fault{Bucket: bucket, Page: id, Offset: int64(id) * int64(v.pageSize), From: bytes.Clone(from), What: what}
}

// Bucket is one of the file's buckets.
type Bucket struct {
	view   *View
	name   string
	root   uint64 // 0: inline
	inline []byte // its page
	table  *Table // nil: it knows nothing of this bucket
}

// Bucket returns the bucket of a name. The root page it is found in is not covered by checksums, but where
// it leads to is held against the table.
func (v *View) Bucket(name string) (*Bucket, error) {
	root, err := v.rootPage()
	if err != nil {
		return nil, err
	}
	for i := range root.count {
		if string(root.key(i)) == name && root.isBucket(i) {
			return v.open(name, root.value(i))
		}
	}
	return nil, v.fault("", v.root, nil, fmt.Sprintf("there is no bucket %q", name))
}

// Names returns the names of the file's buckets, and of what else its root page holds.
func (v *View) Names() (names []string, err error) {
	root, err := v.rootPage()
	for i := range root.count {
		names = append(names, string(root.key(i)))
	}
	return names, err
}

// RootFault is one of the file as a whole, where it begins.
func (v *View) RootFault(what string) error { return v.fault("", v.root, nil, what) }

func (v *View) rootPage() (page, error) {
	if v.rest != nil {
		if err := v.rest.check(v); err != nil {
			return page{}, err
		}
	}
	p, _, err := v.readRoot()
	return p, err
}

// readRoot returns the root page, which is one page at the most, and its checksum.
func (v *View) readRoot() (p page, sum uint32, err error) {
	p, sum, what := v.parse(v.root)
	switch {
	case what != "":
	case !p.leaf || len(p.data) > v.pageSize:
		what = "the buckets do not stand in one leaf"
	}
	if what != "" {
		return page{}, 0, v.fault("", v.root, nil, what)
	}
	return p, sum, nil
}

func (v *View) open(name string, header []byte) (*Bucket, error) {
	if len(header) < bucketHeaderLen {
		return nil, v.fault(name, v.root, nil, fmt.Sprintf("bucket %q has no header", name))
	}
	b := &Bucket{view: v, name: name, root: order.Uint64(header), inline: header[bucketHeaderLen:]}
	if b.root != 0 && len(b.inline) > 0 {
		return nil, v.fault(name, v.root, nil, fmt.Sprintf("the header of bucket %q has %d bytes", name, len(header)))
	}
	var want Root
	for _, table := range v.tables() {
		if root, ok := table.roots[name]; ok {
			want, b.table = root, table
		}
	}
	if b.table == nil {
		return b, nil
	}
	got, err := b.rootOf()
	if err == nil && got != want {
		inline, _, _ := parse(b.inline, 0)
		err = v.fault(name, v.root, inline.least(nil), fmt.Sprintf("bucket %q begins at page %d with checksum %08x; want page %d with %08x",
			name, got.Page, got.Sum, want.Page, want.Sum))
	}
	return b, err
}

func (v *View) tables() (tables []*Table) {
	if v.table != nil {
		tables = append(tables, v.table)
	}
	if v.rest != nil {
		tables = append(tables, v.rest.table)
	}
	return tables
}

// rootOf returns where the bucket begins.
func (b *Bucket) rootOf() (Root, error) {
	if b.root != 0 {
		return Root{Page: b.root}, nil
	}
	p, sum, what := parse(b.inline, 0)
	if what == "" && p.end != uint64(len(b.inline)) {
		what = fmt.Sprintf("it ends at %d of %d bytes", p.end, len(b.inline))
	}
	if what != "" {
		return Root{}, b.view.fault(b.name, b.view.root, nil, fmt.Sprintf("the inline bucket %q: %s", b.name, what))
	}
	return Root{Sum: sum}, nil
}

// Fault is one of the bucket as a whole, where it begins.
func (b *Bucket) Fault(what string) error {
	page := b.root
	if page == 0 {
		page = b.view.root
	}
	return b.view.fault(b.name, page, nil, what)
}

// load returns a page of the bucket. from is its least key as its parent has it.
func (b *Bucket) load(id uint64, from []byte) (page, error) {
	p, sum, what := b.view.parse(id)
	if what == "" && b.table != nil {
		what = b.table.compare(id, sum)
	}
	if what == "" {
		what = p.flagged()
	}
	if what != "" {
		return page{}, b.view.fault(b.name, id, p.least(from), what)
	}
	return p, nil
}

// least is the page's least key: from, as its parent has it, or else its own.
func (p *page) least(from []byte) []byte {
	if from == nil && p.count > 0 {
		return p.key(0)
	}
	return from
}

// Suspects yields what a damaged page of the bucket seems to hold, if it can be told.
func (b *Bucket) Suspects(f *Fault) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		p, _, what := b.view.parse(f.Page)
		if b.root == 0 {
			p, _, what = parse(b.inline, 0)
		}
		for i := 0; what == "" && p.leaf && i < p.count; i++ {
			if !yield(p.key(i), p.value(i)) {
				return
			}
		}
	}
}

// first returns the bucket's root page.
func (b *Bucket) first() (page, error) {
	if b.root != 0 {
		return b.load(b.root, nil)
	}
	p, _, what := parse(b.inline, 0)
	if what == "" && !p.leaf {
		what = "an inline page that is no leaf"
	}
	if what == "" {
		what = p.flagged()
	}
	if what != "" {
		return page{}, b.view.fault(b.name, b.view.root, nil, fmt.Sprintf("the inline bucket %q: %s", b.name, what))
	}
	return p, nil
}

// Meta returns the meta page of the view's transaction.
func (v *View) Meta() (Meta, error) {
	id := v.tx % 2
	m, ok := v.meta(id)
	if !ok || m.Tx != v.tx {
		return Meta{}, v.fault("", id, nil, "the meta page is damaged")
	}
	return m, nil
}

func (v *View) meta(id uint64) (Meta, bool) {
	from := id * uint64(v.pageSize)
	if from > uint64(len(v.data)) {
		return Meta{}, false
	}
	return readMeta(v.data[from:])
}

// MetaPage returns the header and the meta page of the view's transaction, and where in the file they stand.
func (v *View) MetaPage() (data []byte, offset int64, err error) {
	if _, err := v.Meta(); err != nil {
		return nil, 0, err
	}
	offset = int64(v.tx%2) * int64(v.pageSize)
	return bytes.Clone(v.data[offset:][:MetaLen]), offset, nil
}

// MetaPages returns the two meta pages of a file that is what the view shows: one of its transaction, and one of the
// transaction before that shows the same.
func (v *View) MetaPages() ([]byte, error) {
	page, _, err := v.MetaPage()
	if err != nil {
		return nil, err
	}
	both := make([]byte, 2*v.pageSize)
	for id := range uint64(2) {
		copied := both[id*uint64(v.pageSize):][:MetaLen]
		copy(copied, page)
		order.PutUint64(copied, id)
		if id != v.tx%2 {
			meta := copied[headerLen:]
			order.PutUint64(meta[48:], v.tx-1)
			order.PutUint64(meta[56:], metaSum(meta))
		}
	}
	return both, nil
}

// Size is how long the file is that the view shows, in bytes.
func (v *View) Size() int64 { return int64(len(v.data)) }

// HasMeta reports whether a file has a meta page that agrees with its checksum. It reads the file, not the
// mapping, so it needs no transaction. The error is of reading, where that leaves it open.
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

// CheckMetas returns the meta pages whose checksums do not agree with them.
func (v *View) CheckMetas() (faults []error) {
	for id := range uint64(2) {
		if _, ok := v.meta(id); !ok {
			faults = append(faults, v.fault("", id, nil, "the meta page does not agree with its checksum"))
		}
	}
	return faults
}

// Free returns the pages that the freelist says are free, in ascending order. It is not covered by a
// checksum: Advance and CheckFree hold it against the table.
func (v *View) Free() (free []uint64, err error) {
	meta, err := v.Meta()
	if err != nil {
		return nil, err
	}
	data, what := v.at(meta.Freelist)
	switch {
	case what != "":
	case order.Uint64(data) != meta.Freelist || order.Uint16(data[8:]) != freelistFlag:
		what = "it is no freelist"
	default:
		free, what = v.readFree(data)
	}
	if what != "" {
		return nil, v.fault("", meta.Freelist, nil, "freelist: "+what)
	}
	return free, nil
}

func (v *View) readFree(data []byte) (free []uint64, what string) {
	ids, count := data[headerLen:], uint64(order.Uint16(data[10:]))
	if count == longList && len(ids) >= 8 {
		count, ids = order.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return nil, fmt.Sprintf("it has no room for %d pages", count)
	}
	free = make([]uint64, count)
	for i := range free {
		free[i] = order.Uint64(ids[8*i:])
		if free[i] < 2 || free[i] >= v.pages() || i > 0 && free[i] <= free[i-1] {
			return nil, fmt.Sprintf("its entry %d, page %d, is out of order or there is no such page", i, free[i])
		}
	}
	return free, ""
}
