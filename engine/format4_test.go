// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

// The directories in testdata/format4 were written by the last version before trees had a digest of
// the meta bucket's keys. Each has the values of those in testdata/format3, a hold, a position and
// a clock state.

// TestFormat4 opens directories of that version, read-only, and for writing again and again. All
// that they have must be there, with the same identity.
func TestFormat4(t *testing.T) {
	for _, old := range format3 {
		t.Run(old.name, func(t *testing.T) {
			dir := unzip(t, "format4/"+old.name)
			var first [16]byte
			for n, opts := range []*Options{{ReadOnly: true}, nil, {ReadOnly: true}, nil} {
				db := mustOpen(t, dir, opts)
				store, _ := storeAndEpoch(t, db)
				if n == 0 {
					first = store
				}
				if store == [16]byte{} || store != first {
					t.Errorf("open %d, the store is %x; before it was %x", n, store, first)
				}
				wantFormat4(t, db)
				if opts == nil {
					mustStore(t, db, "new", "1", 1)
				}
				mustClose(t, db)
			}
		})
	}
}

// wantFormat4 requires what each directory in testdata/format4 has.
func wantFormat4(t *testing.T, db *DB) {
	t.Helper()
	wantRows(t, mustQuery(t, db, "r?", daybook.QueryParams{Order: daybook.OldestFirst}), format3Rows()...)
	position, err := db.Position(ctx, [16]byte{1}, [16]byte{2}, "s")
	if err != nil || position.Through != 7 {
		t.Errorf("the position is %+v, %v; want 7", position, err)
	}
	if clock, err := db.ClockState(ctx); err != nil || string(clock) != "a clock" {
		t.Errorf("the clock state is %q, %v", clock, err)
	}
	holds, err := db.Holds(ctx)
	want := daybook.Hold{Name: "consumer", MaxBytes: 1 << 20, MaxAge: 1000 * time.Hour}
	if err != nil || len(holds) != 1 || !cmp.Equal(holds[0].Hold, want) {
		t.Errorf("the holds are %+v, %v; want %+v", holds, err, want)
	}
}

// TestFormat4Backup restores a backup of that version.
func TestFormat4Backup(t *testing.T) {
	backup, err := os.ReadFile(filepath.Join(unzip(t, "format4/backup"), "backup"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	if err := Restore(ctx, dir, bytes.NewReader(backup)); err != nil {
		t.Fatal(err)
	}
	wantFormat4(t, mustOpen(t, dir, nil))
}
