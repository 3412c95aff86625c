// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// bbolt's format: pages of a header and elements, in the order of the machine's bytes.
const (
	rotPageHeader = 16
	rotElement    = 16 // of branches and of leaves
	rotBucketLen  = 16 // a bucket's header, before its inline page
	rotMetaLen    = 64

	rotBranch   = 0x01
	rotLeaf     = 0x02
	rotMetaPage = 0x04
	rotFreelist = 0x10

	rotBucketFlag = 1 // of a leaf's element
)

// rotFate is what may become of a store that is damaged in a place.
type rotFate int

const (
	rotLive rotFate = iota // Open or Check must find the damage
	rotLax                 // it may be found or not: nothing that is ever looked at, in a page that is in use
	rotDead                // it must change nothing, and nobody may complain
	rotTorn                // it reads as a crash's torn tail: what was stored before is there
)

// rotShape says which damage suits a place.
type rotShape int

const (
	rotBits  rotShape = iota // a field: every bit of it
	rotBulk                  // bytes: a sample
	rotCount                 // a field that counts elements
	rotPgid                  // a field that holds the number of a page
)

// rotPlace is a place in a file that can rot.
type rotPlace struct {
	kind   string // what it is, as many others are
	where  string // which one it is
	offset int64
	size   int
	shape  rotShape
	fate   rotFate

	record string   // whose chunk or entry it is, if it is a value of one
	key    []byte   // under which that is kept
	first  []byte   // the first key of the leaf, if it is in one
	hit    []string // some records that are read through it
	page   *rotPage // the page it is in; nil in the log
	child  *rotPage // the page a rotPgid leads to
}

// rotPage is a page of the tree's file, in use or not.
type rotPage struct {
	id       uint64
	offset   int64
	size     int64 // with its overflow
	flags    uint16
	count    int
	kind     string // "leaf of values", say
	free     bool
	firstKey []byte
	hit      []string
}

// rotTreeFile is the tree's file taken apart.
type rotTreeFile struct {
	data     []byte
	pageSize int64
	high     uint64 // number of pages in use or free; what is behind them was never used
	pages    []*rotPage
	places   []*rotPlace
}

var rotOrder = binary.NativeEndian

// rotReadTree takes a tree's file apart.
func rotReadTree(data []byte) (*rotTreeFile, error) {
	f := &rotTreeFile{data: data, pageSize: int64(rotOrder.Uint32(data[rotPageHeader+8:]))}
	if f.pageSize < 512 || int64(len(data)) < 4*f.pageSize {
		return nil, fmt.Errorf("a page size of %d in a file of %d bytes", f.pageSize, len(data))
	}
	current := int64(0)
	for meta := int64(0); meta < 2; meta++ {
		at := meta*f.pageSize + rotPageHeader
		if rotOrder.Uint64(data[at+48:]) > rotOrder.Uint64(data[current*f.pageSize+rotPageHeader+48:]) {
			current = meta
		}
	}
	for meta := range int64(2) {
		f.meta(meta, meta == current)
	}
	at := current*f.pageSize + rotPageHeader
	root, freelist := rotOrder.Uint64(data[at+16:]), rotOrder.Uint64(data[at+32:])
	f.high = rotOrder.Uint64(data[at+40:])
	f.tree(root, "root")
	f.freelist(freelist)
	if tail := int64(f.high) * f.pageSize; tail < int64(len(data)) {
		f.add(&rotPlace{kind: "file tail", offset: tail, size: len(data) - int(tail), shape: rotBulk, fate: rotDead})
	}
	return f, nil
}

func (f *rotTreeFile) add(p *rotPlace) {
	if p.page != nil {
		p.where = fmt.Sprintf("page %d %s", p.page.id, p.where)
		if p.hit == nil {
			p.hit = p.page.hit
		}
	}
	if p.size > 0 {
		f.places = append(f.places, p)
	}
}

// rotFields adds fields that follow one another.
type rotField struct {
	name  string
	size  int
	shape rotShape
	fate  rotFate
}

func (f *rotTreeFile) fields(like rotPlace, fields ...rotField) {
	at := like.offset
	for _, field := range fields {
		p := like
		p.kind, p.offset, p.size, p.shape = like.kind+": "+field.name, at, field.size, field.shape
		if field.fate != rotLive {
			p.fate = field.fate
		}
		f.add(&p)
		at += int64(field.size)
	}
}

