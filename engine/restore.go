// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// Restore makes a daybook in dir of a backup that Backup wrote. It reads r to its end. dir must be
// empty, or not exist; what a file system keeps in its root, such as lost+found, does not count.
// Restore verifies the whole backup before the daybook is in place, durably. Until then, and after
// an error, dir is as it was before. A power cut may leave an empty daybook.db and the file
// daybook.restored.db, which the next Restore or Open removes.
// Errors: fs.ErrExist when dir is not empty; daybook.ErrLocked when another Restore, or an Open,
// has begun there; ErrCorrupt when the backup is cut off or altered; ErrVersion when a newer
// program wrote it; ErrNoSpace, r's, ctx's, or the operating system's.
func Restore(ctx context.Context, dir string, r io.Reader) error {
	return restore(ctx, dir, disk.OS{}, r)
}

func restore(ctx context.Context, path string, system disk.System, r io.Reader) (err error) {
	defer func() { err = tree.WrapNoSpace(err) }()
	made, err := system.MkdirAll(path)
	done := false
	defer func() { // also when r panics
		for _, dir := range made {
			if !done {
				_ = system.RemoveDir(dir)
			}
		}
	}()
	if err != nil {
		return err
	}
	dir, err := openDirectory(path, system)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.fs.Close()) }()
	if err := dir.checkEmpty(); err != nil {
		return err
	}
	claim, err := dir.claimTree()
	if err != nil {
		return err
	}
	defer func() { claim.end(done) }()
	if err = claim.fill(ctx, r); err != nil {
		return err
	}
	err = errors.Join(dir.sync(), disk.SyncAncestors(system, path))
	done = err == nil
	return err
}

// treeClaim is the right to make the tree of a directory that has none. It is the lock of an empty
// file with the tree's name, so no other process can open or restore the directory meanwhile.
type treeClaim struct {
	dir     directory
	empty   *os.File
	created bool     // by this claim
	filled  *os.File // the restored tree, locked; nil before it is complete
}

