// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
)

// TestSumOfParts compares the checksums of pages with those of the parts that the documentation
// names. The parts are shorter and longer than those that are put together, and fill the memory for
// them exactly, nearly, and several times.
func TestSumOfParts(t *testing.T) {
	f := smallFile(t)
	f.bolt.NoSync = true
	for _, length := range []int{0, 1, ValuePrefix, ValuePrefix + 1, 100} {
		for _, key := range []int{1, 6, maxShort - ValuePrefix, maxShort - ValuePrefix + 1, 500} {
			for _, count := range []int{1, 2, 7, 120} {
				f.update(func(tx *bbolt.Tx) error { return fillLarge(tx, count, key, length) })
				f.view(nil, func(im *Image) { comparePageSums(t, im) })
			}
		}
	}
}

// fillLarge gives the large bucket a number of keys of one length with values of another.
func fillLarge(tx *bbolt.Tx, count, key, length int) error {
	if err := tx.DeleteBucket([]byte(large)); err != nil {
		return err
	}
	bucket, err := tx.CreateBucket([]byte(large))
	for i := 0; i < count && err == nil; i++ {
		name := binary.BigEndian.AppendUint16(bytes.Repeat([]byte("k"), key), uint16(i))
		err = bucket.Put(name, make([]byte, length))
	}
	return err
}

// comparePageSums compares the checksums of all pages of a bucket.
func comparePageSums(t *testing.T, im *Image) {
	t.Helper()
	ids, err := mustBucket(t, im, large).pages(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		p, sum, problem := im.parse(id)
		if want := crc32.Checksum(coveredBytes(&p), codec.Castagnoli); problem != "" || sum != want {
			t.Errorf("page %d: got %08x, %q; want %08x", id, sum, problem, want)
		}
	}
}

// coveredBytes returns what the checksum of a page covers.
func coveredBytes(p *page) []byte {
	covered := bytes.Clone(p.data[:headerLen+p.count*elementLen])
	for i := range p.count {
		value := p.value(i)
		covered = append(append(covered, p.key(i)...), value[:min(len(value), ValuePrefix)]...)
	}
	return covered
}