// meta adds the places of a meta page. bbolt reads nothing of its page header.
func (f *rotTreeFile) meta(id int64, current bool) {
	kind := "meta before the last"
	if current {
		kind = "meta"
	}
	page := &rotPage{id: uint64(id), offset: id * f.pageSize, size: f.pageSize, flags: rotMetaPage, kind: kind}
	f.pages = append(f.pages, page)
	f.fields(rotPlace{kind: kind, offset: page.offset, page: page},
		rotField{"page header", rotPageHeader, rotBits, rotLax},
		rotField{"magic", 4, rotBits, rotLive}, rotField{"version", 4, rotBits, rotLive},
		rotField{"page size", 4, rotBits, rotLive}, rotField{"flags", 4, rotBits, rotLive},
		rotField{"root", 8, rotBits, rotLive}, rotField{"root sequence", 8, rotBits, rotLive},
		rotField{"freelist", 8, rotBits, rotLive}, rotField{"high water mark", 8, rotBits, rotLive},
		rotField{"transaction", 8, rotBits, rotLive}, rotField{"checksum", 8, rotBits, rotLive},
		rotField{"unused", int(f.pageSize) - rotPageHeader - rotMetaLen, rotBulk, rotLax})
}

// page reads a page's header.
func (f *rotTreeFile) page(id uint64) *rotPage {
	at := int64(id) * f.pageSize
	return &rotPage{
		id: id, offset: at,
		flags: rotOrder.Uint16(f.data[at+8:]),
		count: int(rotOrder.Uint16(f.data[at+10:])),
		size:  (1 + int64(rotOrder.Uint32(f.data[at+12:]))) * f.pageSize,
	}
}

// tree adds the places of the page, of those below it and of the buckets in it.
func (f *rotTreeFile) tree(id uint64, bucket string) *rotPage {
	p := f.page(id)
	f.pages = append(f.pages, p)
	p.kind = "leaf of " + bucket
	if p.flags == rotBranch {
		p.kind = "branch of " + bucket
	}
	end := f.node(p, p.offset, bucket, p.kind)
	f.add(&rotPlace{kind: p.kind + ": unused", page: p, offset: end, size: int(p.offset + p.size - end), shape: rotBulk, fate: rotLax})
	return p
}

// node adds the places of a branch or leaf that begins at an offset, which an inline page does within another
// page, and returns where it ends.
func (f *rotTreeFile) node(p *rotPage, at int64, bucket, kind string) (end int64) {
	flags, count := rotOrder.Uint16(f.data[at+8:]), int64(rotOrder.Uint16(f.data[at+10:]))
	inline := at != p.offset
	ignored := rotLive
	if inline {
		ignored = rotLax
	}
	header := rotPlace{kind: kind, where: "header", offset: at, page: p}
	end = at + rotPageHeader + count*rotElement
	for i := range count {
		element := at + rotPageHeader + i*rotElement
		if flags == rotBranch {
			end = max(end, f.branchElement(p, element, bucket, kind, int(i)))
		} else {
			end = max(end, f.leafElement(p, element, bucket, kind, int(i)))
		}
	}
	p.hit = rotSome(p.hit)
	f.fields(header, rotField{"id", 8, rotBits, ignored}, rotField{"flags", 2, rotBits, rotLive},
		rotField{"count", 2, rotCount, rotLive}, rotField{"overflow", 4, rotBits, ignored})
	return end
}

func (f *rotTreeFile) branchElement(p *rotPage, at int64, bucket, kind string, i int) (end int64) {
	pos, ksize := int64(rotOrder.Uint32(f.data[at:])), int64(rotOrder.Uint32(f.data[at+4:]))
	child := f.tree(rotOrder.Uint64(f.data[at+8:]), bucket)
	key := f.data[at+pos:][:ksize]
	if i == 0 {
		p.firstKey = key
	}
	p.hit = append(p.hit, child.hit...)
	like := rotPlace{kind: kind + ": element", where: fmt.Sprintf("element %d", i), offset: at, page: p, child: child, hit: child.hit}
	f.fields(like, rotField{"pos", 4, rotBits, rotLive}, rotField{"ksize", 4, rotBits, rotLive}, rotField{"pgid", 8, rotPgid, rotLive})
	f.add(&rotPlace{kind: kind + ": key", where: like.where, offset: at + pos, size: int(ksize), shape: rotBulk, page: p, hit: child.hit})
	return at + pos + ksize
}

