// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
)

const sectorSize = 512

// expectation says what must follow from a damage.
type expectation int

const (
	mustFind expectation = iota // Open or Check must find the damage
	mayFind                     // Open or Check may find it, but nothing needs the damaged bytes
	harmless                    // the damage has no effect, and no call may complain
	tornTail                    // it looks like the torn end of a crash: the values before it must be there
)

// damageCase is one damage to one place of one victim, and the expectation. It contains all that a
// child process needs, except for the victim.
type damageCase struct {
	Victim string
	Kind   string // of the place and the damage
	Where  string // the place

	File     string // relative to the store
	Offset   int64
	Bytes    []byte // the new content at Offset
	Truncate bool   // the file is cut off at Offset instead
	Open     bool   // the store is open at that time

	Expect expectation
	Keep   uint64       // with tornTail: the values up to this sequence number must be there
	Hit    []string     // records that are read through the place
	Named  [2]recordKey // Check must name one of these, unless the first is empty
	From   int64        // Check must name an offset from here ...
	To     int64        // ... to before here, unless this is 0
}

// recordKey is a record and a key of its chunks or its catalogue entry. Check names that of the
// damaged chunk or entry. It names the first key of the page if the page's checksum does not match,
// because then nothing in the page can be trusted.
type recordKey struct {
	Record string
	Key    []byte
}

// String returns the name of the case, for the flag -proof.rot.case.
func (c *damageCase) String() string { return fmt.Sprintf("%s/%s/%s", c.Victim, c.Kind, c.Where) }

// sampler chooses cases of each kind at random.
type sampler struct {
	perKind int // 0: all cases
	seed    uint64
	kinds   map[string]*reservoir
	order   []string // of the kinds
}

// reservoir samples the cases of one kind: each of those seen has the same chance to be among
// cases.
type reservoir struct {
	random *rand.Rand
	seen   int
	cases  []*damageCase
}

// maxBulkInFull bounds the cases of one kind that damage single bytes of long places, in a full
// run.
const maxBulkInFull = 2000

// add offers a case to the reservoir of its kind, which holds up to capacity cases, or any number
// if that is 0.
func (s *sampler) add(c *damageCase, capacity int) {
	kind := c.Victim + "/" + c.Kind
	sample := s.kinds[kind]
	if sample == nil {
		hash := fnv.New64a()
		hash.Write([]byte(kind))
		sample = &reservoir{random: rand.New(rand.NewPCG(s.seed, hash.Sum64()))}
		s.kinds[kind] = sample
		s.order = append(s.order, kind)
	}
	sample.seen++
	if capacity == 0 || len(sample.cases) < capacity {
		sample.cases = append(sample.cases, c)
	} else if at := sample.random.IntN(sample.seen); at < capacity {
		sample.cases[at] = c
	}
}

func (s *sampler) cases() (all []*damageCase) {
	for _, kind := range s.order {
		all = append(all, s.kinds[kind].cases...)
	}
	return all
}

// damager makes the cases of one file.
type damager struct {
	*sampler
	like damageCase // the fields that all cases have in common
	data []byte     // the file
	open bool       // the store is open when the damage happens
}

// put makes a case that writes bytes at an offset, unless the file has them already.
func (d *damager) put(kind, where string, s *spot, offset int64, bytes []byte, capacity int) {
	if slices.Equal(d.data[offset:][:len(bytes)], bytes) {
		return
	}
	c := d.like
	c.Kind, c.Where = kind, fmt.Sprintf("%s, offset %d", where, offset)
	c.Offset, c.Bytes = offset, bytes
	c.Expect, c.Hit = s.expect, s.hit
	if bucket := s.bucket(); bucket != "" {
		c.From, c.To = s.page.offset, s.page.offset+s.page.size
		if s.record != "" {
			c.Named = [2]recordKey{{s.record, s.key}, {recordOfKey(bucket, s.first), s.first}}
		}
	}
	if c.Open = d.open; c.Open {
		c.Kind = "open: " + c.Kind
	}
	d.add(&c, capacity)
}

// damageSpot makes the cases that suit the shape of a spot.
func (d *damager) damageSpot(s *spot) {
	if s.shape == someBits {
		d.flipInEachByte(s)
		return
	}
	for bit := range 8 * s.size {
		offset := s.offset + int64(bit/8)
		flipped := d.data[offset] ^ 1<<(bit%8)
		d.put(s.kind+", bit", fmt.Sprintf("%s bit %d", s.where, bit), s, offset, []byte{flipped}, d.perKind)
	}
	if s.shape == elementCount {
		count := nativeOrder.Uint16(d.data[s.offset:])
		for _, other := range []uint16{count - 1, count + 1, 0, 0xffff} {
			where := fmt.Sprintf("%s set to %d", s.where, other)
			d.put(s.kind+", count", where, s, s.offset, nativeOrder.AppendUint16(nil, other), d.perKind)
		}
	}
}

// flipInEachByte flips one bit of each byte of a spot. The sampler chooses a few of these cases.
func (d *damager) flipInEachByte(s *spot) {
	capacity := d.perKind
	if capacity == 0 {
		capacity = maxBulkInFull
	}
	for i := range s.size {
		offset := s.offset + int64(i)
		bit := (int(offset) ^ int(d.seed)) % 8
		where := fmt.Sprintf("%s byte %d bit %d", s.where, i, bit)
		d.put(s.kind+", bit", where, s, offset, []byte{d.data[offset] ^ 1<<bit}, capacity)
	}
}

// zero writes zeros.
func (d *damager) zero(kind, where string, s *spot, offset, size int64) {
	size = min(size, int64(len(d.data))-offset)
	d.put(kind, where, s, offset, make([]byte, size), d.perKind)
}

// cut truncates the file.
func (d *damager) cut(where string, offset int64, s *spot) {
	if offset < 0 || offset >= int64(len(d.data)) {
		return
	}
	c := d.like
	c.Kind, c.Where = s.kind, fmt.Sprintf("%s, at offset %d", where, offset)
	c.Truncate, c.Offset, c.Expect, c.Keep, c.Hit = true, offset, s.expect, d.like.Keep, s.hit
	if c.Open = d.open; c.Open {
		c.Kind = "open: " + c.Kind
	}
	d.add(&c, 5*d.perKind)
}
