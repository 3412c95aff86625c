// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"context"
	"errors"
	"io/fs"
	"slices"
)

// Check reads the log again and verifies each segment that is not released: its header, its frames
// and its seal. In the active segment it verifies the frames that were appended before the call. It
// returns everything that is damaged, each as a daybook.ErrCorrupt with file and offset.
//
// Check reads through the operating system's cache, so it may miss damage on the disk. Any
// goroutine may call it, at the same time as any method except Close. It uses the memory of one
// segment.
func (l *Log) Check(ctx context.Context) error {
	var errs []error
	for _, s := range l.inUse() {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		errs = append(errs, l.check(s))
	}
	return errors.Join(errs...)
}

// inUse returns the segments that are not released, oldest first, in their present state.
func (l *Log) inUse() []segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	segments := slices.Clone(l.sealed)
	if l.active != nil {
		segments = append(segments, l.active.segment)
	}
	return segments
}

// check reads a segment and verifies it. If the segment is released meanwhile, its file may get
// another name or header at any time, so check ignores the result. A segment leaves the list before
// its file changes. So if the segment is still on the list, the file did not change before it was
// read.
func (l *Log) check(s segment) error {
	if s.end == 0 {
		return nil // all its values were in the tree when the log was opened
	}
	data, err := l.fs.ReadFile(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = corruptAt(s.path, 0, "the segment is missing")
	case err == nil:
		err = s.verify(data)
	}
	if err != nil && !l.uses(s.number) {
		return nil
	}
	return err
}

func (l *Log) uses(number uint64) bool {
	return slices.ContainsFunc(l.inUse(), func(s segment) bool { return s.number == number })
}
