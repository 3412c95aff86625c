// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"os"
	"testing"

	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
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

// TestReserveGrows opens with reserves that are too short. One of at least minReserveSize is made
// longer and never removed, because the disk may be full. After a failed write it counts as it is.
func TestReserveGrows(t *testing.T) {
	for _, test := range []struct {
		name   string
		size   int
		fails  bool // writing the rest
		want   int64
		create bool
		reason string
	}{
		{"whole", reserveSize, false, reserveSize, false, "nothing is missing"},
		{"a part for the log", minReserveSize, false, reserveSize, false, "there is room again"},
		{"on a full disk", minReserveSize, true, minReserveSize, false, "a part is better than nothing"},
		{"between", minReserveSize + 5000, true, minReserveSize + 5000, false, "an earlier write got so far"},
		{"too short", minReserveSize - 1, false, reserveSize, true, "it does not count, and is made again"},
		{"too short on a full disk", minReserveSize - 1, true, 0, true, "it would never be enough"},
	} {
		db, fsys := openFaulty(t, testenv.TempDir(t), Options{})
		path := db.reserve.dir.file(reserveName)
		if err := os.WriteFile(path, noise()[:test.size], 0o600); err != nil {
			t.Fatal(err)
		}
		created := false
		fsys.SetHook(func(op faultfs.Op) error {
			if op.Path != path {
				return nil
			}
			created = created || op.Name == faultfs.Create
			if test.fails && op.Name == faultfs.Write {
				return faultfs.ErrDiskFull
			}
			return nil
		})
		db.reserve.find()
		db.reserve.take()
		size := int64(0)
		if data, err := os.ReadFile(path); err == nil {
			size = int64(len(data))
			if !bytes.Equal(data, noise()[:size]) {
				t.Errorf("%s: the file has other bytes", test.name)
			}
		}
		if got := db.reserve.size(); got != test.want || size != test.want || created != test.create {
			t.Errorf("%s: the reserve has %d bytes, its file %d (new: %v); want %d (new: %v): %s", test.name, got, size,
				created, test.want, test.create, test.reason)
		}
		fsys.SetHook(nil)
	}
}
