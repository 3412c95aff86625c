// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"os"

	"github.com/daybook-db/daybook/engine/internal/pages"
)

// eraseUnfinished empties a file whose creation a power cut stopped, and reports whether it did. bbolt begins a file
// with one write, of which any part may be there then, and zeros for the rest. Nobody has stored anything before
// that is durable.
func eraseUnfinished(path string) bool {
	whole := pages.NewFile(os.Getpagesize())
	info, err := os.Stat(path)
	if err != nil || info.Size() > int64(len(whole)) {
		return false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	for i, b := range data {
		if b != 0 && b != whole[i] {
			return false
		}
	}
	return os.Truncate(path, 0) == nil
}
