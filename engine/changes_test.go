// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

func mustChange(t rapid.TB, db *DB, after daybook.Cursor) (changes []daybook.Change) {
	t.Helper()
	for change, err := range db.Changes(ctx, daybook.ChangesParams{After: after}) {
		if err != nil {
			t.Fatalf("Changes(%v): %v", after, err)
		}
		if !change.IsPlace() {
			changes = append(changes, change)
		}
	}
	return changes
}

// TestChanges compares Changes with the order in which the values were stored, after every place,
// through checkpoints, compactions, cleanups and restarts.
func TestChanges(t *testing.T) {
	t.Parallel()
	parent := testenv.TempDir(t)
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(parent, "changes")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		opts := &Options{Durability: DurabilityOS,
			Tuning: Tuning{HeadSize: MinHeadSize, TransactionSize: MinTransactionSize, ChunkValues: 4}, Logger: discard}
		db, err := Open(dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		var model []daybook.Change
		last := uint64(0)
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			default:
				var batch []daybook.StoredValue
				for range rapid.IntRange(1, 5).Draw(t, "batch") {
					v := daybook.StoredValue{
						RecordName: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"),
						Value: json.RawMessage(fmt.Sprintf(`"%d %s"`, last,
							digits(rapid.IntRange(0, 2000).Draw(t, "length")))),
						StoredAt: rapid.Uint64Range(0, 50).Draw(t, "time"),
					}
					last++
					batch = append(batch, v)
					model = append(model, daybook.Change{StoredValue: v, Cursor: db.cursorAt(last)})
				}
				if err := db.StoreBatch(ctx, batch); err != nil {
					t.Fatal(err)
				}
			case 7:
				err = db.Checkpoint(ctx)
			case 8:
				before := rapid.Uint64Range(0, 40).Draw(t, "before")
				_, err = db.Cleanup(ctx, before)
				var left []daybook.Change
				for _, change := range model {
					if change.StoredAt >= before {
						left = append(left, change)
					}
				}
				model = left
			case 9:
				err = db.Compact(ctx)
				if err == nil {
					err = db.Close()
				}
				if err == nil {
					db, err = Open(dir, opts)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		after := rapid.Uint64Range(0, last).Draw(t, "after")
		var want []daybook.Change
		for _, change := range model {
			if change.Cursor.Sequence > after {
				want = append(want, change)
			}
		}
		if got := mustChange(t, db, db.cursorAt(after)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("after %d:\n got %v\nwant %v", after, got, want)
		}
	})
}

// TestChangesAtOnce has more values, and more bytes, than one window collects, and the times of the
// records are in another order than their sequence numbers. The loop stores and deletes.
func TestChangesAtOnce(t *testing.T) {
	t.Parallel()
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
	const records, each = 200, 800
	total := uint64(0)
	for i := range each {
		var batch []daybook.StoredValue
		for r := range records {
			batch = append(batch,
				daybook.StoredValue{RecordName: fmt.Sprint(r), Value: json.RawMessage(fmt.Sprint(total)),
					StoredAt: uint64((i * 7) % each)})
			total++
		}
		if err := db.StoreBatch(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
	long := json.RawMessage(`"` + digits(maxWindowBytes) + `"`)
	for i := range uint64(3) {
		if err := db.Store(ctx, "long", long, i); err != nil {
			t.Fatal(err)
		}
	}
	next := uint64(1)
	for change, err := range db.Changes(ctx, daybook.ChangesParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		if change.IsPlace() {
			break
		}
		if change.Cursor.Sequence != next || next <= total && string(change.Value) != fmt.Sprint(next-1) {
			t.Fatalf("got %v, %.20s; want %d", change.Cursor, change.Value, next)
		}
		if next++; next%100_000 == 0 {
			mustStore(t, db, "within", "1", 1) // not yielded
			if err := db.Checkpoint(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if next != total+4 {
		t.Errorf("the last one was %d; want %d", next-1, total+3)
	}
	if got := mustChange(t, db, db.cursorAt(total+3)); len(got) != int(total/100_000) {
		t.Errorf("values stored in the loop: got %v", got)
	}
	for range db.Changes(ctx, daybook.ChangesParams{}) {
		break // without an error, or a snapshot that stays open
	}
}

func TestChangesErrors(t *testing.T) {
	dir := closedStore(t, nil, row{"r", "1", 1}, row{"r", `"2"`, 2})
	damage(t, dir, "values", func(value []byte) { value[len(value)-1] ^= 1 })
	db := openDamaged(t, dir, Options{})
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for _, test := range []struct {
		ctx  context.Context
		want error
	}{{ctx, daybook.ErrCorrupt}, {cancelled, context.Canceled}} {
		var got error
		for _, got = range db.Changes(test.ctx, daybook.ChangesParams{}) {
		}
		if !errors.Is(got, test.want) {
			t.Errorf("got %v; want %v", got, test.want)
		}
	}
	_ = db.Close()
	for _, err := range db.Changes(ctx, daybook.ChangesParams{}) {
		if !errors.Is(err, daybook.ErrClosed) {
			t.Errorf("a closed DB: got %v", err)
		}
	}
}
