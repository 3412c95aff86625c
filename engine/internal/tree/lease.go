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
// alone. A writer that waits shows a sign, which is another lock: see disk.OfSign. Readers look for
// the sign again and again.
const (
	signInterval = 20 * time.Millisecond // between two looks for the sign
	// grace is the time for a reader to end by itself after it has seen the sign. Together with the
	// interval it is a fraction of the time for which a writer waits for readers.
	grace = 200 * time.Millisecond
	// maxReaderWait is how long a writer waits for readers, even if LockTimeout is shorter.
	maxReaderWait = 3 * time.Second
)

// sign says that a writer waits for the readers of a file, or is about to.
type sign struct {
	file     *os.File
	lowering chan struct{}
	lowered  chan struct{}
}

// raiseSign shows the sign until lower is called. It returns nil, which shows nothing, if the
// file for it cannot be opened. Nor do readers notice the writer if the file system has no such
// locks.
func (t *Tree) raiseSign() *sign {
	file := t.openForSign()
	if file == nil {
		return nil
	}
	s := &sign{file: file, lowering: make(chan struct{}), lowered: make(chan struct{})}
	if disk.TryLock(file, disk.OfSign) {
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
		if disk.TryLock(s.file, disk.OfSign) {
			return
		}
	}
}

func (s *sign) lower() {
	if s != nil {
		close(s.lowering)
		<-s.lowered
		_ = disk.Unlock(s.file, disk.OfSign)
		_ = s.file.Close()
	}
}

// isOn reports whether the sign is shown to those who open the file at a path.
func (s *sign) isOn(fsys disk.FS, path string) bool {
	if s == nil {
		return false
	}
	own, err := s.file.Stat()
	if err != nil {
		return false
	}
	found, err := fsys.Stat(path)
	return err == nil && os.SameFile(own, found)
}

// moveSign shows the sign to the readers of the file that the path leads to now, if its place is
// the file itself. The owner of the lock may have replaced the file, or this writer created it.
func (t *Tree) moveSign() {
	path := t.mapped.path
	if t.signPath() == path && !t.sign.isOn(t.mapped.fs, path) {
		t.sign.lower()
		t.sign = t.raiseSign()
	}
}

// signPath returns the path of the file for the sign; "" if there is none.
func (t *Tree) signPath() string {
	if t.opts.Directory == "" {
		return ""
	}
	return disk.SignPath(t.opts.Directory, t.mapped.path)
}

// openForSign opens the file for the sign; nil if that is not possible.
func (t *Tree) openForSign() *os.File {
	path := t.signPath()
	if path == "" {
		return nil
	}
	file, err := t.mapped.fs.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil
	}
	return file
}

// Lease is a reader's right to read the file. It ends when a writer waits for the file, so that a
// reader never makes a writer fail: not even one that stands still in the middle of its reading.
type Lease struct {
	err  error
	file *os.File // whose lock is released
	sign *os.File // where a writer shows the sign; nil: nowhere

	wanted atomic.Bool // reading ends as soon as it can
	ended  bool        // the file is not locked; guarded by reading
	// reading is locked shared while the file is read.
	reading sync.RWMutex

	closing, closed chan struct{}
}

// newLease begins a lease of the open file. The caller closes it.
func (t *Tree) newLease() *Lease {
	l := &Lease{
		err: fmt.Errorf("%w: %s: this reader gave way to a program that opens it for writing; open it again",
			daybook.ErrLocked, t.mapped),
		file: t.file, sign: t.openForSign(),
		closing: make(chan struct{}), closed: make(chan struct{}),
	}
	if l.sign == nil {
		close(l.closed)
		return l
	}
	go l.run()
	return l
}

// run ends the lease when a writer waits.
func (l *Lease) run() {
	defer close(l.closed)
	defer func() { _ = l.sign.Close() }()
	for seen := time.Duration(0); seen < grace; seen += signInterval {
		select {
		case <-l.closing:
			return
		case <-time.After(signInterval):
		}
		if !disk.IsLockedByAnother(l.sign, disk.OfSign) {
			seen = -signInterval
		}
	}
	l.wanted.Store(true)
	l.reading.Lock() // waits for the step of reading that is running
	defer l.reading.Unlock()
	l.ended = true
	_ = disk.Unlock(l.file, disk.OfTree)
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
	file := t.openForSign()
	if file == nil {
		return nil
	}
	defer func() { _ = file.Close() }()
	for deadline := time.Now().Add(timeout); disk.IsLockedByAnother(file, disk.OfSign); {
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
	return !disk.IsLockedByAnother(file, disk.OfTree)
}
