// SPDX-License-Identifier: Apache-2.0

package pages

import "fmt"

// OtherPages holds the checksums of the pages that no saved table covers, as a commit left them:
// the root page, the header of the freelist, and the pages of the buckets in which the tables
// themselves are saved. It exists only while the file is open. bbolt believes these pages when it
// makes the next commit.
type OtherPages struct {
	buckets  []string
	table    *Table
	root     uint32 // checksum of the root page
	freelist [headerLen]byte
}

// ReadOtherPages reads the other pages of an image without tables, among them those of the given
// buckets.
func ReadOtherPages(im *Image, buckets ...string) (*OtherPages, error) {
	free, err := im.Free()
	if err != nil {
		return nil, err
	}
	o := &OtherPages{buckets: buckets}
	if o.table, _, err = NewTable(buckets...).advance(im, free); err != nil {
		return nil, err
	}
	if _, o.root, err = im.readRoot(); err != nil {
		return nil, err
	}
	o.freelist, err = im.freelistHeader()
	return o, err
}

// checkRoot verifies the checksum of the image's root page.
func (o *OtherPages) checkRoot(im *Image) error {
	_, sum, err := im.readRoot()
	if err == nil && sum != o.root {
		err = im.RootDamage(fmt.Sprintf("the checksum of the root page is %08x; when it was committed it was %08x",
			sum, o.root))
	}
	return err
}

// Check verifies all other pages of an image that was made with them. Of the freelist it verifies
// the header: bbolt frees the number of pages that the header has, and keeps the list itself in
// memory.
func (o *OtherPages) Check(im *Image) error {
	for _, name := range o.buckets {
		b, err := im.Bucket(name)
		if err != nil {
			return err
		}
		if _, err := b.pages(nil); err != nil {
			return err
		}
	}
	header, err := im.freelistHeader()
	if err == nil && header != o.freelist {
		page := order.Uint64(o.freelist[:])
		err = im.damage("", page, nil, "the header of the freelist has changed after it was committed")
	}
	return err
}
