// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// Restore makes a daybook in dir of a backup that Backup wrote. It reads r to its end. dir must be
// empty, or not exist. Restore verifies the whole backup before the daybook is in place, durably.
// Until then, and after an error, dir is as it was before. A power cut may leave the file
// daybook.restored.db, which the next Restore or Open removes.
// Errors: fs.ErrExist when dir is not empty, or does not stay so; daybook.ErrCorrupt when the
// backup is cut off or altered; ErrVersion when a newer program wrote it; ErrNoSpace, r's, ctx's,
// or the operating system's.
func Restore(ctx context.Context, dir string, r io.Reader) error {
	return restore(ctx, directory{dir, disk.OS{}}, r)
}

func restore(ctx context.Context, dir directory, r io.Reader) (err error) {
	defer func() { err = tree.WrapNoSpace(err) }()
	if err := dir.checkEmpty(); err != nil {
		return err
	}
	if err := dir.remove(restoredName); err != nil { // of an earlier Restore
		return err
	}
	made := missingDirectories(dir.path)
	name, done := restoredName, false
	defer func() { // also when r panics
		if !done {
			_ = dir.remove(name)
			for _, path := range made {
				_ = dir.fs.Remove(path)
			}
		}
	}()
	if err := dir.fs.MkdirAll(dir.path); err != nil {
		return err
	}
	if err := receiveBackup(ctx, dir, r); err != nil {
		return err
	}
	if err := checkRestored(ctx, dir.file(restoredName)); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("the backup cannot be used: %w", err)
	}
	if err := dir.checkEmpty(); err != nil {
		return err
	}
	if err := dir.rename(restoredName, TreeFile); err != nil {
		return err
	}
	name = TreeFile
	err = errors.Join(dir.sync(), disk.SyncAncestors(dir.fs, dir.path))
	done = err == nil
	return err
}

// checkEmpty returns an error unless the directory is missing, or empty except for a tree that is
// being restored.
func (d directory) checkEmpty() error {
	entries, err := d.fs.ReadDir(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if entry.Name() != restoredName {
			return fmt.Errorf("%w: %s is not empty, it has %s: restore into a new directory", fs.ErrExist, d.path,
				entry.Name())
		}
	}
	return err
}

// missingDirectories returns which of path and the directories above it do not exist, the innermost
// first.
func missingDirectories(path string) (missing []string) {
	for {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return missing
		}
		missing = append(missing, path)
		path = filepath.Dir(path)
	}
}

// receiveBackup writes a backup without its trailer into a new file, durably, and verifies the
// trailer.
func receiveBackup(ctx context.Context, dir directory, r io.Reader) (err error) {
	file, err := dir.fs.Create(dir.file(restoredName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum := sha256.New()
	out := &trailerSplitter{w: io.MultiWriter(io.NewOffsetWriter(file, 0), sum)}
	if _, err := io.CopyBuffer(out, &contextReader{ctx, r}, make([]byte, 256<<10)); err != nil {
		return err
	}
	if err := verifyTrailer(out.trailer, out.written, sum); err != nil {
		return err
	}
	return file.Datasync()
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

// checkRestored checks the tree in a file.
func checkRestored(ctx context.Context, path string) error {
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return errors.Join(err, fmt.Errorf("%w: it is empty", daybook.ErrCorrupt))
	}
	options, err := (*Options)(nil).withDefaults()
	if err != nil {
		return err
	}
	restored, err := tree.Open(path, tree.Options{
		ReadOnly:    true,
		Existing:    true,
		ChunkValues: options.Tuning.ChunkValues,
		ChunkBytes:  options.Tuning.ChunkBytes,
	})
	if err != nil {
		return err
	}
	return errors.Join(restored.Check(ctx), restored.Close())
}
