// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"os"
	"testing"

	"github.com/daybook-db/daybook/proof/testenv"
)

// TestReserveIsCounted compares the space that the reserve is said to take up with its file: a
// budget that counts a reserve which is gone refuses values that fit.
func TestReserveIsCounted(t *testing.T) {
	db, err := Open(testenv.TempDir(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	path := db.reserve.dir.file(reserveName)
	want := func(when string, want int64) {
		t.Helper()
		size := int64(0)
		if info, err := os.Stat(path); err == nil {
			size = info.Size()
		}
		if got := db.reserve.size(); got != want || size != want {
			t.Errorf("%s: the reserve takes up %d bytes, its file %d; want %d", when, got, size, want)
		}
	}
	want("after Open", reserveSize)
	db.reserve.remove()
	want("after its removal", 0)
	if db.reserve.release() {
		t.Error("a reserve that is gone frees no space")
	}
}
