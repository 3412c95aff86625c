// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// The format of bbolt: a page has a header and elements, and numbers have the byte order of the
// machine.
const (
	pageHeaderLen   = 16
	elementLen      = 16 // in branches and in leaves
	bucketHeaderLen = 16 // an inline page may follow the header
	metaLen         = 64

	branchFlag   = 0x01
	leafFlag     = 0x02
	metaFlag     = 0x04
	freelistFlag = 0x10

	bucketFlag = 1 // in the flags of a leaf's element
)

// shape says which damage suits a spot.
type shape int

const (
	everyBit     shape = iota // a short field: flip each of its bits
	someBits                  // long data: flip some of its bits
	elementCount              // a field with the number of elements
	pageNumber                // a field with the number of a page
)

// spot is a place in a file that can be damaged.
type spot struct {
	kind   string // the name of all spots of its kind
	where  string // identifies it among them
	offset int64
	size   int
	shape  shape
	expect expectation

	record string    // the record, in a chunk or a catalogue entry
	key    []byte    // the key of the chunk or entry
	first  []byte    // the first key of the leaf, in a leaf
	hit    []string  // some records that are read through the spot
	page   *treePage // the page of the spot; nil in the log
	child  *treePage // the page with the number in the spot, if the shape is pageNumber
}

// treePage is a page of the tree's file.
type treePage struct {
	id       uint64
	offset   int64
	size     int64 // with its overflow pages
	flags    uint16
	count    int
	kind     string // for example "leaf of values"
	free     bool
	firstKey []byte
	hit      []string // some records that are read through the page
}

// treeFile has the pages and spots of a tree's file.
type treeFile struct {
	data     []byte
	pageSize int64
	high     uint64 // number of pages that were ever used
	pages    []*treePage
	spots    []*spot
}

var nativeOrder = binary.NativeEndian

// readTree finds the pages and spots of a tree's file.
func readTree(data []byte) (*treeFile, error) {
	f := &treeFile{data: data, pageSize: int64(nativeOrder.Uint32(data[pageHeaderLen+8:]))}
	if f.pageSize < 512 || int64(len(data)) < 4*f.pageSize {
		return nil, fmt.Errorf("a page size of %d in a file of %d bytes", f.pageSize, len(data))
	}
	current := int64(0)
	if f.transaction(1) > f.transaction(0) {
		current = 1
	}
	for meta := range int64(2) {
		f.addMeta(meta, meta == current)
	}
	at := current*f.pageSize + pageHeaderLen
	root, freelist := nativeOrder.Uint64(data[at+16:]), nativeOrder.Uint64(data[at+32:])
	f.high = nativeOrder.Uint64(data[at+40:])
	f.addPages(root, "root")
	f.addFreelist(freelist)
	if tail := int64(f.high) * f.pageSize; tail < int64(len(data)) {
		f.add(&spot{kind: "file tail", offset: tail, size: len(data) - int(tail), shape: someBits, expect: harmless})
	}
	return f, nil
}

// transaction returns the number of the transaction that wrote a meta page.
func (f *treeFile) transaction(meta int64) uint64 {
	return nativeOrder.Uint64(f.data[meta*f.pageSize+pageHeaderLen+48:])
}

func (f *treeFile) add(s *spot) {
	if s.page != nil {
		s.where = fmt.Sprintf("page %d %s", s.page.id, s.where)
		if s.hit == nil {
			s.hit = s.page.hit
		}
	}
	if s.size > 0 {
		f.spots = append(f.spots, s)
	}
}

// fieldSpec describes a field of a page.
type fieldSpec struct {
	name   string
	size   int
	shape  shape
	expect expectation
}

// addFields adds the spots of fields that follow one another.
func (f *treeFile) addFields(like spot, fields ...fieldSpec) {
	at := like.offset
	for _, field := range fields {
		s := like
		s.kind, s.offset, s.size, s.shape = like.kind+": "+field.name, at, field.size, field.shape
		if field.expect != mustFind {
			s.expect = field.expect
		}
		f.add(&s)
		at += int64(field.size)
	}
}

// addMeta adds the spots of a meta page. bbolt does not read the page header of a meta page.
func (f *treeFile) addMeta(id int64, current bool) {
	kind := "former meta"
	if current {
		kind = "meta"
	}
	page := &treePage{id: uint64(id), offset: id * f.pageSize, size: f.pageSize, flags: metaFlag, kind: kind}
	f.pages = append(f.pages, page)
	f.addFields(spot{kind: kind, offset: page.offset, page: page},
		fieldSpec{"page header", pageHeaderLen, everyBit, mayFind},
		fieldSpec{"magic", 4, everyBit, mustFind}, fieldSpec{"version", 4, everyBit, mustFind},
		fieldSpec{"page size", 4, everyBit, mustFind}, fieldSpec{"flags", 4, everyBit, mustFind},
		fieldSpec{"root", 8, everyBit, mustFind}, fieldSpec{"root sequence", 8, everyBit, mustFind},
		fieldSpec{"freelist", 8, everyBit, mustFind}, fieldSpec{"high water mark", 8, everyBit, mustFind},
		fieldSpec{"transaction", 8, everyBit, mustFind}, fieldSpec{"checksum", 8, everyBit, mustFind},
		fieldSpec{"unused", int(f.pageSize) - pageHeaderLen - metaLen, someBits, mayFind})
}