func (f *rotTreeFile) leafElement(p *rotPage, at int64, bucket, kind string, i int) (end int64) {
	flags, pos := rotOrder.Uint32(f.data[at:]), int64(rotOrder.Uint32(f.data[at+4:]))
	ksize, vsize := int64(rotOrder.Uint32(f.data[at+8:])), int64(rotOrder.Uint32(f.data[at+12:]))
	key := f.data[at+pos:][:ksize]
	if i == 0 {
		p.firstKey = key
	}
	like := rotPlace{kind: kind + ": element", where: fmt.Sprintf("element %d", i), offset: at, page: p, first: f.firstKey(at - int64(i)*rotElement)}
	if record := rotRecordOf(bucket, key); record != "" {
		like.hit = []string{record}
		p.hit = append(p.hit, record)
	}
	flagsFate := rotLive
	if bucket != "values" && bucket != "records" {
		flagsFate = rotLax // of all the bits bbolt reads the one that makes a bucket
	}
	f.fields(like, rotField{"flags", 4, rotBits, flagsFate},
		rotField{"pos", 4, rotBits, rotLive}, rotField{"ksize", 4, rotBits, rotLive}, rotField{"vsize", 4, rotBits, rotLive})
	like.kind, like.offset = kind, at+pos
	f.key(like, bucket, key)
	like.offset += ksize
	value := f.data[like.offset:][:vsize]
	if flags&rotBucketFlag != 0 {
		f.bucket(like, string(key), value)
	} else {
		f.value(like, bucket, key, value)
	}
	return at + pos + ksize + vsize
}

// firstKey is the key of a leaf's first element.
func (f *rotTreeFile) firstKey(element int64) []byte {
	pos, ksize := int64(rotOrder.Uint32(f.data[element+4:])), int64(rotOrder.Uint32(f.data[element+8:]))
	return f.data[element+pos:][:ksize]
}

// bucket is the bucket whose keys and values a place is among, if they are chunks or catalogue entries.
func (p *rotPlace) bucket() string {
	for _, bucket := range []string{"values", "records"} {
		if strings.Contains(p.kind, "of "+bucket) {
			return bucket
		}
	}
	return ""
}

// rotRecordOf is the record that a key of a bucket belongs to.
func rotRecordOf(bucket string, key []byte) string {
	switch bucket {
	case "values":
		record, _, _ := bytes.Cut(key, []byte{0})
		return string(record)
	case "records":
		return string(key)
	}
	return ""
}

func (f *rotTreeFile) key(like rotPlace, bucket string, key []byte) {
	name := bytes.IndexByte(key, 0)
	if bucket != "values" || name < 0 {
		f.fields(like, rotField{"key", len(key), rotBulk, rotLive})
		return
	}
	f.fields(like, rotField{"name in key", name, rotBulk, rotLive}, rotField{"separator", 1, rotBits, rotLive},
		rotField{"timestamp", 8, rotBits, rotLive}, rotField{"ordinal", len(key) - name - 9, rotBits, rotLive})
}

// bucket adds the places of a bucket's header, and of its inline page or of its own pages.
func (f *rotTreeFile) bucket(like rotPlace, name string, value []byte) {
	like.kind = "bucket " + name
	root := rotOrder.Uint64(value)
	if root != 0 {
		like.child = f.tree(root, name)
		like.hit = like.child.hit
		like.page.hit = append(like.page.hit, like.hit...)
		f.fields(like, rotField{"root", 8, rotPgid, rotLive}, rotField{"sequence", 8, rotBits, rotLax})
		return
	}
	f.node(like.page, like.offset+rotBucketLen, name, "inline page of "+name)
	f.fields(like, rotField{"no root", 8, rotBits, rotLive}, rotField{"sequence", 8, rotBits, rotLax})
}

