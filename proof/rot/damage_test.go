// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const rotSector = 512

// rotCase is one damage to one place of one victim, and what is to become of it. It is complete: whoever runs it
// needs the victims, and nothing else.
type rotCase struct {
	Victim string
	Kind   string // of place and damage
	Where  string

	File     string // relative to the store
	Offset   int64
	Bytes    []byte // what is there afterwards
	Truncate bool   // the file ends at Offset instead
	Open     bool   // the store is open when it happens

	Fate  rotFate
	Keep  uint64   // where the fate is rotTorn: the sequence number up to which values are left
	Hit   []string // records that are read through the place
	Named [2]rotName
	From  int64 // Check names an offset from here, unless To is 0
	To    int64 // to before here
}

// rotName is a record and a key of it. Check must name those of the chunk or catalogue entry that was hit, or those
// that the page begins with: where a page does not agree with its checksum, nothing in it is to be believed.
type rotName struct {
	Record string
	Key    []byte
}

func (c *rotCase) String() string { return fmt.Sprintf("%s/%s/%s", c.Victim, c.Kind, c.Where) }

// rotSampler keeps so many cases of each kind.
type rotSampler struct {
	most  int // 0: all
	seed  uint64
	kinds map[string]*rotSample
	order []string
}

// rotSample is a reservoir: each of the cases seen has the same chance to be kept.
type rotSample struct {
	random *rand.Rand
	seen   int
	cases  []*rotCase
}

// rotFullBulk is how many cases of sampled bytes even a full run keeps of each kind.
const rotFullBulk = 2000

func (s *rotSampler) add(c *rotCase, most int) {
	kind := c.Victim + "/" + c.Kind
	sample := s.kinds[kind]
	if sample == nil {
		hash := fnv.New64a()
		hash.Write([]byte(kind))
		sample = &rotSample{random: rand.New(rand.NewPCG(s.seed, hash.Sum64()))}
		s.kinds[kind] = sample
		s.order = append(s.order, kind)
	}
	sample.seen++
	if most == 0 || len(sample.cases) < most {
		sample.cases = append(sample.cases, c)
	} else if at := sample.random.IntN(sample.seen); at < most {
		sample.cases[at] = c
	}
}

func (s *rotSampler) cases() (all []*rotCase) {
	for _, kind := range s.order {
		all = append(all, s.kinds[kind].cases...)
	}
	return all
}

// rotDamages makes the cases of one victim's file.
type rotDamages struct {
	*rotSampler
	like rotCase // what all have in common
	data []byte
	open bool
}

func (d *rotDamages) put(kind, where string, place *rotPlace, offset int64, bytes []byte, most int) {
	if slices.Equal(d.data[offset:][:len(bytes)], bytes) {
		return
	}
	c := d.like
	c.Kind, c.Where = kind, fmt.Sprintf("%s, offset %d", where, offset)
	c.Offset, c.Bytes = offset, bytes
	c.Fate, c.Hit = place.fate, place.hit
	if bucket := place.bucket(); bucket != "" {
		c.From, c.To = place.page.offset, place.page.offset+place.page.size
		if place.record != "" {
			c.Named = [2]rotName{{place.record, place.key}, {rotRecordOf(bucket, place.first), place.first}}
		}
	}
	if c.Open = d.open; c.Open {
		c.Kind = "open: " + c.Kind
	}
	d.add(&c, most)
}

// field damages a place as its shape asks for.
func (d *rotDamages) field(p *rotPlace) {
	if p.shape == rotBulk {
		d.bulk(p)
		return
	}
	for bit := range 8 * p.size {
		offset := p.offset + int64(bit/8)
		flipped := d.data[offset] ^ 1<<(bit%8)
		d.put(p.kind+", bit", fmt.Sprintf("%s bit %d", p.where, bit), p, offset, []byte{flipped}, d.most)
	}
	if p.shape == rotCount {
		count := rotOrder.Uint16(d.data[p.offset:])
		for _, other := range []uint16{count - 1, count + 1, 0, 0xffff} {
			d.put(p.kind+", count", fmt.Sprintf("%s set to %d", p.where, other), p, p.offset, rotOrder.AppendUint16(nil, other), d.most)
		}
	}
}

// bulk flips a bit of each byte of a place; which ones are run is the sampler's to choose.
func (d *rotDamages) bulk(p *rotPlace) {
	most := d.most
	if most == 0 {
		most = rotFullBulk
	}
	for i := range p.size {
		offset := p.offset + int64(i)
		bit := (int(offset) ^ int(d.seed)) % 8
		d.put(p.kind+", bit", fmt.Sprintf("%s byte %d bit %d", p.where, i, bit), p, offset, []byte{d.data[offset] ^ 1<<bit}, most)
	}
}

