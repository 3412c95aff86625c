// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/daybook-db/daybook/engine/internal/disk"
)

// pool has the segments that are not in use. It keeps one segment ready for the next frames, which
// it makes in the background: from a released segment, or from nothing.
//
// A new segment gets its blocks from the file system, which need not be written first. Where it
// cannot give them, the segment begins as a file of zeros.
//
// Released segments are recycled because the first write to a block is dearer than later ones: the
// file system writes metadata, or the log has written zeros. A recycled segment costs two renames
// and two syncs of the directory, in the background.
type pool struct {
	dir  string
	fs   *files
	opts Options

	// making is held while a segment is made. It is locked before mu.
	making sync.Mutex

	// mu guards the fields below.
	mu         sync.Mutex
	ready      *segment  // prepared, with the greatest number; nil: none
	released   []segment // to be recycled: only path, size and blank are used
	unfinished bool      // a segment is being made
	nextNumber uint64    // number of the next segment made
	nextSize   int64     // size of the next segment made from nothing
	stopped    bool
	paused     bool // no segment is made in the background
	skipped    bool // one would have been made, but for the pause

	background sync.WaitGroup
}

// take returns a prepared segment of at least size bytes, and has the next one made in the
// background. If one is being made, take waits for it.
func (p *pool) take(size int64) (segment, error) {
	p.making.Lock()
	defer p.making.Unlock()
	s, ok := p.takeReady(size)
	if !ok {
		var err error
		if s, err = p.makeSegment(size); err != nil {
			return segment{}, err
		}
		p.setUnfinished(false)
	}
	p.prepareInBackground()
	return s, nil
}

// takeReady returns the segment that is ready, if it is large enough. A segment that is too small
// is put with the released ones, because its number cannot be used any more: the larger segment
// that is made instead has a greater number and is used first, and segments are used in the order
// of their numbers.
func (p *pool) takeReady(size int64) (segment, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ready == nil {
		return segment{}, false
	}
	s := *p.ready
	p.ready = nil
	if s.size < size {
		p.released = append(p.released, s)
		return segment{}, false
	}
	return s, true
}

// prepareInBackground makes the next segment ready. If that fails, no caller is told: take tries
// again and returns the error.
func (p *pool) prepareInBackground() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped || p.ready != nil {
		return
	}
	p.background.Go(func() {
		p.making.Lock()
		defer p.making.Unlock()
		if p.isReady() || p.skipIfPaused() {
			return
		}
		_ = p.makeReadyLocked()
	})
}

// makeReady makes a segment of the minimum size ready, unless one is.
func (p *pool) makeReady() error {
	p.making.Lock()
	defer p.making.Unlock()
	if p.isReady() {
		return nil
	}
	p.mu.Lock()
	p.nextSize = p.opts.FirstSegmentSize
	p.mu.Unlock()
	return p.makeReadyLocked()
}

// makeReadyLocked makes the next segment ready. The caller holds making. Released segments of a
// process with other Options may be smaller than FirstSegmentSize.
func (p *pool) makeReadyLocked() error {
	s, err := p.makeSegment(p.opts.FirstSegmentSize)
	if err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ready, p.unfinished = &s, false
	}
	return err
}

func (p *pool) isReady() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready != nil
}

// pause makes no more segments in the background until resume. It waits for the one that is being
// made. If the disk has no room for that, its file is removed, too.
func (p *pool) pause() {
	p.making.Lock()
	defer p.making.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = true
}

// resume ends a pause, and makes the segment that would have been made meanwhile.
func (p *pool) resume() {
	p.mu.Lock()
	skipped := p.skipped
	p.paused, p.skipped = false, false
	p.mu.Unlock()
	if skipped {
		p.prepareInBackground()
	}
}

func (p *pool) skipIfPaused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.skipped = p.skipped || p.paused
	return p.paused
}

// makeSegment makes a prepared segment of at least size bytes, from a released one if one is large
// enough. If the released one cannot be renamed, it counts as released again. After any later error
// the file is removed. The segment counts as unfinished until the caller, who holds making, puts it
// elsewhere.
func (p *pool) makeSegment(size int64) (segment, error) {
	p.mu.Lock()
	made := segment{number: p.nextNumber, size: max(size, p.nextSize)}
	p.nextNumber++
	released, recycled := p.takeReleasedLocked(size)
	made.path = filepath.Join(p.dir, temporaryNameOf(made.number))
	if recycled {
		made.size, made.blank = released.size, released.blank
	} else {
		p.fs.set(made.path, made.size) // counts from the moment when it counts as a spare one
	}
	p.unfinished = true
	p.mu.Unlock()

	if recycled {
		if err := p.fs.Rename(released.path, made.path); err != nil {
			p.setUnfinished(false)
			if !errors.Is(err, fs.ErrNotExist) {
				p.addReleased(released)
			}
			return segment{}, err
		}
	}
	if err := p.prepare(&made, recycled); err != nil {
		p.setUnfinished(false)
		p.remove(made)
		return segment{}, err
	}
	if !recycled {
		p.mu.Lock()
		p.nextSize = min(2*p.nextSize, p.opts.SegmentSize)
		p.mu.Unlock()
	}
	return made, nil
}

