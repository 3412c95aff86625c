// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
)

// A reader gives way to a writer. All readers share the lock on the file, and a writer needs it
// alone. A writer that waits shows a sign: it locks the directory of the daybook. Readers look for
// the sign again and again.
const (
	signInterval = 20 * time.Millisecond // between two looks for the sign
	// grace is the time for a reader to end by itself after it has seen the sign. Together with the
	// interval it is a fraction of the time for which a writer waits for readers.
	grace = 200 * time.Millisecond
	// maxReaderWait is how long a writer waits for readers, even if LockTimeout is shorter.
	maxReaderWait = 3 * time.Second
)

// sign says that a writer waits for the readers of a directory, or is about to.
type sign struct {
	directory *os.File
	lowering  chan struct{}
	lowered   chan struct{}
}

// raiseSign shows the sign until lower is called. If that is not possible, for example because the
// file system has no locks on directories, readers do not notice the writer.
func raiseSign(fsys disk.FS, path string) *sign {
	directory := openForSign(fsys, path)
	if directory == nil {
		return nil
	}
	s := &sign{directory: directory, lowering: make(chan struct{}), lowered: make(chan struct{})}
	if disk.TryLock(directory) {
		close(s.lowered)
		return s
	}
	go s.retry() // a reader is looking, or another writer shows the sign
	return s
}

func (s *sign) retry() {
	defer close(s.lowered)
	for {
		select {
		case <-s.lowering:
			return
		case <-time.After(signInterval / 4):
		}
		if disk.TryLock(s.directory) {
			return
		}
	}
}

func (s *sign) lower() {
	if s != nil {
		close(s.lowering)
		<-s.lowered
		_ = s.directory.Close()
	}
}

// openForSign opens a directory to lock it; nil if that is not possible.
func openForSign(fsys disk.FS, path string) *os.File {
	if !disk.CanLockDirectories || path == "" {
		return nil
	}
	directory, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil
	}
	return directory
}

// Lease is a reader's right to read the file. It ends when a writer waits for the file, so that a
// reader never makes a writer fail: not even one that stands still in the middle of its reading.
type Lease struct {
	err       error
	file      *os.File // whose lock is released
	directory *os.File

	wanted atomic.Bool // reading ends as soon as it can
	ended  bool        // the file is not locked; guarded by reading
	// reading is locked shared while the file is read.
	reading sync.RWMutex

	closing, closed chan struct{}
}

// newLease begins a lease of an open file. The caller closes it.
func newLease(fsys disk.FS, path string, file *os.File, directory string) *Lease {
	l := &Lease{
		err: fmt.Errorf("%w: %s: this reader gave way to a program that opens it for writing; open it again",
			daybook.ErrLocked, path),
		file: file, directory: openForSign(fsys, directory),
		closing: make(chan struct{}), closed: make(chan struct{}),
	}
	if l.directory == nil {
		close(l.closed)
		return l
	}
	go l.run()
	return l
}

// run ends the lease when a writer waits.
func (l *Lease) run() {
	defer close(l.closed)
	defer func() { _ = l.directory.Close() }()
	for seen := time.Duration(0); seen < grace; seen += signInterval {
		select {
		case <-l.closing:
			return
		case <-time.After(signInterval):
		}
		if !disk.IsLockedByAnother(l.directory) {
			seen = -signInterval
		}
	}
	l.wanted.Store(true)
	l.reading.Lock() // waits for the step of reading that is running
	defer l.reading.Unlock()
	l.ended = true
	_ = disk.Unlock(l.file)
}

func (l *Lease) close() {
	if l != nil {
		close(l.closing)
		<-l.closed
	}
}

// begin begins a step of reading, which ends with end. l may be nil: the file is the process's own.
func (l *Lease) begin() error {
	if l == nil {
		return nil
	}
	l.reading.RLock()
	if l.ended {
		l.reading.RUnlock()
		return l.err
	}
	return nil
}

func (l *Lease) end() {
	if l != nil {
		l.reading.RUnlock()
	}
}

// Context returns a context that ends with the lease, too. Its error is then that of the lease.
func (l *Lease) Context(ctx context.Context) context.Context {
	if l == nil {
		return ctx
	}
	return leaseContext{ctx, l}
}

// leaseContext is a context whose error is looked for between the steps of a loop. Its channel is
// that of the context within it.
type leaseContext struct {
	context.Context
	lease *Lease
}

func (c leaseContext) Err() error {
	if err := c.Context.Err(); err != nil || !c.lease.wanted.Load() {
		return err
	}
	return c.lease.err
}

// waitForNoSign waits until no writer shows the sign.
// Errors: daybook.ErrLocked, after the timeout.
func (t *Tree) waitForNoSign(timeout time.Duration) error {
	directory := openForSign(t.mapped.fs, t.opts.Directory)
	if directory == nil {
		return nil
	}
	defer func() { _ = directory.Close() }()
	for deadline := time.Now().Add(timeout); disk.IsLockedByAnother(directory); {
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: %s: another program is opening it for writing", daybook.ErrLocked, t.mapped)
		}
		time.Sleep(signInterval)
	}
	return nil
}

// onlyReaders reports whether the file is locked by readers alone, or not at all.
func (t *Tree) onlyReaders() bool {
	file, err := t.mapped.fs.OpenFile(t.mapped.path, os.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	return disk.CanLockDirectories && !disk.IsLockedByAnother(file)
}
