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
	"io/fs"
	"os"
	"path/filepath"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// restoredName is the tree's file while it is being restored.
const restoredName = "daybook.restored.db"

// Backup writes everything that was acknowledged when it was called to w, as one consistent snapshot, which Restore makes a
// directory of. Stores and queries go on meanwhile, at full speed, but for the checkpoint that it begins with; pages that
// are freed while it writes stay taken until it ends, as with a Scan. All that it writes is held against its checksums
// first, so of a damaged store it writes nothing.
//
// What it writes is the tree's file, and behind it 64 bytes with its length and SHA-256: whatever is cut off or altered,
// Restore finds. The free pages are in it, too; Compact gives them back before.
//
// Errors: daybook.ErrCorrupt, ErrNoSpace when there is no room for the checkpoint, ErrReadOnly when values are in the log
// that could not be posted because of Options.ReadOnly, ErrClosed, w's, or ctx's. After any of them what was written to w
// is no backup.
func (db *DB) Backup(ctx context.Context, w io.Writer) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	b, err := db.beginBackup(ctx)
	if err != nil {
		return err
	}
	defer db.scans.Add(-1)
	defer b.Close()
	if err := b.Verify(ctx); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, sum), &contextReader{ctx, b.Reader()}); err != nil {
		return err
	}
	_, err = w.Write(appendTrailer(nil, b.Size(), sum))
	return err
}

// beginBackup posts everything and takes a snapshot of the tree.
func (db *DB) beginBackup(ctx context.Context) (*tree.Backup, error) {
	if err := db.startPosting(ctx); err != nil {
		return nil, err
	}
	defer db.stopPosting()
	if !db.opts.ReadOnly {
		if err := db.postAllSomehow(ctx); err != nil {
			return nil, err
		}
	} else if db.active.Values() > 0 {
		return nil, fmt.Errorf("%w: the log of %s holds values that are not in the tree yet: open it for writing, or close the program that does",
			daybook.ErrReadOnly, db.dir)
	}
	b, err := db.tree.Backup()
	if err == nil {
		db.scans.Add(1) // before anybody measures what is free
	}
	return b, err
}

// postAllSomehow is postAll, on a full disk with the help of the reserve: it is then that people make backups.
func (db *DB) postAllSomehow(ctx context.Context) error {
	_, err := db.postAll(ctx, nil)
	if errors.Is(err, daybook.ErrNoSpace) && db.releaseReserve() {
		defer db.takeReserve()
		_, err = db.postAll(ctx, nil)
	}
	return err
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

// The end of a backup, integers little-endian:
//
//	 0  magic     8 bytes, "DAYBKBAK"
//	 8  version   uint32, 1
//	12  (zero)    uint32
//	16  length    uint64, of the tree's file, which is before it
//	24  SHA-256   32 bytes, of that file
//	56  (zero)    uint32
//	60  checksum  uint32, CRC-32C of bytes 0..59
const (
	backupMagic   = "DAYBKBAK"
	backupVersion = 1
	trailerLen    = 64
)

func appendTrailer(dst []byte, length int64, sum hash.Hash) []byte {
	start := len(dst)
	dst = append(dst, backupMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, backupVersion)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(length))
	dst = sum.Sum(dst)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], codec.Castagnoli))
}

// checkTrailer holds a file of some length, and its checksum, against the trailer that followed it.
func checkTrailer(trailer []byte, length int64, sum hash.Hash) error {
	switch {
	case len(trailer) < trailerLen:
		return fmt.Errorf("%w: %d bytes are no backup", daybook.ErrCorrupt, length+int64(len(trailer)))
	case string(trailer[:8]) != backupMagic:
		return fmt.Errorf("%w: the backup has no end: it is cut off after %d bytes, or no backup", daybook.ErrCorrupt, length+trailerLen)
	case binary.LittleEndian.Uint32(trailer[60:]) != crc32.Checksum(trailer[:60], codec.Castagnoli):
		return fmt.Errorf("%w: the backup has been altered in its last %d bytes", daybook.ErrCorrupt, trailerLen)
	}
	if version := binary.LittleEndian.Uint32(trailer[8:]); version != backupVersion {
		return fmt.Errorf("%w: the backup has version %d, this program knows %d", daybook.ErrVersion, version, backupVersion)
	}
	if want := binary.LittleEndian.Uint64(trailer[16:]); uint64(length) != want {
		return fmt.Errorf("%w: the backup has %d bytes before its end; want %d: a part is missing, or was added", daybook.ErrCorrupt, length, want)
	}
	if want := trailer[24:56]; !bytes.Equal(sum.Sum(nil), want) {
		return fmt.Errorf("%w: the backup has been altered: its SHA-256 is %x; want %x", daybook.ErrCorrupt, sum.Sum(nil), want)
	}
	return nil
}

