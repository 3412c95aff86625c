// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// eraseUnfinished empties a file whose creation a power cut stopped, and reports whether it did. bbolt begins a file
// with one write, of which any part may be there then, and zeros for the rest. Nobody has stored anything before
// that is durable.
func eraseUnfinished(path string) (erased bool, err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if !disk.TryLock(file) { // another one is opening it, and may have more in it by now
		return false, fmt.Errorf("%w: %s: another program is creating it", daybook.ErrLocked, path)
	}
	defer func() { err = errors.Join(err, disk.Unlock(file)) }()
	whole := pages.NewFile(os.Getpagesize())
	data, err := io.ReadAll(io.LimitReader(file, int64(len(whole))+1))
	if err != nil || len(data) > len(whole) {
		return false, err
	}
	for i, b := range data {
		if b != 0 && b != whole[i] {
			return false, nil
		}
	}
	return true, file.Truncate(0)
}
