// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"path/filepath"
	"sync"

	"github.com/daybook-db/daybook/engine/internal/disk"
)

// spare is a segment that is not in use: ready for frames if it has a number, else released or left by
// an earlier run, and to be given a number first.
type spare struct {
	number uint64
	path   string
	size   int64
}

// spares keeps one segment ready ahead of the appender, made in the background from a released one, or
// from nothing.
type spares struct {
	// preparing is held while a segment is being made. It is taken before mu.
	preparing sync.Mutex

	// mu guards what follows.
	mu         sync.Mutex
	ready      *spare
	released   []spare
	nextNumber uint64 // of the next segment made
	nextSize   int64  // of the next segment made from nothing
	stopped    bool

	background sync.WaitGroup
}

// takeSpare returns a segment that is ready for frames, of at least size bytes, and has the next one
// prepared in the background. It waits for one that is being prepared.
func (l *Log) takeSpare(size int64) (spare, error) {
	l.preparing.Lock()
	defer l.preparing.Unlock()
	if s, ok := l.takeReady(size); ok {
		l.prepareInBackground()
		return s, nil
	}
	s, err := l.prepare(size)
	if err == nil {
		l.prepareInBackground()
	}
	return s, err
}

// takeReady returns the segment that is ready. One that is too small needs a new number, since the one
// that is made in its place will have a greater one and be used before it.
func (l *Log) takeReady(size int64) (spare, bool) {
	l.spares.mu.Lock()
	defer l.spares.mu.Unlock()
	if l.ready == nil {
		return spare{}, false
	}
	s := *l.ready
	l.ready = nil
	if s.size < size {
		l.released = append(l.released, s)
		return spare{}, false
	}
	return s, true
}

// prepareInBackground makes the next segment. Its failure is nobody's yet: whoever needs the segment
// tries again and is told.
func (l *Log) prepareInBackground() {
	l.spares.mu.Lock()
	defer l.spares.mu.Unlock()
	if l.stopped || l.ready != nil {
		return
	}
	l.background.Add(1)
	go func() {
		defer l.background.Done()
		l.preparing.Lock()
		defer l.preparing.Unlock()
		if l.isReady() {
			return
		}
		// Not a released one that is smaller, as other options left it.
		if s, err := l.prepare(l.opts.FirstSegmentSize); err == nil {
			l.spares.mu.Lock()
			l.ready = &s
			l.spares.mu.Unlock()
		}
	}()
}

func (l *Log) isReady() bool {
	l.spares.mu.Lock()
	defer l.spares.mu.Unlock()
	return l.ready != nil
}

// PrepareSegment has the first segment made in the background, so that the first append need not wait for it.
func (l *Log) PrepareSegment() { l.prepareInBackground() }

// prepare makes a segment of at least size bytes ready, from a released one if one is large enough. It
// needs preparing held.
func (l *Log) prepare(size int64) (spare, error) {
	l.spares.mu.Lock()
	l.nextNumber++
	number := l.nextNumber - 1
	reused, ok := l.takeReleasedLocked(size)
	newSize := max(size, l.nextSize)
	l.spares.mu.Unlock()

	made := spare{number: number, path: filepath.Join(l.dir, nameOf(number)), size: newSize}
	if ok {
		made.size = reused.size
		return made, l.renumber(reused, made)
	}
	if err := l.create(made); err != nil {
		return spare{}, err
	}
	l.spares.mu.Lock()
	l.nextSize = min(2*l.nextSize, l.opts.SegmentSize)
	l.spares.mu.Unlock()
	return made, nil
}

func (l *Log) takeReleasedLocked(size int64) (spare, bool) {
	for i, s := range l.released {
		if s.size >= size {
			l.released = append(l.released[:i], l.released[i+1:]...)
			return s, true
		}
	}
	return spare{}, false
}

// preparedHeader is what a segment begins with that is ready for frames.
func (s spare) preparedHeader() []byte {
	return segmentHeader{number: s.number, size: s.size}.append(nil)
}

// create makes a segment of a header and zeros. It gets its name only when all of that is durable: under
// its name, without its header, it would be a damaged segment. After a failure nothing of it is left.
func (l *Log) create(made spare) error {
	temporary := filepath.Join(l.dir, temporaryNameOf(made.number))
	file, err := l.fs.Create(temporary)
	if err != nil {
		return err
	}
	err = writePrepared(file, made)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = l.fs.Rename(temporary, made.path)
	}
	if err != nil {
		_ = l.fs.Remove(temporary)
		return err
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		_ = l.fs.Remove(made.path)
		return err
	}
	return nil
}

func writePrepared(file disk.File, made spare) error {
	if err := disk.WriteZeros(file, made.size); err != nil {
		return err
	}
	if _, err := file.WriteAt(made.preparedHeader(), 0); err != nil {
		return err
	}
	return file.Datasync()
}

// renumber gives a released segment its new number. The new name is durable before the old header goes:
// under its old name a prepared header would hide where the values went that it held.
func (l *Log) renumber(old, made spare) error {
	if err := l.fs.Rename(old.path, made.path); err != nil {
		l.giveBack(old)
		return err
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		l.giveBack(made)
		return err
	}
	file, err := l.fs.Open(made.path)
	if err != nil {
		l.giveBack(made)
		return err
	}
	_, err = file.WriteAt(made.preparedHeader(), 0)
	if err == nil {
		err = file.Datasync()
	}
	_ = file.Close() // nothing is lost with it that Datasync did not report
	if err != nil {
		l.discard(made)
	}
	return err
}

// discard removes a segment whose header could not be written: a part of it may stand there, and the next
// Open would call that damaged.
func (l *Log) discard(s spare) {
	_ = l.fs.Remove(s.path)
	_ = l.fs.SyncDir(l.dir)
}

// giveBack keeps a segment for reuse, or removes it when enough are kept. A removal that fails leaves a
// file that the next Open finds and reuses.
func (l *Log) giveBack(s spare) {
	l.spares.mu.Lock()
	kept := s.size
	for _, other := range l.released {
		kept += other.size
	}
	keep := kept <= l.opts.KeepReleased
	if keep {
		l.released = append(l.released, spare{path: s.path, size: s.size})
	}
	l.spares.mu.Unlock()
	if !keep {
		_ = l.fs.Remove(s.path)
	}
}

func (l *Log) spareBytes() int64 {
	l.spares.mu.Lock()
	defer l.spares.mu.Unlock()
	total := int64(0)
	if l.ready != nil {
		total = l.ready.size
	}
	for _, s := range l.released {
		total += s.size
	}
	return total
}

// stopPreparing waits for the segment that is being made, and makes no more.
func (l *Log) stopPreparing() {
	l.spares.mu.Lock()
	l.stopped = true
	l.spares.mu.Unlock()
	l.background.Wait()
}

// RemoveReleased removes the released segments that are kept for reuse.
func (l *Log) RemoveReleased() {
	l.spares.mu.Lock()
	released := l.released
	l.released = nil
	l.spares.mu.Unlock()
	for _, s := range released {
		l.discard(s)
	}
}
