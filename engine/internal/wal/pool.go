// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"path/filepath"
	"sync"

	"github.com/daybook-db/daybook/engine/internal/disk"
)

// pool has the segments that are not in use. It keeps one segment ready for the next frames, which
// it makes in the background: from a released segment, or from nothing.
//
// Released segments are recycled because writing zeros first would double the bytes that the log
// writes. With 10^7 values in batches of 1,000, a store wrote a third more to the disk without
// recycling.
type pool struct {
	dir  string
	fs   disk.FS
	opts Options

	// making is held while a segment is made. It is locked before mu.
	making sync.Mutex

	// mu guards the fields below.
	mu         sync.Mutex
	ready      *segment  // prepared, with the greatest number; nil: none
	released   []segment // only their path and size matter
	nextNumber uint64    // number of the next segment made
	nextSize   int64     // size of the next segment made from nothing
	stopped    bool

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
		if s, err = p.make(size); err != nil {
			return segment{}, err
		}
	}
	p.prepareInBackground()
	return s, nil
}

// takeReady returns the segment that is ready. A segment that is too small counts as released. It
// needs a new number: the segment that is made in its place has a greater number and is used before
// it.
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
		if p.isReady() {
			return
		}
		// Released segments may be smaller than FirstSegmentSize after a run with other options.
		if s, err := p.make(p.opts.FirstSegmentSize); err == nil {
			p.mu.Lock()
			p.ready = &s
			p.mu.Unlock()
		}
	})
}

func (p *pool) isReady() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready != nil
}

// make makes a prepared segment of at least size bytes, from a released one if one is large enough.
// The caller holds making.
func (p *pool) make(size int64) (segment, error) {
	p.mu.Lock()
	made := segment{number: p.nextNumber, size: max(size, p.nextSize)}
	made.path = filepath.Join(p.dir, nameOf(made.number))
	p.nextNumber++
	recycled, ok := p.takeReleasedLocked(size)
	p.mu.Unlock()

	if ok {
		made.size = recycled.size
	}
	if err := p.create(made, recycled.path); err != nil {
		return segment{}, err
	}
	if !ok {
		p.mu.Lock()
		p.nextSize = min(2*p.nextSize, p.opts.SegmentSize)
		p.mu.Unlock()
	}
	return made, nil
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

// create makes the file of a prepared segment, from a released one at the path recycled, or from
// zeros if that is empty. The file gets its name when its header is durable: under its name,
// without its header, it would be a damaged segment. After an error neither name remains.
func (p *pool) create(made segment, recycled string) error {
	temporary := filepath.Join(p.dir, temporaryNameOf(made.number))
	err := p.writePrepared(temporary, made, recycled)
	if err == nil {
		err = p.fs.Rename(temporary, made.path)
	}
	if err == nil {
		err = p.fs.SyncDir(p.dir)
	}
	if err != nil {
		_ = p.fs.Remove(temporary)
		_ = p.fs.Remove(made.path)
	}
	return err
}

// writePrepared durably writes a prepared segment to a file with a temporary name.
func (p *pool) writePrepared(temporary string, made segment, recycled string) (err error) {
	file, err := p.openTemporary(temporary, recycled)
	if err != nil {
		return err
	}
	if recycled == "" {
		err = disk.WriteZeros(file, made.size)
	}
	if err == nil {
		err = writeDurably(file, made.preparedHeader().append(nil), 0)
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// openTemporary creates a file, or renames and opens a released segment. The new name is durable
// before the segment gets another header: under its old name, a prepared header would hide that the
// segment had values.
func (p *pool) openTemporary(temporary, recycled string) (disk.File, error) {
	if recycled == "" {
		return p.fs.Create(temporary)
	}
	if err := p.fs.Rename(recycled, temporary); err != nil {
		return nil, err
	}
	if err := p.fs.SyncDir(p.dir); err != nil {
		return nil, err
	}
	return p.fs.Open(temporary)
}

// release keeps a segment for recycling, or removes it when the pool has KeepReleased bytes. If the
// removal fails, the file remains until the next Open, which recycles it.
func (p *pool) release(s segment) {
	p.mu.Lock()
	keep := totalSize(p.released)+s.size <= p.opts.KeepReleased
	if keep {
		p.released = append(p.released, s)
	}
	p.mu.Unlock()
	if !keep {
		_ = p.fs.Remove(s.path)
	}
}

// removeReleased removes the segments that are kept for recycling.
func (p *pool) removeReleased() {
	p.mu.Lock()
	released := p.released
	p.released = nil
	p.mu.Unlock()
	for _, s := range released {
		p.remove(s)
	}
}

// remove durably removes a segment.
func (p *pool) remove(s segment) {
	_ = p.fs.Remove(s.path)
	_ = p.fs.SyncDir(p.dir)
}

// lastNumber returns the greatest number that was given to a segment.
func (p *pool) lastNumber() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nextNumber - 1
}

// size returns the total size of the pool's segments, in bytes.
func (p *pool) size() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	total := totalSize(p.released)
	if p.ready != nil {
		total += p.ready.size
	}
	return total
}

// stop waits for the segment that is being made. No further segments are made in the background.
func (p *pool) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.background.Wait()
}