// Restore makes a daybook in dir of what Backup wrote, which it reads from r to its end. dir must be empty, or not be
// there. All of the backup is checked before the daybook is in place, durably; until then, and after an error, there is
// none: dir is as it was before, except that a power cut may leave the file daybook.restored.db, which the next Restore
// removes, or the next Open.
// Errors: fs.ErrExist when dir is not empty, or does not stay so, daybook.ErrCorrupt when the backup is cut off or altered,
// ErrVersion when a newer program wrote it, ErrNoSpace, r's, ctx's, or the operating system's.
func Restore(ctx context.Context, dir string, r io.Reader) error {
	return restore(ctx, dir, r, disk.OS{})
}

func restore(ctx context.Context, dir string, r io.Reader, fsys disk.FS) (err error) {
	defer func() { err = tree.WrapNoSpace(err) }()
	path := filepath.Join(dir, restoredName)
	if err := emptied(dir, fsys); err != nil {
		return err
	}
	made := missingDirs(dir)
	done := false
	defer func() {
		if !done {
			_ = fsys.Remove(path)
			for _, dir := range made {
				_ = fsys.Remove(dir)
			}
		}
	}()
	if err := fsys.MkdirAll(dir); err != nil {
		return err
	}
	file, err := fsys.Create(path)
	if err != nil {
		return err
	}
	err = receive(ctx, file, r)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := checkRestored(ctx, path); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("the backup cannot be used: %w", err)
	}
	if err := vacant(dir, fsys); err != nil {
		return err
	}
	final := filepath.Join(dir, treeName)
	if err := fsys.Rename(path, final); err != nil {
		return err
	}
	path = final
	err = errors.Join(fsys.SyncDir(dir), disk.SyncAncestors(fsys, dir))
	done = err == nil
	return err
}

// emptied returns an error unless dir is vacant, and removes what an earlier restore left there.
func emptied(dir string, fsys disk.FS) error {
	if err := vacant(dir, fsys); err != nil {
		return err
	}
	return removeIfThere(fsys, filepath.Join(dir, restoredName))
}

// vacant returns an error unless dir is empty, but for what is being restored, or not there.
func vacant(dir string, fsys disk.FS) error {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if entry.Name() != restoredName {
			return fmt.Errorf("%w: %s is not empty, it has %s: restore into a new directory", fs.ErrExist, dir, entry.Name())
		}
	}
	return err
}

// missingDirs returns what there is to make of dir and the directories above it, the innermost first.
func missingDirs(dir string) (missing []string) {
	for {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			return missing
		}
		missing = append(missing, dir)
		dir = filepath.Dir(dir)
	}
}

// receive writes a backup but for its end to file, durably, and holds it against that end.
func receive(ctx context.Context, file disk.File, r io.Reader) error {
	sum := sha256.New()
	out := &holdingBack{w: io.MultiWriter(io.NewOffsetWriter(file, 0), sum)}
	if _, err := io.CopyBuffer(out, &contextReader{ctx, r}, make([]byte, 256<<10)); err != nil {
		return err
	}
	if err := checkTrailer(out.held, out.written, sum); err != nil {
		return err
	}
	return file.Datasync()
}

// holdingBack writes all but the last trailerLen bytes that it is given.
type holdingBack struct {
	w       io.Writer
	held    []byte
	written int64
}

func (h *holdingBack) Write(p []byte) (int, error) {
	h.held = append(h.held, p...)
	if excess := len(h.held) - trailerLen; excess > 0 {
		n, err := h.w.Write(h.held[:excess])
		h.written += int64(n)
		if err != nil {
			return 0, err
		}
		h.held = append(h.held[:0], h.held[excess:]...)
	}
	return len(p), nil
}

// checkRestored checks the tree in a file.
func checkRestored(ctx context.Context, path string) (err error) {
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return errors.Join(err, fmt.Errorf("%w: it is empty", daybook.ErrCorrupt))
	}
	options, err := (*Options)(nil).withDefaults()
	if err != nil {
		return err
	}
	t, err := tree.Open(path, tree.Options{
		ReadOnly:    true,
		Existing:    true,
		ChunkValues: options.Tuning.ChunkValues,
		ChunkBytes:  options.Tuning.ChunkBytes,
	})
	if err != nil {
		return err
	}
	return errors.Join(t.Check(ctx), t.Close())
}
