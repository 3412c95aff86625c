// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"io"

	"github.com/daybook-db/daybook/codec"
)

// Backup is the tree as it was when the backup began, as the bytes of a file that Open opens. While
// a backup is open, the pages of that moment are not overwritten, as with a Snapshot.
type Backup struct {
	readTx
	metas []byte // the file's first two pages, which commits overwrite
}

// Backup begins a backup. Nothing may be written to the tree until it returns. The caller must
// close the backup.
func (t *Tree) Backup() (b *Backup, err error) {
	if t.Failure() == nil && !t.opts.ReadOnly {
		_ = t.seal() // if it fails, Open seals the restored tree
	}
	err = t.beginRead(func(r readTx) error {
		metas, err := r.image.MetaPages()
		if err == nil {
			err = t.checkTable(r.image)
		}
		if err == nil {
			err = checkKeys(r.image)
		}
		if err == nil {
			_, err = readState(r.image)
		}
		if err == nil {
			_, err = readNotes(r.image)
		}
		if err == nil {
			b = &Backup{readTx: r, metas: metas}
		}
		return err
	})
	return b, err
}

// Close ends the backup.
func (b *Backup) Close() { b.end() }

// Size returns the length of the file, in bytes.
func (b *Backup) Size() int64 { return b.image.Size() }

// Verify verifies the pages, chunks and catalogue entries of the data buckets. Tree.Backup has
// verified everything else.
func (b *Backup) Verify(ctx context.Context) error {
	mapped := b.tree.mapped
	return mapped.describe(mapped.protect(func() error {
		values, records, err := dataBuckets(b.image)
		if err != nil {
			return err
		}
		fail := func(err error) error { return err }
		err = values.Walk(func(key, chunk []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			_, _, _, err := codec.SplitKey(key)
			if err == nil {
				err = codec.Verify(key, chunk)
			}
			return mapped.describeChunkOf(b.image, err, key, chunk)
		}, fail)
		if err != nil {
			return err
		}
		return records.Walk(func(name, data []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			_, err := mapped.decodeEntry(b.image, name, data)
			return err
		}, fail)
	}))
}

// Reader returns a reader of the file.
func (b *Backup) Reader() io.Reader {
	first := int64(len(b.metas))
	rest := io.NewSectionReader(b.tree.file, first, b.Size()-first)
	return io.MultiReader(bytes.NewReader(b.metas), leasedReader{b.tree.mapped.lease, rest})
}

// leasedReader reads as long as the lease lasts.
type leasedReader struct {
	lease *Lease
	io.Reader
}

func (r leasedReader) Read(p []byte) (int, error) {
	if err := r.lease.begin(); err != nil {
		return 0, err
	}
	defer r.lease.end()
	return r.Reader.Read(p)
}
