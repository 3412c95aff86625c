// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// calls are the calls that need the tree. Each returns what it found or did, as text.
var calls = []struct {
	name string
	do   func(t *testing.T, db *DB) (string, error)
}{
	{"Query", func(_ *testing.T, db *DB) (string, error) { return found(db.Query(ctx, "*", daybook.QueryParams{})) }},
	{"Query, newest of each", func(_ *testing.T, db *DB) (string, error) {
		return found(db.Query(ctx, "*", daybook.QueryParams{LimitPerRecord: 1}))
	}},
	{"Records", func(_ *testing.T, db *DB) (text string, err error) {
		for info, err := range db.Records(ctx, "*", daybook.Glob) {
			if err != nil {
				return "", err
			}
			text += fmt.Sprintf("%+v ", info)
		}
		return text, nil
	}},
	{"Changes", func(_ *testing.T, db *DB) (text string, err error) {
		for change, err := range db.Changes(ctx, daybook.ChangesParams{}) {
			if err != nil {
				return "", err
			}
			text += fmt.Sprintf("%s %s ", change.RecordName, change.Value)
		}
		return text, nil
	}},
	{"Stats", func(_ *testing.T, db *DB) (string, error) {
		stats, err := db.Stats(ctx)
		return fmt.Sprint(stats.Records, stats.Values, stats.ValueBytes), err
	}},
	{"Holds", func(_ *testing.T, db *DB) (string, error) { return found(db.Holds(ctx)) }},
	{"ClockState", func(_ *testing.T, db *DB) (string, error) { return found(db.ClockState(ctx)) }},
	{"Backup", func(_ *testing.T, db *DB) (string, error) { return "", db.Backup(ctx, io.Discard) }},
	{"Check", func(_ *testing.T, db *DB) (string, error) { return "", db.Check(ctx) }},
	{"Compact", func(_ *testing.T, db *DB) (string, error) { return "", db.Compact(ctx) }},
	{"Cleanup", pruning(daybook.PruneParams{OlderThan: 15})},
	{"Prune, by number", pruning(daybook.PruneParams{MaxPerRecord: 5})},
	{"Prune, by size", pruning(daybook.PruneParams{MaxBytes: 8000})},
	{"Prune, a span", pruning(daybook.PruneParams{NewerThan: 10, OlderThan: 30})},
	{"Prune, with everything", pruning(daybook.PruneParams{NewerThan: 45, MaxPerRecord: 7, MaxBytes: 8000})},
	{"Checkpoint", func(t *testing.T, db *DB) (string, error) {
		mustStore(t, db, "b", "1", 200)
		return "", db.Checkpoint(ctx)
	}},
	{"AdvanceHold", func(_ *testing.T, db *DB) (string, error) {
		return "", db.AdvanceHold(ctx, "h", db.cursorAt(25))
	}},
	{"ReleaseHold", func(_ *testing.T, db *DB) (string, error) { return "", db.ReleaseHold(ctx, "h") }},
	{"a batch without values", func(_ *testing.T, db *DB) (string, error) { return "", newSender("s", 1).send(db) }},
	{"SetClockState", func(_ *testing.T, db *DB) (string, error) { return "", db.SetClockState(ctx, []byte("2")) }},
	{"Close", func(_ *testing.T, db *DB) (string, error) { return "", db.Close() }},
}

func found[T any](got T, err error) (string, error) { return fmt.Sprintf("%+v", got), err }

func pruning(params daybook.PruneParams) func(*testing.T, *DB) (string, error) {
	return func(_ *testing.T, db *DB) (string, error) { return found(db.Prune(ctx, "*", params)) }
}

// TestDamageUnderEachCall damages each page of an open tree's file, and makes each call that needs
// the tree. The call must name the damage, or do what it does without the damage.
func TestDamageUnderEachCall(t *testing.T) {
	origin := testenv.TempDir(t)
	db := mustOpen(t, origin, &Options{Tuning: Tuning{ChunkValues: 8}})
	for n := range uint64(60) {
		mustStore(t, db, string("abcdef"[n%6]), `"`+digits(300)+`"`, n)
		if n == 50 {
			mustCheckpointed(t, db)
		}
	}
	ofC := daybook.Pattern{Text: "c"}
	mustSetHold(t, db, daybook.Hold{Name: "h", Pattern: ofC, At: db.cursorAt(10), MaxBytes: 2000})
	if err := errors.Join(db.SetClockState(ctx, []byte("1")), db.abandon()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(origin, TreeFile))
	if err != nil {
		t.Fatal(err)
	}
	parent := testenv.TempDir(t)
	for i, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			t.Parallel()
			want, err := callDamaged(t, origin, filepath.Join(parent, fmt.Sprint(i)), -1, call.do)
			if err != nil {
				t.Fatal(err)
			}
			named := 0
			for page := range info.Size() / int64(os.Getpagesize()) {
				got, err := callDamaged(t, origin, filepath.Join(parent, fmt.Sprint(i, page)), page, call.do)
				switch {
				case errors.Is(err, daybook.ErrCorrupt):
					named++
				case err != nil || got != want:
					t.Errorf("page %d is damaged: got %s, %v; want %s, or ErrCorrupt", page, got, err, want)
				}
			}
			if named == 0 {
				t.Error("no damage was named")
			}
		})
	}
}

func mustCheckpointed(t *testing.T, db *DB) {
	t.Helper()
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
}

// callDamaged opens a copy of a directory, damages a page of its tree, if it is not negative, and
// makes a call.
func callDamaged(
	t *testing.T, origin, dir string, page int64, do func(*testing.T, *DB) (string, error),
) (string, error) {
	if err := os.CopyFS(dir, os.DirFS(origin)); err != nil {
		t.Fatal(err)
	}
	db, err := Open(dir, &Options{Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.abandon() }()
	if page >= 0 {
		flipByte(t, filepath.Join(dir, TreeFile), page*int64(os.Getpagesize())+20)
	}
	return do(t, db)
}

func flipByte(t *testing.T, path string, at int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err = file.ReadAt(b, at); err == nil {
		b[0] ^= 0x40
		_, err = file.WriteAt(b, at)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}
