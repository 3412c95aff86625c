// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/daybook-db/daybook"
)

// mappedFile is the path of a bbolt file, which bbolt maps into memory.
type mappedFile string

// protect calls fn, and turns its panics into daybook.ErrCorrupt. bbolt panics over pages that make
// no sense, and to read a mapped file that was cut off is a memory fault. Neither may end the
// program. fn must not hand out parts of the mapping, because its callers are not protected.
func (f mappedFile) protect(fn func() error) (err error) {
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
		if info, err := os.Stat(string(f)); err == nil {
			return fmt.Errorf("%w: %s, of %d bytes, has been cut off, or the disk cannot read it",
				daybook.ErrCorrupt, string(f), info.Size())
		}
	}
	return fmt.Errorf("%w: a page of %s makes no sense: %v", daybook.ErrCorrupt, string(f), cause)
}
