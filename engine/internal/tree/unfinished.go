// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// eraseUnfinished empties a file whose creation was interrupted by a power cut, and reports whether
// it did. bbolt creates a file with one write. After the power cut any part of that write may be in
// the file, with zeros for the rest. On Windows more zeros follow, up to the size of the first
// mapping. No value is acknowledged before the write is durable.
func eraseUnfinished(f mappedFile) (erased bool, err error) {
	file, err := f.fs.OpenFile(f.path, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if !disk.TryLock(file, disk.OfTree) { // another program is opening it, and may have written more
		return false, fmt.Errorf("%w: %s: another program is creating it", daybook.ErrLocked, f)
	}
	defer func() { err = errors.Join(err, disk.Unlock(file, disk.OfTree)) }()
	created := pages.NewFile(os.Getpagesize())
	longest := max(len(created), minMapSize)
	if runtime.GOOS == "windows" {
		longest = max(longest, windowsMapSize)
	}
	data, err := io.ReadAll(io.LimitReader(file, int64(longest)+1))
	if err != nil || len(data) > longest {
		return false, err
	}
	for i, b := range data {
		if b != 0 && (i >= len(created) || b != created[i]) {
			return false, nil
		}
	}
	return true, file.Truncate(0)
}