// claimTree returns the claim, or daybook.ErrLocked if another process has it.
func (d directory) claimTree() (c *treeClaim, err error) {
	c = &treeClaim{dir: d}
	c.empty, err = d.fs.OpenFile(d.tree, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	c.created = err == nil
	if errors.Is(err, fs.ErrExist) {
		c.empty, err = d.fs.OpenFile(d.tree, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, err
	}
	if !disk.TryLock(c.empty, disk.OfTree) {
		return nil, errors.Join(errInUse(d.tree), c.empty.Close())
	}
	// Until it was locked, another process may have filled it, or put another file in its place.
	own, err := c.empty.Stat()
	if err == nil && own.Size() == 0 {
		var found fs.FileInfo
		if found, err = d.fs.Stat(d.tree); err == nil && os.SameFile(own, found) {
			return c, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("%w: %s was made meanwhile", fs.ErrExist, d.tree), err, c.empty.Close())
}

// end gives up the claim. Unless the daybook is complete, it leaves the directory as it was.
func (c *treeClaim) end(complete bool) {
	if !canReplaceOpenFiles { // nor remove them
		c.unlock()
	}
	defer c.unlock()
	if !complete {
		_ = c.dir.remove(restoredName)
		if c.created || c.filled != nil {
			_ = c.dir.remove(TreeFile)
		}
	}
}

func (c *treeClaim) unlock() {
	_ = c.empty.Close()
	if c.filled != nil {
		_ = c.filled.Close()
	}
}

// fill writes and verifies a backup beside the empty file, and puts it in the place of that.
func (c *treeClaim) fill(ctx context.Context, r io.Reader) error {
	dir := c.dir
	if err := dir.remove(restoredName); err != nil { // of an earlier Restore
		return err
	}
	length, unposted, err := receiveBackup(ctx, dir, r)
	if err != nil {
		return err
	}
	rest, err := dir.cutUnposted(length, unposted)
	if err != nil {
		return err
	}
	if err := dir.checkRestored(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("the backup cannot be used: %w", err)
	}
	if err := dir.completeRestored(rest); err != nil {
		return err
	}
	if err := errors.Join(dir.checkEmpty(), dir.fs.Verify()); err != nil {
		return err
	}
	restored, err := dir.fs.OpenFile(dir.file(restoredName), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if !canReplaceOpenFiles {
		_ = c.empty.Close()
		_ = restored.Close()
	} else if !disk.TryLock(restored, disk.OfTree) {
		return errors.Join(errInUse(restored.Name()), restored.Close())
	}
	if err := dir.rename(restoredName, TreeFile); err != nil {
		return errors.Join(err, restored.Close())
	}
	c.filled = restored
	return nil
}

// checkEmpty returns an error unless the directory is empty, except for what a Restore or an Open
// that was interrupted leaves, and what belongs to the file system.
func (d directory) checkEmpty() error {
	entries, err := d.fs.ReadDir(d.path)
	for _, entry := range entries {
		name := entry.Name()
		if name == TreeFile {
			info, err := d.fs.Stat(d.tree)
			if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0 {
				continue
			}
		}
		if name != restoredName && !ofFileSystem(entry) {
			return fmt.Errorf("%w: %s is not empty, it has %s: restore into a new directory", fs.ErrExist, d.path, name)
		}
	}
	return err
}

// ofFileSystem reports whether an operating system makes a directory of this name in the root of
// each disk. So a directory is empty that a disk of its own has just been mounted on.
func ofFileSystem(entry fs.DirEntry) bool {
	switch entry.Name() {
	case "lost+found": // mke2fs: see mklost+found(8)
	case "System Volume Information", "$RECYCLE.BIN": // Windows
	case ".fseventsd", ".Spotlight-V100", ".Trashes", ".TemporaryItems", ".DocumentRevisions-V100": // macOS
	default:
		return false
	}
	return entry.IsDir()
}

// receiveBackup writes a backup without its trailer into a new file, durably, and verifies the
// trailer. It returns the length of the file, and of the values in it that follow the tree.
func receiveBackup(ctx context.Context, dir directory, r io.Reader) (length, unposted int64, err error) {
	file, err := dir.fs.Create(dir.file(restoredName))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum := sha256.New()
	out := &trailerSplitter{w: io.MultiWriter(io.NewOffsetWriter(file, 0), sum)}
	if _, err := io.CopyBuffer(out, &contextReader{ctx, r}, make([]byte, 256<<10)); err != nil {
		return 0, 0, err
	}
	if err := verifyTrailer(out.trailer, out.written, sum); err != nil {
		return 0, 0, err
	}
	return out.written, unpostedLen(out.trailer), file.Datasync()
}

// cutUnposted cuts the values that follow the tree, n bytes, off the restored file, and returns
// them. The file has a length.
func (d directory) cutUnposted(length, n int64) (rest unposted, err error) {
	if n == 0 {
		return nil, nil
	}
	if n > length || n > math.MaxInt {
		return nil, fmt.Errorf("%w: the backup has %d bytes of values after its tree, and %d bytes together",
			daybook.ErrCorrupt, n, length)
	}
	file, err := d.fs.OpenFile(d.file(restoredName), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	rest = make(unposted, n)
	if _, err = file.ReadAt(rest, length-n); err == nil {
		err = file.Truncate(length - n)
	}
	if err == nil {
		err = disk.Datasync(file)
	}
	return rest, err
}

// trailerSplitter writes to w everything that it is given, except the last trailerLen bytes.
type trailerSplitter struct {
	w       io.Writer
	trailer []byte // the last bytes so far
	written int64
}

func (s *trailerSplitter) Write(p []byte) (int, error) {
	s.trailer = append(s.trailer, p...)
	if excess := len(s.trailer) - trailerLen; excess > 0 {
		n, err := s.w.Write(s.trailer[:excess])
		s.written += int64(n)
		if err != nil {
			return 0, err
		}
		s.trailer = append(s.trailer[:0], s.trailer[excess:]...)
	}
	return len(p), nil
}

// checkRestored checks the restored tree.
func (d directory) checkRestored(ctx context.Context) error {
	path := d.file(restoredName)
	if info, err := d.fs.Stat(path); err != nil || info.Size() == 0 {
		return errors.Join(err, fmt.Errorf("%w: it is empty", daybook.ErrCorrupt))
	}
	restored, err := d.openRestored(true)
	if err != nil {
		return err
	}
	return errors.Join(restored.Check(ctx), restored.Close())
}

// completeRestored posts the rest of the values, and begins a new epoch in the restored tree: the
// store that was backed up may have stored more, and so have given the next numbers already.
func (d directory) completeRestored(rest unposted) (err error) {
	restored, err := d.openRestored(false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, restored.Close()) }()
	if err := rest.postTo(restored); err != nil {
		return err
	}
	state, err := restored.State()
	if err != nil {
		return err
	}
	known, err := restored.Identity()
	if err == nil && !known.IsZero() { // otherwise the tree is of an older version, and gets a new identity
		known, _ = known.BeginRandom(state.Watermark, true)
		restored.SetIdentity(known)
	}
	return cmp.Or(err, restored.SaveIdentity())
}

func (d directory) openRestored(readOnly bool) (*tree.Tree, error) {
	options, err := (*Options)(nil).withDefaults()
	if err != nil {
		return nil, err
	}
	return tree.Open(d.fs, d.file(restoredName), tree.Options{
		ReadOnly:         readOnly,
		Existing:         true,
		ChunkValues:      options.Tuning.ChunkValues,
		ChunkBytes:       options.Tuning.ChunkBytes,
		TransactionBytes: int(options.Tuning.TransactionSize),
	})
}
