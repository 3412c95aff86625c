// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"runtime/debug"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
)

// mappedFile is a bbolt file, which bbolt maps into memory.
type mappedFile struct {
	fs    disk.FS
	path  string
	lease *Lease // of a reader; nil: the file is the process's own, or is being opened

	beside *besideFile // nil: the file is mapped into memory, and nobody else writes to it
}

func (f mappedFile) String() string { return f.path }

// protect calls fn, and turns its panics into daybook.ErrCorrupt. bbolt panics over pages that make
// no sense, and to read a mapped file that was cut off is a memory fault. Neither may end the
// program. fn must not hand out parts of the mapping, because its callers are not protected. It
// must not call protect for a file with a lease: a lease may end only between two calls.
func (f mappedFile) protect(fn func() error) (err error) {
	if err := f.lease.begin(); err != nil {
		return err
	}
	defer f.lease.end()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = f.panicError(cause)
		}
	}()
	return fn()
}

func (f mappedFile) panicError(cause any) error {
	if _, isFault := cause.(interface{ Addr() uintptr }); isFault {
		if info, err := f.fs.Stat(f.path); err == nil {
			return fmt.Errorf("%w: %s, of %d bytes, has been cut off, or the disk cannot read it",
				daybook.ErrCorrupt, f, info.Size())
		}
	}
	return fmt.Errorf("%w: a page of %s makes no sense: %v", daybook.ErrCorrupt, f, cause)
}
