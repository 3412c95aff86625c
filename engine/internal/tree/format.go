// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

const (
	formatVersion  = 5
	oldestFormat   = 3
	identityFormat = 4 // the first format with an identity
	keysFormat     = 5 // the first format with a digest of the meta bucket's keys
)

const (
	valuesBucket  = "values"
	recordsBucket = "records"
	metaBucket    = "meta"
	pagesBucket   = "pages"
)

var allBuckets = []string{metaBucket, pagesBucket, recordsBucket, valuesBucket} // in bbolt's order

// Keys of the meta bucket.
var (
	formatKey  = []byte("format")
	stateKey   = []byte("state")
	partialKey = []byte("part")
	summaryKey = []byte("pages")
)

// newFileTx is the last transaction of bbolt's creation of a file.
const newFileTx = 1

// hasFormat reports whether the image shows a tree, and returns false for a new file without
// buckets.
func (t *Tree) hasFormat(image *pages.Image) (bool, error) {
	names, err := image.Names()
	switch {
	case err != nil:
		return false, err
	case len(names) == 0 && image.Tx() <= newFileTx && !t.opts.Existing:
		return false, nil
	case len(names) > 0 && !slices.Contains(names, metaBucket):
		return false, image.RootDamage(fmt.Sprintf(
			"if it is a bbolt file, it is not a daybook: it has a bucket %q and no %q", names[0], metaBucket))
	}
	if len(names) > 0 { // checked first, because another format may have other buckets
		err = t.checkFormat(image)
	}
	if err == nil && !slices.Equal(names, allBuckets) {
		err = image.RootDamage(fmt.Sprintf("it has buckets %q; want %q", names, allBuckets))
	}
	return true, err
}

func (t *Tree) checkFormat(image *pages.Image) error {
	format, err := readFormat(image)
	switch {
	case err != nil:
		return err
	case format > formatVersion:
		return fmt.Errorf("%w: %s has format %d, this program knows %d",
			daybook.ErrVersion, t.mapped, format, formatVersion)
	case format < oldestFormat:
		return image.RootDamage(fmt.Sprintf("the file has format %d; this program reads %d to %d",
			format, oldestFormat, formatVersion))
	}
	return nil
}

func readFormat(image *pages.Image) (format uint64, err error) {
	meta, err := image.Bucket(metaBucket)
	if err != nil {
		return 0, err
	}
	data, err := meta.Cursor().Get(formatKey)
	if err == nil && !decodeFields(data, []*uint64{&format}) {
		err = meta.Damage("the format of the file is missing, or does not match its checksum")
	}
	return format, err
}

// create creates the buckets of a new file.
func (t *Tree) create() error {
	if t.opts.ReadOnly {
		return fmt.Errorf("%s holds no daybook: %w", t.mapped, fs.ErrNotExist)
	}
	t.identity.here = disk.PlaceOf(t.file)
	t.SetIdentity(t.opts.NewIdentity)
	if t.opts.NewIdentity.IsZero() {
		t.SetIdentity(identity.New())
	}
	identitySaved := func() {}
	err := t.commit(0, func(tx *bbolt.Tx) (err error) {
		for _, name := range allBuckets {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		if identitySaved, err = t.putIdentity(tx); err != nil {
			return err
		}
		if err := putSummary(tx, 0, t.committed.Load().table); err != nil {
			return err
		}
		t.generation = 1
		return putState(tx, State{Generation: t.generation})
	})
	if err != nil {
		return err
	}
	identitySaved()
	return t.seal()
}

// encodeFields encodes numbers, followed by their checksum.
func encodeFields(fields []*uint64) (data []byte) {
	for _, field := range fields {
		data = binary.BigEndian.AppendUint64(data, *field)
	}
	return binary.BigEndian.AppendUint32(data, crc32.Checksum(data, codec.Castagnoli))
}

// decodeFields decodes numbers, and reports whether the checksum matches.
func decodeFields(data []byte, fields []*uint64) bool {
	end := 8 * len(fields)
	if len(data) != end+4 || binary.BigEndian.Uint32(data[end:]) != crc32.Checksum(data[:end], codec.Castagnoli) {
		return false
	}
	for i, field := range fields {
		*field = binary.BigEndian.Uint64(data[8*i:])
	}
	return true
}
