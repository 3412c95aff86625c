// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// Backup writes all values that were acknowledged before the call to w, as one consistent snapshot.
// Restore makes a directory of it. Backup begins with a checkpoint; after that, stores and queries
// go on at full speed. Pages that are freed while it writes stay in use until it ends, as with a
// Scan. It verifies all checksums before it writes, so of a damaged store it writes nothing: one
// damaged chunk makes every Backup and BackupFile fail. To mend that, open the directory with
// OnCorruptionQuarantine and call Compact, which keeps the undamaged values. Then Backup works.
//
// The backup is the tree's file, followed by 64 bytes with its length and SHA-256, so that Restore
// notices every cut and every change. The free pages are part of it; call Compact before to leave
// them out.
//
// Where the heads cannot be posted, because of Options.ReadOnly or because the disk of the daybook
// is full, their values follow the tree's file. Restore posts them then, and takes about as much
// memory as they do. So a backup works on a full disk, and of a directory that cannot be written
// to.
//
// Errors: daybook.ErrCorrupt, ErrClosed, w's, or ctx's. After an error the bytes that were written
// to w are no backup.
func (db *DB) Backup(ctx context.Context, w io.Writer) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	if err := db.refuseBeside("Backup"); err != nil {
		return err
	}
	ctx = db.reading(ctx)
	b, heads, err := db.beginBackup(ctx)
	if err != nil {
		return err
	}
	defer db.trees.snapshotClosed()
	defer b.Close()
	if err := b.Verify(ctx); err != nil {
		return err
	}
	sum := sha256.New()
	summed := io.MultiWriter(w, sum)
	if _, err := io.Copy(summed, &contextReader{ctx, b.Reader()}); err != nil {
		return err
	}
	rest := unpostedWriter{
		w: summed, tuning: db.opts.Tuning, identity: db.identity.get(), received: heads.received,
		coder: codec.NewCoder(),
	}
	if err := rest.writeAll(ctx, heads); err != nil {
		return err
	}
	_, err = w.Write(appendTrailer(nil, b.Size()+rest.written, rest.written, sum))
	return err
}

// beginBackup posts all values and takes a snapshot of the tree. On a full disk, which is when
// people make backups, it posts with the space of the reserve. It returns the values that could not
// be posted.
func (db *DB) beginBackup(ctx context.Context) (b *tree.Backup, heads capturedHeads, err error) {
	err = db.withTurn(ctx, func(t *turn) error {
		if !db.opts.ReadOnly {
			if db.reserve.size() > 0 {
				defer t.takeReserve()
			}
			if _, err := t.postAllUsingReserve(ctx, nil); err != nil && !errors.Is(err, daybook.ErrNoSpace) {
				return err
			}
		}
		heads, err = t.captureUnposted(allRecords)
		if err == nil {
			b, err = t.tree().Backup()
		}
		if err == nil {
			db.trees.snapshots.Add(1) // with the turn, so that measure counts it
		}
		return err
	})
	return b, heads, err
}

// contextReader ends with ctx.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// The last bytes of a backup, its trailer. Integers are little-endian:
//
//	 0  magic     8 bytes, "DAYBKBAK"
//	 8  version   uint32, 1 if unposted is 0, otherwise 2
//	12  unposted  uint32, length of the values after the tree's file: see unpostedWriter
//	16  length    uint64, of all that precedes the trailer
//	24  SHA-256   32 bytes, of all that precedes the trailer
//	56  (zero)    uint32
//	60  checksum  uint32, CRC-32C of bytes 0..59
const (
	backupMagic   = "DAYBKBAK"
	backupVersion = 2
	trailerLen    = 64
)

func appendTrailer(dst []byte, length, unposted int64, sum hash.Hash) []byte {
	start, version := len(dst), uint32(1)
	if unposted > 0 {
		version = backupVersion
	}
	dst = append(dst, backupMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, version)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(unposted))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(length))
	dst = sum.Sum(dst)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], codec.Castagnoli))
}

// unpostedLen returns the length of the values after the tree's file that a verified trailer says.
func unpostedLen(trailer []byte) int64 { return int64(binary.LittleEndian.Uint32(trailer[12:])) }

// verifyTrailer compares the length and the checksum of the bytes before a trailer with what the
// trailer says.
func verifyTrailer(trailer []byte, length int64, sum hash.Hash) error {
	switch {
	case len(trailer) < trailerLen:
		return fmt.Errorf("%w: %d bytes are no backup", daybook.ErrCorrupt, length+int64(len(trailer)))
	case string(trailer[:8]) != backupMagic:
		return fmt.Errorf("%w: the backup has no end: it is cut off after %d bytes, or no backup", daybook.ErrCorrupt,
			length+trailerLen)
	case binary.LittleEndian.Uint32(trailer[60:]) != crc32.Checksum(trailer[:60], codec.Castagnoli):
		return fmt.Errorf("%w: the backup has been altered in its last %d bytes", daybook.ErrCorrupt, trailerLen)
	}
	if version := binary.LittleEndian.Uint32(trailer[8:]); version < 1 || version > backupVersion {
		return fmt.Errorf("%w: the backup has version %d, this program knows %d", daybook.ErrVersion, version,
			backupVersion)
	}
	if want := binary.LittleEndian.Uint64(trailer[16:]); uint64(length) != want {
		return fmt.Errorf("%w: the backup has %d bytes before its end; want %d: a part is missing, or was added",
			daybook.ErrCorrupt, length, want)
	}
	if want := trailer[24:56]; !bytes.Equal(sum.Sum(nil), want) {
		return fmt.Errorf("%w: the backup has been altered: its SHA-256 is %x; want %x", daybook.ErrCorrupt,
			sum.Sum(nil), want)
	}
	return nil
}