// page reads the header of a page.
func (f *treeFile) page(id uint64) *treePage {
	at := int64(id) * f.pageSize
	return &treePage{
		id: id, offset: at,
		flags: nativeOrder.Uint16(f.data[at+8:]),
		count: int(nativeOrder.Uint16(f.data[at+10:])),
		size:  (1 + int64(nativeOrder.Uint32(f.data[at+12:]))) * f.pageSize,
	}
}

// addPages adds a page of a bucket, the pages below it, and the buckets in it.
func (f *treeFile) addPages(id uint64, bucket string) *treePage {
	p := f.page(id)
	f.pages = append(f.pages, p)
	p.kind = "leaf of " + bucket
	if p.flags == branchFlag {
		p.kind = "branch of " + bucket
	}
	end := f.addNode(p, p.offset, bucket, p.kind)
	f.add(&spot{
		kind: p.kind + ": unused", page: p, offset: end, size: int(p.offset + p.size - end),
		shape: someBits, expect: mayFind,
	})
	return p
}

// addNode adds the spots of a branch or leaf at an offset, and returns the offset of its end. A
// page is one node, and an inline page is a node within another page.
func (f *treeFile) addNode(p *treePage, at int64, bucket, kind string) (end int64) {
	flags, count := nativeOrder.Uint16(f.data[at+8:]), int64(nativeOrder.Uint16(f.data[at+10:]))
	inline := at != p.offset
	idExpect := mustFind
	if inline { // bbolt does not read the page number and the overflow of an inline page
		idExpect = mayFind
	}
	header := spot{kind: kind, where: "header", offset: at, page: p}
	end = at + pageHeaderLen + count*elementLen
	for i := range count {
		element := at + pageHeaderLen + i*elementLen
		if flags == branchFlag {
			end = max(end, f.addBranchElement(p, element, bucket, kind, int(i)))
		} else {
			end = max(end, f.addLeafElement(p, element, bucket, kind, int(i)))
		}
	}
	p.hit = firstMiddleLast(p.hit)
	f.addFields(header, fieldSpec{"id", 8, everyBit, idExpect}, fieldSpec{"flags", 2, everyBit, mustFind},
		fieldSpec{"count", 2, elementCount, mustFind}, fieldSpec{"overflow", 4, everyBit, idExpect})
	return end
}

// addBranchElement adds the spots of an element and its key, and the page that it leads to.
func (f *treeFile) addBranchElement(p *treePage, at int64, bucket, kind string, i int) (end int64) {
	pos, ksize := int64(nativeOrder.Uint32(f.data[at:])), int64(nativeOrder.Uint32(f.data[at+4:]))
	child := f.addPages(nativeOrder.Uint64(f.data[at+8:]), bucket)
	key := f.data[at+pos:][:ksize]
	if i == 0 {
		p.firstKey = key
	}
	p.hit = append(p.hit, child.hit...)
	where := fmt.Sprintf("element %d", i)
	like := spot{kind: kind + ": element", where: where, offset: at, page: p, child: child, hit: child.hit}
	f.addFields(like, fieldSpec{"pos", 4, everyBit, mustFind}, fieldSpec{"ksize", 4, everyBit, mustFind},
		fieldSpec{"pgid", 8, pageNumber, mustFind})
	f.add(&spot{
		kind: kind + ": key", where: where, offset: at + pos, size: int(ksize), shape: someBits,
		page: p, hit: child.hit,
	})
	return at + pos + ksize
}

// addLeafElement adds the spots of an element, its key and its value.
func (f *treeFile) addLeafElement(p *treePage, at int64, bucket, kind string, i int) (end int64) {
	flags, pos := nativeOrder.Uint32(f.data[at:]), int64(nativeOrder.Uint32(f.data[at+4:]))
	ksize, vsize := int64(nativeOrder.Uint32(f.data[at+8:])), int64(nativeOrder.Uint32(f.data[at+12:]))
	key := f.data[at+pos:][:ksize]
	if i == 0 {
		p.firstKey = key
	}
	like := spot{
		kind: kind + ": element", where: fmt.Sprintf("element %d", i), offset: at, page: p,
		first: f.firstKey(at - int64(i)*elementLen),
	}
	if record := recordOfKey(bucket, key); record != "" {
		like.hit = []string{record}
		p.hit = append(p.hit, record)
	}
	flagsExpect := mustFind
	if bucket != "values" && bucket != "records" {
		flagsExpect = mayFind // bbolt reads only bucketFlag
	}
	f.addFields(like, fieldSpec{"flags", 4, everyBit, flagsExpect},
		fieldSpec{"pos", 4, everyBit, mustFind}, fieldSpec{"ksize", 4, everyBit, mustFind},
		fieldSpec{"vsize", 4, everyBit, mustFind})
	like.kind, like.offset = kind, at+pos
	f.addKey(like, bucket, key)
	like.offset += ksize
	value := f.data[like.offset:][:vsize]
	if flags&bucketFlag != 0 {
		f.addBucket(like, string(key), value)
	} else {
		f.addValue(like, bucket, key, value)
	}
	return at + pos + ksize + vsize
}

