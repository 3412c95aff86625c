// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"fmt"

	"github.com/daybook-db/daybook"
)

// Primary result codes of SQLite, from https://www.sqlite.org/rescode.html.
const (
	codeError        = 1 // such as a table that does not exist
	codeBusy         = 5
	codeLocked       = 6
	codeReadOnly     = 8
	codeIOError      = 10
	codeCorrupt      = 11
	codeFull         = 13
	codeCantOpen     = 14
	codeNotADatabase = 26
)

// meanings are the result codes that package daybook has an error for. An I/O error is not among
// them: only for a write does it mean that the store has failed.
var meanings = map[int]error{
	codeBusy:         daybook.ErrLocked,
	codeLocked:       daybook.ErrLocked,
	codeReadOnly:     daybook.ErrReadOnly,
	codeCorrupt:      daybook.ErrCorrupt,
	codeNotADatabase: daybook.ErrCorrupt,
	codeFull:         daybook.ErrNoSpace,
}

// translate wraps an error of SQLite in the error of package daybook that means the same, if there
// is one.
func translate(err error) error {
	code, ok := resultCode(err)
	if meaning := meanings[code]; ok && meaning != nil {
		return fmt.Errorf("%w: %w", meaning, err)
	}
	return err
}

// isIOError reports whether SQLite failed because the disk did.
func isIOError(err error) bool {
	code, ok := resultCode(err)
	return ok && code == codeIOError
}