// zeros zeroes so many bytes.
func (d *rotDamages) zeros(kind, where string, p *rotPlace, offset, size int64) {
	size = min(size, int64(len(d.data))-offset)
	d.put(kind, where, p, offset, make([]byte, size), d.most)
}

// cut truncates the file.
func (d *rotDamages) cut(where string, offset int64, p *rotPlace) {
	if offset < 0 || offset >= int64(len(d.data)) {
		return
	}
	c := d.like
	c.Kind, c.Where = p.kind, fmt.Sprintf("%s, at offset %d", where, offset)
	c.Truncate, c.Offset, c.Fate, c.Keep, c.Hit = true, offset, p.fate, d.like.Keep, p.hit
	if c.Open = d.open; c.Open {
		c.Kind = "open: " + c.Kind
	}
	d.add(&c, 5*d.most)
}

// rotTreeCases damages a victim's tree.
func rotTreeCases(t *testing.T, v *rotVictim, s *rotSampler, open bool) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(v.store(), rotTree))
	if err != nil {
		t.Fatal(err)
	}
	f, err := rotReadTree(data)
	if err != nil {
		t.Fatalf("victim %s: %v", v.name, err)
	}
	d := &rotDamages{rotSampler: s, data: data, open: open, like: rotCase{Victim: v.name, File: rotTree}}
	for _, p := range f.places {
		d.field(p)
		if p.shape == rotPgid {
			d.misdirect(f, p)
		}
	}
	for _, p := range f.pages {
		d.page(f, p)
	}
	all := &rotPlace{kind: "file"}
	d.zeros("file, zeros", "whole", all, 0, int64(len(data)))
	d.cutTree(f)
}

// misdirect makes a page number lead to other pages: first of all to what the page once was, which has the number,
// the flags, the keys and the checksums of its values that it ought to have.
func (d *rotDamages) misdirect(f *rotTreeFile, p *rotPlace) {
	var former, others []*rotPage
	if p.child != nil {
		former, others = f.others(p.child)
	} else { // the freelist's: what is in use is said to be free
		for _, page := range f.pages {
			if !page.free {
				others = append(others, page)
			}
		}
	}
	for _, to := range former {
		d.put(p.kind+", leads to a former version", fmt.Sprintf("%s to page %d", p.where, to.id), p, p.offset, rotOrder.AppendUint64(nil, to.id), 4*d.most)
	}
	for _, to := range others {
		d.put(p.kind+", leads elsewhere", fmt.Sprintf("%s to page %d, %s", p.where, to.id, to.kind), p, p.offset, rotOrder.AppendUint64(nil, to.id), 2*d.most)
	}
}

// page zeroes a page and its sectors.
func (d *rotDamages) page(f *rotTreeFile, page *rotPage) {
	kind := page.kind
	place := &rotPlace{kind: kind, hit: page.hit, page: page}
	if page.free {
		kind, place.fate = "free page", rotDead
	}
	where := fmt.Sprintf("page %d", page.id)
	d.zeros(kind+", page of zeros", where, place, page.offset, page.size)
	for at := int64(0); at < page.size; at += rotSector {
		sector := *place
		if !page.free && !f.live(page.offset+at, page.offset+at+rotSector) {
			sector.fate = rotLax
		}
		d.zeros(kind+", sector of zeros", fmt.Sprintf("%s sector %d", where, at/rotSector), &sector, page.offset+at, rotSector)
	}
}

// live reports whether anything between two offsets is ever looked at.
func (f *rotTreeFile) live(from, to int64) bool {
	return slices.ContainsFunc(f.places, func(p *rotPlace) bool {
		return p.fate == rotLive && p.offset < to && p.offset+int64(p.size) > from
	})
}

// cutTree truncates a tree's file at its start, at and about each page, and at its end.
func (d *rotDamages) cutTree(f *rotTreeFile) {
	used := int64(f.high) * f.pageSize
	at := func(where string, offset int64) {
		p := &rotPlace{kind: "file, cut off"}
		if offset >= used {
			p.fate = rotDead // pages that were never used
		} else if !f.live(offset, used) {
			p.fate = rotLax // free pages, and what a page has behind its elements
		}
		d.cut(where, offset, p)
	}
	at("at the start", 0)
	at("behind one byte", 1)
	at("one byte short", int64(len(d.data))-1)
	for page := f.pageSize; page < int64(len(d.data)); page += f.pageSize {
		at("at a page", page)
		at("before a page", page-1)
		at("within a page", page+f.pageSize/2)
		at("within a page", page+rotSector)
	}
}

