// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// keysKey is the key of the meta bucket under which the digest of its other keys is.
var keysKey = []byte("keys")

// keyDigest tells whether a key of the meta bucket is missing, or has become another one. No saved
// table covers that bucket. Each of its values has a checksum, but a key that is not found looks
// like one that was never written.
type keyDigest struct {
	count uint64
	sum   uint64 // CRC-32C of the keys in their order, each after its length
}

func (d *keyDigest) fields() []*uint64 { return []*uint64{&d.count, &d.sum} }

func (d *keyDigest) add(key []byte) {
	length := binary.BigEndian.AppendUint32(nil, uint32(len(key)))
	sum := crc32.Update(uint32(d.sum), codec.Castagnoli, length)
	d.count, d.sum = d.count+1, uint64(crc32.Update(sum, codec.Castagnoli, key))
}

// putKeys ends every transaction: it writes the digest of the keys, and with it the number of this
// format. A file of format 3 stays as it is until it gets an identity.
func putKeys(tx *bbolt.Tx) error {
	meta := tx.Bucket([]byte(metaBucket))
	if meta.Get(identityKey) == nil {
		return nil
	}
	format := uint64(formatVersion)
	if err := putChanged(meta, formatKey, encodeFields([]*uint64{&format})); err != nil {
		return err
	}
	var digest keyDigest
	err := meta.ForEach(func(key, _ []byte) error {
		if !bytes.Equal(key, keysKey) {
			digest.add(key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return putChanged(meta, keysKey, encodeFields(digest.fields()))
}

// putChanged puts a value unless the bucket has it. Then the commit does not write its page again.
func putChanged(bucket *bbolt.Bucket, key, value []byte) error {
	if bytes.Equal(bucket.Get(key), value) {
		return nil
	}
	return bucket.Put(key, value)
}

// checkKeys verifies that an image shows all keys of the meta bucket, and in their order, without
// which a search does not find them.
func checkKeys(image *pages.Image) error {
	meta, err := image.Bucket(metaBucket)
	if err != nil {
		return err
	}
	var got, want keyDigest
	var last, encoded []byte
	err = meta.Walk(func(key, value []byte) error {
		if last != nil && bytes.Compare(key, last) <= 0 {
			return meta.Damage(fmt.Sprintf("key %q follows key %q", key, last))
		}
		if last = key; bytes.Equal(key, keysKey) {
			encoded = value
		} else {
			got.add(key)
		}
		return nil
	}, func(err error) error { return err })
	if err != nil {
		return err
	}
	format, err := readFormat(image)
	switch {
	case err != nil || format < keysFormat:
		return err
	case !decodeFields(encoded, want.fields()):
		return meta.Damage("the digest of the keys is missing, or does not match its checksum")
	case got != want:
		return meta.Damage(fmt.Sprintf("it has %d keys; want %d, or some with other names", got.count, want.count))
	}
	return nil
}