func (p *pool) setUnfinished(is bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unfinished = is
}

func (p *pool) takeReleasedLocked(size int64) (segment, bool) {
	for i, s := range p.released {
		if s.size >= size {
			p.released = append(p.released[:i], p.released[i+1:]...)
			return s, true
		}
	}
	return segment{}, false
}

// prepare makes a prepared segment under its temporary path, and then gives it its name. The header
// is durable before that: under its name, without its header, it would be a damaged segment.
func (p *pool) prepare(s *segment, recycled bool) error {
	if err := p.writePreparedFile(s, recycled); err != nil {
		return err
	}
	path := filepath.Join(p.dir, nameOf(s.number))
	if err := p.fs.Rename(s.path, path); err != nil {
		return err
	}
	s.path = path
	return p.fs.SyncDir(p.dir)
}

// writePreparedFile durably writes a prepared header. Unless the file is a recycled one, it first
// gets its size.
func (p *pool) writePreparedFile(s *segment, recycled bool) (err error) {
	file, err := p.createOrOpen(s, recycled)
	if err != nil {
		return err
	}
	if !recycled {
		err = allocate(file, s)
	}
	if err == nil {
		err = writeDurably(file, s.preparedHeader().append(nil), 0)
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// allocate gives the file of a segment its size. After that, appending changes neither the size nor
// the free space of the disk. File systems say with several errors that they cannot give blocks
// without writing them, so any but that of a full disk is taken for one: a disk that fails also
// refuses the zeros.
func allocate(file disk.File, s *segment) error {
	err := file.Allocate(s.size)
	switch {
	case err == nil:
		s.blank = segmentHeaderLen
	case !disk.IsNoSpace(err):
		return disk.WriteZeros(file, s.size)
	}
	return err
}

// createOrOpen creates a file, or opens a recycled one that has been renamed. The new name
// is durable before the file gets another header: under its old name, a prepared header would hide
// that the segment had values.
func (p *pool) createOrOpen(s *segment, recycled bool) (disk.File, error) {
	if !recycled {
		return p.fs.Create(s.path, s.size)
	}
	if err := p.fs.SyncDir(p.dir); err != nil {
		return nil, err
	}
	return p.fs.Open(s.path)
}

// release keeps a segment for recycling. It removes the segment if the kept ones would then exceed
// KeepReleased. The removal is not synced: after a power cut, the next Open may find the file. It
// takes the file for a sealed segment whose values are in the tree, and Release releases it again.
func (p *pool) release(s segment) {
	p.mu.Lock()
	keep := totalSize(p.released)+s.size <= p.opts.KeepReleased
	if keep {
		p.released = append(p.released, s)
	}
	p.mu.Unlock()
	if !keep {
		p.remove(s)
	}
}

func (p *pool) addReleased(s segment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.released = append(p.released, s)
}

// removeReleased durably removes the segments that are kept for recycling.
func (p *pool) removeReleased() {
	p.mu.Lock()
	released := p.released
	p.released = nil
	p.mu.Unlock()
	for _, s := range released {
		p.removeDurably(s)
	}
}

// removeSpares durably removes the segments that are not in use: the one that is ready, and those
// that are kept for recycling. It reports whether there were any.
func (p *pool) removeSpares() bool {
	p.making.Lock()
	defer p.making.Unlock()
	p.mu.Lock()
	spares := p.released
	p.released = nil
	if p.ready != nil {
		spares = append(spares, *p.ready)
		p.ready = nil
	}
	p.mu.Unlock()
	for _, s := range spares {
		p.removeDurably(s)
	}
	return len(spares) > 0
}

func (p *pool) removeDurably(s segment) {
	p.remove(s)
	_ = p.fs.SyncDir(p.dir)
}

// remove removes the file of a segment. A file that cannot be removed counts as released, so that
// it is recycled or removed later. It has the size that it has on the disk: after a failed
// allocation it is too short.
func (p *pool) remove(s segment) {
	err := p.fs.Remove(s.path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return
	}
	_, s.size, _ = p.fs.ReadStart(s.path, 0) // a segment of size 0 is never recycled
	p.addReleased(s)
}

// lastSegment returns the greatest number that was given to a segment.
func (p *pool) lastSegment() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nextNumber - 1
}

// spare returns the number of segments that can be used before another one is made from nothing.
func (p *pool) spare() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ready != nil || p.unfinished {
		n++
	}
	for _, s := range p.released {
		if s.size >= p.opts.FirstSegmentSize {
			n++
		}
	}
	return n
}

// largest returns the size of the largest segment that is not in use; 0 if there is none.
func (p *pool) largest() (size int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ready != nil {
		size = p.ready.size
	}
	for _, s := range p.released {
		size = max(size, s.size)
	}
	return size
}

// stop waits for the segment that is being made. No further segments are made in the background.
func (p *pool) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.background.Wait()
}
