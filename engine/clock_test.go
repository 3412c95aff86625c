// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestClockStateSurvives wants the clock state after everything that makes another file of the
// tree, and in a read-only daybook, which cannot change it.
func TestClockStateSurvives(t *testing.T) {
	dir, want := testenv.TempDir(t), []byte("what was known of the time")
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS})
	wantState := func(when string) {
		t.Helper()
		if got, err := db.ClockState(t.Context()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the state is %q, %v; want %q", when, got, err, want)
		}
	}
	mustStore(t, db, "r", "1", 1)
	if err := db.SetClockState(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	wantState("at once")
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, dir, &Options{Durability: DurabilityOS})
	wantState("after a crash")
	var backup bytes.Buffer
	if err := errors.Join(db.Compact(t.Context()), db.Backup(t.Context(), &backup)); err != nil {
		t.Fatal(err)
	}
	wantState("after a compaction")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	restored := filepath.Join(testenv.TempDir(t), "restored")
	if err := Restore(t.Context(), restored, &backup); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{dir, restored} {
		db = mustOpen(t, dir, &Options{ReadOnly: true})
		wantState("read-only, in " + filepath.Base(dir))
		if err := db.SetClockState(t.Context(), nil); !errors.Is(err, daybook.ErrReadOnly) {
			t.Errorf("SetClockState: %v; want ErrReadOnly", err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
