// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"fmt"
	"iter"
)

// Bucket is one of the file's buckets.
type Bucket struct {
	image  *Image
	name   string
	root   uint64 // 0: inline
	inline []byte // the root page of an inline bucket
	table  *Table // nil: no table has checksums of this bucket's pages
}

// Bucket returns the bucket with a name. If the bucket's root page does not match its table, Bucket
// returns both the bucket and an error.
func (im *Image) Bucket(name string) (*Bucket, error) {
	root, err := im.rootPage()
	if err != nil {
		return nil, err
	}
	for i := range root.count {
		if string(root.key(i)) == name && root.isBucket(i) {
			return im.openBucket(name, root.value(i))
		}
	}
	return nil, im.RootDamage(fmt.Sprintf("there is no bucket %q", name))
}

func (im *Image) openBucket(name string, header []byte) (*Bucket, error) {
	if len(header) < bucketHeaderLen {
		return nil, im.damage(name, im.root, nil, fmt.Sprintf("bucket %q has no header", name))
	}
	b := &Bucket{image: im, name: name, root: order.Uint64(header), inline: header[bucketHeaderLen:]}
	if b.root != 0 && len(b.inline) > 0 {
		problem := fmt.Sprintf("the header of bucket %q has %d bytes", name, len(header))
		return nil, im.damage(name, im.root, nil, problem)
	}
	return b, b.verifyRoot()
}

// In returns the bucket in another image of the same commit; nil if the bucket is inline, because
// the page that has it must be verified again.
func (b *Bucket) In(im *Image) *Bucket {
	if b.root == 0 {
		return nil
	}
	return &Bucket{image: im, name: b.name, root: b.root, table: b.table}
}

// verifyRoot finds the bucket's table, and compares the root page with it.
func (b *Bucket) verifyRoot() error {
	var want Root
	for _, table := range b.image.tables() {
		if root, ok := table.roots[b.name]; ok {
			want, b.table = root, table
		}
	}
	if b.table == nil {
		return nil
	}
	got, err := b.rootOf()
	if err == nil && got != want {
		inline, _, _ := parse(b.inline, 0)
		err = b.image.damage(b.name, b.image.root, inline.firstKey(nil),
			fmt.Sprintf("bucket %q begins at page %d with checksum %08x; want page %d with %08x",
				b.name, got.Page, got.Sum, want.Page, want.Sum))
	}
	return err
}

func (im *Image) tables() (tables []*Table) {
	if im.table != nil {
		tables = append(tables, im.table)
	}
	if im.others != nil {
		tables = append(tables, im.others.table)
	}
	return tables
}

// rootOf returns where the bucket begins.
func (b *Bucket) rootOf() (Root, error) {
	if b.root != 0 {
		return Root{Page: b.root}, nil
	}
	p, sum, problem := parse(b.inline, 0)
	if problem == "" && p.end != uint64(len(b.inline)) {
		problem = fmt.Sprintf("it ends at %d of %d bytes", p.end, len(b.inline))
	}
	if problem != "" {
		return Root{}, b.inlineDamage(problem)
	}
	return Root{Sum: sum}, nil
}

// Damage returns the error for a problem with the bucket as a whole, at its root page.
func (b *Bucket) Damage(problem string) error {
	root := b.root
	if root == 0 {
		root = b.image.root
	}
	return b.damage(root, nil, problem)
}

func (b *Bucket) damage(id uint64, firstKey []byte, problem string) *DamagedPage {
	return b.image.damage(b.name, id, firstKey, problem)
}

func (b *Bucket) inlineDamage(problem string) error {
	return b.damage(b.image.root, nil, fmt.Sprintf("the inline bucket %q: %s", b.name, problem))
}

// load returns a page of the bucket. firstKey is its smallest key, as its parent has it.
func (b *Bucket) load(id uint64, firstKey []byte) (page, error) {
	p, sum, problem := b.image.parse(id)
	if problem == "" && b.table != nil {
		problem = b.table.compare(id, sum)
	}
	if problem == "" {
		problem = p.checkFlags()
	}
	if problem != "" {
		return page{}, b.damage(id, p.firstKey(firstKey), problem)
	}
	return p, nil
}

// loadRoot returns the bucket's root page.
func (b *Bucket) loadRoot() (page, error) {
	if b.root != 0 {
		return b.load(b.root, nil)
	}
	p, _, problem := parse(b.inline, 0)
	if problem == "" && !p.leaf {
		problem = "its page is not a leaf"
	}
	if problem == "" {
		problem = p.checkFlags()
	}
	if problem != "" {
		return page{}, b.inlineDamage(problem)
	}
	return p, nil
}

// Suspects yields the keys and values that a damaged page of the bucket seems to have, if it can be
// parsed.
func (b *Bucket) Suspects(d *DamagedPage) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		p, _, problem := b.image.parse(d.Page)
		if b.root == 0 {
			p, _, problem = parse(b.inline, 0)
		}
		for i := 0; problem == "" && p.leaf && i < p.count; i++ {
			if !yield(p.key(i), p.value(i)) {
				return
			}
		}
	}
}
