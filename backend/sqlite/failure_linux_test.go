// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"encoding/json"
	"errors"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/daybook-db/daybook"
)

// TestFailedDisk shows that a failed write is the last one until the file is opened again, and that
// reads go on. A bound on the size of files stands for the failing disk: a write beyond it is
// EFBIG.
func TestFailedDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	db := mustOpen(t, path, nil)
	mustStore(t, db, "r", "1", 1)
	large := json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
	withFileSizeLimit(t, 256<<10, func() {
		if err := db.Store(t.Context(), "large", large, 1); !errors.Is(err, daybook.ErrFailed) {
			t.Errorf("Store: got error %v; want daybook.ErrFailed", err)
		}
	})
	if err := db.Store(t.Context(), "r", json.RawMessage("2"), 2); !errors.Is(err, daybook.ErrFailed) {
		t.Errorf("Store after a failure: got error %v; want daybook.ErrFailed", err)
	}
	if _, err := db.Cleanup(t.Context(), 10); !errors.Is(err, daybook.ErrFailed) {
		t.Errorf("Cleanup after a failure: got error %v; want daybook.ErrFailed", err)
	}
	wantAll(t, db, "r 1 1")
	mustClose(t, db)
	db = mustOpen(t, path, nil)
	defer mustClose(t, db)
	mustStore(t, db, "r", "2", 2)
	wantAll(t, db, "r 1 1", "r 2 2")
}

// withFileSizeLimit runs do while the process can write no file beyond a size.
func withFileSizeLimit(t *testing.T, size uint64, do func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	limit := before
	limit.Cur = size
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Error(err)
		}
	}()
	do()
}