// value adds the places of a value, by the formats that packages codec and index document.
func (f *rotTreeFile) value(like rotPlace, bucket string, key, value []byte) {
	switch bucket {
	case "values":
		like.record, like.key, like.kind = rotRecordOf(bucket, key), key, like.kind+": chunk"
		f.encoded(like, value, []rotField{{"version", 1, rotBits, rotLive}, {"compression", 1, rotBits, rotLive},
			{"header checksum", 4, rotBits, rotLive}, {"body checksum", 4, rotBits, rotLive}},
			[]string{"count", "span", "sequence", "range", "value bytes", "columns"}, "body")
	case "records":
		like.record, like.key, like.kind = rotRecordOf(bucket, key), key, like.kind+": entry"
		f.encoded(like, value, []rotField{{"version", 1, rotBits, rotLive}, {"checksum", 4, rotBits, rotLive}},
			[]string{"count", "bytes", "oldest", "newest", "sequence", "inline"}, "newest value")
	default:
		like.kind = fmt.Sprintf("%s: %q", like.kind, key)
		f.fields(like, rotField{"value", len(value), rotBulk, rotLive})
	}
}

// encoded adds the places of a value that is made of fields, uvarints and the rest.
func (f *rotTreeFile) encoded(like rotPlace, value []byte, fields []rotField, uvarints []string, rest string) {
	at := 0
	for _, field := range fields {
		at += field.size
	}
	for _, name := range uvarints {
		_, n := binary.Uvarint(value[at:])
		fields, at = append(fields, rotField{name, n, rotBits, rotLive}), at+n
	}
	fields = append(fields, rotField{rest, len(value) - at, rotBulk, rotLive})
	f.fields(like, fields...)
}

// freelist adds the places of the freelist and of the pages in it.
func (f *rotTreeFile) freelist(id uint64) {
	p := f.page(id)
	p.kind = "freelist"
	f.pages = append(f.pages, p)
	f.fields(rotPlace{kind: p.kind, where: "header", offset: p.offset, page: p},
		rotField{"id", 8, rotBits, rotLive}, rotField{"flags", 2, rotBits, rotLive},
		rotField{"count", 2, rotCount, rotLive}, rotField{"overflow", 4, rotBits, rotLive})
	at := p.offset + rotPageHeader
	for i := range p.count {
		f.add(&rotPlace{kind: "freelist: ids", where: fmt.Sprintf("id %d", i), offset: at, size: 8, shape: rotPgid, page: p})
		free := f.freePage(rotOrder.Uint64(f.data[at:]))
		f.pages = append(f.pages, free)
		f.add(&rotPlace{kind: "free page", where: free.kind, offset: free.offset, size: int(free.size), shape: rotBulk, fate: rotDead, page: free})
		at += 8
	}
	f.add(&rotPlace{kind: "freelist: unused", offset: at, size: int(p.offset + p.size - at), shape: rotBulk, fate: rotLax, page: p})
}

// freePage finds out what a free page once was. A page that overflowed has its own number still only in its
// first page.
func (f *rotTreeFile) freePage(id uint64) *rotPage {
	p := f.page(id)
	p.free, p.size = true, f.pageSize
	if rotOrder.Uint64(f.data[p.offset:]) != id {
		p.flags, p.count = 0, 0
	}
	p.kind = fmt.Sprintf("free page with flags %d", p.flags)
	element := p.offset + rotPageHeader
	if p.count == 0 || p.flags != rotBranch && p.flags != rotLeaf {
		return p
	}
	at := 0
	if p.flags == rotLeaf {
		at = 4
	}
	pos := int64(rotOrder.Uint32(f.data[element+int64(at):]))
	ksize := int64(rotOrder.Uint32(f.data[element+int64(at)+4:]))
	if end := element + pos + ksize; end <= int64(len(f.data)) {
		p.firstKey = f.data[element+pos : end]
	}
	return p
}

// rotSome returns the first, the middle and the last of a page's records.
func rotSome(records []string) []string {
	if len(records) <= 3 {
		return records
	}
	return []string{records[0], records[len(records)/2], records[len(records)-1]}
}

// others returns the pages that a page number can be made to lead to in place of child: those of its kind, in use
// or free, and, first of all, what child itself once was.
func (f *rotTreeFile) others(child *rotPage) (former, others []*rotPage) {
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
