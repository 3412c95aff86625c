// SPDX-License-Identifier: Apache-2.0

package pages

import "fmt"

// Rest is what no saved table covers, as a commit left it: the root page, the freelist's header, and the pages of the
// buckets that the tables themselves are kept in. It is known only while the file is open. bbolt believes
// these pages when it makes the next commit.
type Rest struct {
	buckets  []string
	table    *Table
	root     uint32 // checksum of the root page
	freelist [headerLen]byte
}

// NewRest returns the rest of what a view without tables shows.
func NewRest(v *View, buckets ...string) (*Rest, error) {
	free, err := v.Free()
	if err != nil {
		return nil, err
	}
	r := &Rest{buckets: buckets}
	if r.table, err = NewTable(buckets...).read(v, free); err != nil {
		return nil, err
	}
	if _, r.root, err = v.readRoot(); err != nil {
		return nil, err
	}
	r.freelist, err = v.freelistHeader()
	return r, err
}

// check holds the view's root page against the rest.
func (r *Rest) check(v *View) error {
	_, sum, err := v.readRoot()
	if err == nil && sum != r.root {
		err = v.fault("", v.root, nil, fmt.Sprintf("the root page's checksum is %08x; it was %08x when it was committed", sum, r.root))
	}
	return err
}

// Check holds all of the rest against what was committed, in a view that has it. Of the freelist it is the header:
// bbolt frees as many pages as that says, and has the list itself in memory.
func (r *Rest) Check(v *View) error {
	for _, name := range r.buckets {
		b, err := v.Bucket(name)
		if err != nil {
			return err
		}
		if _, err := b.pages(nil); err != nil {
			return err
		}
	}
	header, err := v.freelistHeader()
	if err == nil && header != r.freelist {
		err = v.fault("", order.Uint64(r.freelist[:]), nil, "the freelist's header is not the one that was committed")
	}
	return err
}

func (v *View) freelistHeader() (header [headerLen]byte, err error) {
	meta, err := v.Meta()
	if err != nil {
		return header, err
	}
	data, what := v.at(meta.Freelist)
	if what != "" {
		return header, v.fault("", meta.Freelist, nil, what)
	}
	return [headerLen]byte(data), nil
}
