// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"io/fs"
	"slices"
)

// Check reads again what the log holds: each segment that has not been released, its header, its frames and
// its seal, of the one that is written to what had been appended when Check was called. It returns all that
// it finds damaged, each as a daybook.ErrCorrupt with file and offset. It reads through the operating
// system's cache, so what it finds whole need not be so on the disk. Any goroutine may call it, beside every
// method but Close; it takes the memory of one segment at a time.
func (l *Log) Check() error {
	var errs []error
	for _, e := range l.inUse() {
		errs = append(errs, l.check(e))
	}
	return errors.Join(errs...)
}

// inUse returns the segments that have not been released, oldest first, as they are now.
func (l *Log) inUse() []extent {
	l.mu.Lock()
	defer l.mu.Unlock()
	segments := slices.Clone(l.sealed)
	if l.active != nil {
		segments = append(segments, l.active.extent)
	}
	return segments
}

// check reads a segment again. One that is released meanwhile may get another name or another header at any
// time, so what was read of it says nothing. It leaves the list before any of that is done to it, so while
// it is on the list what was read of it was read in time.
func (l *Log) check(e extent) error {
	if e.end == 0 {
		return nil // all of it was in the tree already when the log was opened
	}
	data, err := l.fs.ReadFile(e.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = corruptAt(e.path, 0, "the segment is missing")
	case err == nil:
		err = e.verify(data)
	}
	if err != nil && !l.uses(e.number) {
		return nil
	}
	return err
}

func (l *Log) uses(number uint64) bool {
	return slices.ContainsFunc(l.inUse(), func(e extent) bool { return e.number == number })
}
