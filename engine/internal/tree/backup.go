// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"io"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// Backup is the tree as it was at one moment, as the bytes of a file that Open opens. It keeps that moment's pages from
// being written over, as a Snapshot does.
type Backup struct {
	tree  *Tree
	tx    *bbolt.Tx
	view  *pages.Image
	metas []byte // the file's first two pages, which commits write over
}

// Backup begins one. Nothing may be written to the tree until it returns. It must be closed.
func (t *Tree) Backup() (b *Backup, err error) {
	if t.Failure() == nil && !t.opts.ReadOnly {
		_ = t.seal() // without it, what is restored begins by doing that
	}
	err = t.guard.run(func() error {
		tx, v, err := t.begin()
		if err != nil {
			return err
		}
		defer func() {
			if b == nil {
				_ = tx.Rollback()
			}
		}()
		metas, err := v.MetaPages()
		if err == nil {
			err = t.committed.Load().table.CheckAll(v, metaBucket, pagesBucket)
		}
		if err != nil {
			return err
		}
		b = &Backup{tree: t, tx: tx, view: v, metas: metas}
		t.snapshots.Add(1)
		return nil
	})
	return b, t.guard.fault(err)
}

// Close ends the backup.
func (b *Backup) Close() {
	_ = b.tx.Rollback()
	b.tree.snapshots.Done()
}

// Size is how long the file is, in bytes.
func (b *Backup) Size() int64 { return b.view.Size() }

// Verify holds what the buckets hold against their checksums. Backup has done that with the rest.
func (b *Backup) Verify(ctx context.Context) error {
	guard := b.tree.guard
	return guard.fault(guard.run(func() error {
		values, records, err := buckets(b.view)
		if err != nil {
			return err
		}
		give := func(err error) error { return err }
		err = values.Walk(func(key, chunk []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			record, _, _, err := codec.SplitKey(key)
			if err == nil {
				err = codec.Verify(key, chunk)
			}
			return guard.chunkFault(err, string(record), key, b.view.Offset(chunk))
		}, give)
		if err != nil {
			return err
		}
		return records.Walk(func(name, data []byte) error {
			_, err := guard.decodeEntry(b.view, name, data)
			return err
		}, give)
	}))
}

// Reader reads the file.
func (b *Backup) Reader() io.Reader {
	first := int64(len(b.metas))
	return io.MultiReader(bytes.NewReader(b.metas), io.NewSectionReader(b.tree.file, first, b.Size()-first))
}
