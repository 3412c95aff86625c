// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"fmt"
	"slices"
)

// Free returns the pages that the freelist says are free, in ascending order. No checksum covers
// the freelist: Table.Advance and Table.CheckFree compare it with the pages in use.
func (im *Image) Free() (free []uint64, err error) {
	meta, err := im.Meta()
	if err != nil {
		return nil, err
	}
	data, problem := im.bytesOf(meta.Freelist)
	switch {
	case problem != "":
	case order.Uint64(data) != meta.Freelist || order.Uint16(data[8:]) != freelistFlag:
		problem = "the page is not a freelist"
	default:
		free, problem = im.readFree(data)
	}
	if problem != "" {
		return nil, im.damage("", meta.Freelist, nil, "freelist: "+problem)
	}
	return free, nil
}

func (im *Image) readFree(data []byte) (free []uint64, problem string) {
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
		if free[i] < 2 || free[i] >= im.pages() || i > 0 && free[i] <= free[i-1] {
			return nil, fmt.Sprintf("its entry %d, page %d, is out of order or there is no such page", i, free[i])
		}
	}
	return free, ""
}

func (im *Image) freelistHeader() (header [headerLen]byte, err error) {
	meta, err := im.Meta()
	if err != nil {
		return header, err
	}
	data, problem := im.bytesOf(meta.Freelist)
	if problem != "" {
		return header, im.damage("", meta.Freelist, nil, problem)
	}
	return [headerLen]byte(data), nil
}

// CheckFree compares the image's freelist with the pages in use. A page in use that is listed as
// free would be overwritten. otherBuckets are the buckets that the table does not have.
func (t *Table) CheckFree(im *Image, otherBuckets ...string) error {
	_, _, err := t.checkFree(im, otherBuckets)
	return err
}

// checkFree does the work of CheckFree. It returns the free pages, and the pages in use that the
// table does not have.
func (t *Table) checkFree(im *Image, otherBuckets []string) (free, used []uint64, err error) {
	if free, err = im.Free(); err != nil {
		return nil, nil, err
	}
	if err := t.checkNotFree(im, free); err != nil {
		return nil, nil, err
	}
	if used, err = im.used(otherBuckets); err != nil {
		return nil, nil, err
	}
	slices.Sort(used)
	for i, id := range used {
		if t.entry(id) != notInUse || i > 0 && id == used[i-1] {
			return nil, nil, im.damage("", id, nil, "two pages claim it")
		}
		if _, found := slices.BinarySearch(free, id); found {
			return nil, nil, im.freeButUsed(id)
		}
	}
	return free, used, nil
}

// checkNotFree verifies that the table has none of the free pages in use.
func (t *Table) checkNotFree(im *Image, free []uint64) error {
	for _, id := range free {
		if t.entry(id) != notInUse {
			return im.freeButUsed(id)
		}
	}
	return nil
}

func (im *Image) freeButUsed(id uint64) error {
	return im.damage("", id, nil, "it is in use, and the freelist says that it is free")
}

// CheckAll does what CheckFree does, and verifies that every page is either in use or free.
func (t *Table) CheckAll(im *Image, otherBuckets ...string) error {
	free, used, err := t.checkFree(im, otherBuckets)
	if err != nil {
		return err
	}
	known := append(free, used...)
	slices.Sort(known)
	for id := range im.pages() {
		if _, found := slices.BinarySearch(known, id); !found && id >= 2 && t.entry(id) == notInUse {
			return im.damage("", id, nil, "it is not in use, and the freelist does not have it")
		}
	}
	return nil
}

// InUse returns the pages that are in use. otherBuckets are the buckets that the table does not
// have.
func (t *Table) InUse(im *Image, otherBuckets ...string) ([]uint64, error) {
	used, err := im.used(otherBuckets)
	if err != nil {
		return nil, err
	}
	for id := range im.pages() {
		if t.entry(id) != notInUse {
			used = append(used, id)
		}
	}
	return used, nil
}

// used returns the pages of the root, of the freelist and of some buckets.
func (im *Image) used(buckets []string) (used []uint64, err error) {
	meta, err := im.Meta()
	if err != nil {
		return nil, err
	}
	for _, id := range []uint64{im.root, meta.Freelist} {
		data, problem := im.bytesOf(id)
		if problem != "" {
			return nil, im.damage("", id, nil, problem)
		}
		for i := range uint64(len(data) / im.pageSize) {
			used = append(used, id+i)
		}
	}
	for _, name := range buckets {
		b, err := im.Bucket(name)
		if err != nil {
			return nil, err
		}
		if used, err = b.pages(used); err != nil {
			return nil, err
		}
	}
	return used, nil
}