// rotLogCases damages a victim's log.
func rotLogCases(t *testing.T, v *rotVictim, s *rotSampler) {
	t.Helper()
	state := newRotLogState(rotReadLog(t, v.store()), v.contents.Watermark)
	if state.used < 0 {
		t.Fatalf("victim %s: no segment has a frame", v.name)
	}
	for i, segment := range state.segments {
		d := &rotLogDamages{state: state, i: i, rotDamages: rotDamages{
			rotSampler: s, data: segment.data, like: rotCase{Victim: v.name, File: segment.file},
		}}
		d.all(segment)
	}
}

// rotLogDamages makes the cases of one segment.
type rotLogDamages struct {
	rotDamages
	state *rotLogState
	i     int
}

// name says what part the segment plays.
func (d *rotLogDamages) name() string {
	switch {
	case d.i > d.state.used:
		return "prepared segment"
	case d.i == d.state.used:
		return "last segment"
	case d.state.needed(d.i):
		return "sealed segment"
	}
	return "released segment"
}

// as adopts the fate of what lies between two offsets.
func (d *rotLogDamages) as(kind string, from, to int64) *rotPlace {
	p := &rotPlace{kind: d.name() + ": " + kind, offset: from, size: int(to - from), where: fmt.Sprintf("segment %d", d.state.segments[d.i].number)}
	p.fate, d.like.Keep = d.state.fate(d.i, from, to)
	return p
}

func (d *rotLogDamages) all(s *rotSegment) {
	size := int64(len(d.data))
	at := int64(0)
	for _, field := range []rotField{{"magic", 8, rotBits, 0}, {"version", 4, rotBits, 0}, {"zero", 4, rotBits, 0}, {"number", 8, rotBits, 0},
		{"first sequence", 8, rotBits, 0}, {"size", 8, rotBits, 0}, {"checksum", 4, rotBits, 0}} {
		d.field(d.as("header: "+field.name, at, at+int64(field.size)))
		at += int64(field.size)
	}
	for k, f := range s.frames {
		d.frame(s, k, f)
	}
	d.behind(s.end(), size)
	for at := int64(0); at < size; at += rotSector {
		p := d.as("sector", at, min(at+rotSector, size))
		d.zeros(p.kind+" of zeros", p.where, p, at, rotSector)
	}
	p := d.as("file", 0, size)
	d.zeros(p.kind+" of zeros", p.where, p, 0, size)
	for _, at := range []int64{0, 1, 20, rotSegmentHeader - 1, rotSegmentHeader, size / 2, size - 1} {
		d.cutSegment(at)
	}
}

// frame damages each field of a frame, its payload and all of it, and cuts the file off about it.
func (d *rotLogDamages) frame(s *rotSegment, k int, f rotFrame) {
	kind := "frame"
	switch {
	case f.seal:
		kind = "seal"
	case k == len(s.frames)-1:
		kind = "last frame"
	}
	at := f.offset
	for _, name := range []string{"length", "values", "durable", "header checksum", "checksum"} {
		d.field(d.as(kind+": "+name, at, at+4))
		at += 4
	}
	d.sampled(d.as(kind+": payload", at, f.end))
	p := d.as(kind, f.offset, f.end)
	d.zeros(p.kind+" of zeros", p.where, p, f.offset, f.end-f.offset)
	d.cutSegment(f.offset)
	d.cutSegment(f.offset + 7)
	d.cutSegment((f.offset + f.end) / 2)
}

// sampled damages some bytes of a long place. A payload or a segment's end has too many to make a case of each.
func (d *rotLogDamages) sampled(p *rotPlace) {
	random := rand.New(rand.NewPCG(d.seed, uint64(p.offset)))
	for range min(p.size, 24) {
		one := *p
		one.offset, one.size = p.offset+int64(random.IntN(p.size)), 1
		d.bulk(&one)
	}
}

// behind damages what no frame covers: zeros, and what a recycled segment held before.
func (d *rotLogDamages) behind(from, to int64) {
	if from >= to {
		return
	}
	kind := "zeros behind the end"
	if len(strings.Trim(string(d.data[from:to]), "\x00")) > 0 {
		kind = "remains behind the end"
	}
	d.sampled(d.as(kind, from, min(from+100, to)))
	d.sampled(d.as(kind, from, to))
}

func (d *rotLogDamages) cutSegment(at int64) {
	size := int64(len(d.data))
	if at < 0 || at >= size {
		return
	}
	p := d.as("cut off", at, size)
	switch {
	case d.i > d.state.used:
		p.fate = rotLax // it is missing, but nothing of it is
	case p.fate == rotDead || p.fate == rotTorn:
		p.fate = rotLive // the header says how long it was
	}
	d.like.Keep = 0
	d.cut(p.where, at, p)
}