// firstKey returns the key of a leaf's first element.
func (f *treeFile) firstKey(element int64) []byte {
	pos, ksize := int64(nativeOrder.Uint32(f.data[element+4:])), int64(nativeOrder.Uint32(f.data[element+8:]))
	return f.data[element+pos:][:ksize]
}

// bucket returns the bucket that the spot is in, if that is the bucket of the chunks or of the
// catalogue entries.
func (s *spot) bucket() string {
	for _, bucket := range []string{"values", "records"} {
		if strings.Contains(s.kind, "of "+bucket) {
			return bucket
		}
	}
	return ""
}

// recordOfKey returns the record of a chunk's or catalogue entry's key.
func recordOfKey(bucket string, key []byte) string {
	switch bucket {
	case "values":
		record, _, _ := bytes.Cut(key, []byte{0})
		return string(record)
	case "records":
		return string(key)
	}
	return ""
}

// addKey adds the spots of a key. The key of a chunk consists of several fields. Each key of the
// bucket "meta" is a kind of its own: another one may be missing without notice.
func (f *treeFile) addKey(like spot, bucket string, key []byte) {
	name := bytes.IndexByte(key, 0)
	if bucket == "meta" {
		like.kind = fmt.Sprintf("%s: %q", like.kind, key)
	}
	if bucket != "values" || name < 0 {
		f.addFields(like, fieldSpec{"key", len(key), someBits, mustFind})
		return
	}
	f.addFields(like,
		fieldSpec{"name in key", name, someBits, mustFind}, fieldSpec{"separator", 1, everyBit, mustFind},
		fieldSpec{"timestamp", 8, everyBit, mustFind}, fieldSpec{"ordinal", len(key) - name - 9, everyBit, mustFind})
}

// addBucket adds the spots of a bucket's header, and its inline page or its own pages.
func (f *treeFile) addBucket(like spot, name string, value []byte) {
	like.kind = "bucket " + name
	root := nativeOrder.Uint64(value)
	if root != 0 {
		like.child = f.addPages(root, name)
		like.hit = like.child.hit
		like.page.hit = append(like.page.hit, like.hit...)
		f.addFields(like, fieldSpec{"root", 8, pageNumber, mustFind}, fieldSpec{"sequence", 8, everyBit, mayFind})
		return
	}
	f.addNode(like.page, like.offset+bucketHeaderLen, name, "inline page of "+name)
	f.addFields(like, fieldSpec{"no root", 8, everyBit, mustFind}, fieldSpec{"sequence", 8, everyBit, mayFind})
}

// addValue adds the spots of a value. The formats of chunks and catalogue entries are documented in
// packages codec and tree.
func (f *treeFile) addValue(like spot, bucket string, key, value []byte) {
	switch bucket {
	case "values":
		like.record, like.key, like.kind = recordOfKey(bucket, key), key, like.kind+": chunk"
		fields := []fieldSpec{
			{"version", 1, everyBit, mustFind}, {"compression", 1, everyBit, mustFind},
			{"header checksum", 4, everyBit, mustFind}, {"body checksum", 4, everyBit, mustFind},
		}
		f.addEncoded(like, value, fields,
			[]string{"count", "span", "sequence", "range", "value bytes", "columns"}, "body")
	case "records":
		like.record, like.key, like.kind = recordOfKey(bucket, key), key, like.kind+": entry"
		f.addEncoded(like, value, []fieldSpec{{"version", 1, everyBit, mustFind}, {"checksum", 4, everyBit, mustFind}},
			[]string{"count", "bytes", "oldest", "newest", "sequence", "inline"}, "newest value")
	default:
		like.kind = fmt.Sprintf("%s: %q", like.kind, key)
		f.addFields(like, fieldSpec{"value", len(value), someBits, mustFind})
	}
}

// addEncoded adds the spots of a value that consists of fields, uvarints and a rest.
func (f *treeFile) addEncoded(like spot, value []byte, fields []fieldSpec, uvarints []string, rest string) {
	at := 0
	for _, field := range fields {
		at += field.size
	}
	for _, name := range uvarints {
		_, n := binary.Uvarint(value[at:])
		fields, at = append(fields, fieldSpec{name, n, everyBit, mustFind}), at+n
	}
	fields = append(fields, fieldSpec{rest, len(value) - at, someBits, mustFind})
	f.addFields(like, fields...)
}

// firstMiddleLast returns the first, the middle and the last of some records.
func firstMiddleLast(records []string) []string {
	if len(records) <= 3 {
		return records
	}
	return []string{records[0], records[len(records)/2], records[len(records)-1]}
}
