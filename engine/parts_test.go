// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/engine/internal/wal"
	"github.com/daybook-db/daybook/proof/testenv"
)

// postPart posts the first of some runs to a store that is closed, like a checkpoint that a crash
// interrupts between two transactions. Its last transaction would have moved the watermark.
func postPart(t *testing.T, dir string, watermark uint64, runs []tree.Run, first int) {
	t.Helper()
	halves, err := tree.Open(mustOpenDirectory(t, dir).fs, filepath.Join(dir, TreeFile),
		tree.Options{LockTimeout: -1, ChunkValues: 4, ChunkBytes: 1 << 10, TransactionBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer halves.Close()
	postFirst(t, halves, watermark, runs, first)
}

func postFirst(t *testing.T, in *tree.Tree, watermark uint64, runs []tree.Run, first int) {
	t.Helper()
	_, err := in.Post(tree.Posting{Watermark: watermark, AllowParts: true, Runs: func(after string) iter.Seq[tree.Run] {
		at := 0
		for at < len(runs) && runs[at].Record <= after {
			at++
		}
		if at == first {
			panic("the crash")
		}
		return slices.Values(runs[at:])
	}})
	if state, stateErr := in.State(); err == nil || stateErr != nil ||
		state.Partial != (tree.PartialPost{Through: runs[first-1].Record, Watermark: watermark}) {
		t.Fatalf("the tree is at %+v after %v, %v; want the first %d of %d runs", state, err, stateErr, first,
			len(runs))
	}
}

// TestReplayAfterPart replays a log of which the tree holds a part: some records have their values
// up to a watermark, others do not, and later values follow. Each value must be there once,
// whatever the size of the heads.
func TestReplayAfterPart(t *testing.T) {
	t.Parallel()
	const records, ticks, posted = 8, 40, 38 // posted: the ticks that belong to the checkpoint
	var all []row
	for tick := range ticks {
		for record := range records {
			all = append(all,
				row{fmt.Sprintf("r%d", record), fmt.Sprintf(`{"tick":%d,"padding":"%064d"}`, tick, record),
					uint64(tick)})
		}
	}
	from := testenv.TempDir(t)
	db, err := Open(from, &Options{Durability: DurabilityOS})
	if err != nil {
		t.Fatal(err)
	}
	runs := make([]tree.Run, records)
	for i, r := range all {
		mustStore(t, db, r.Name, r.Value, r.At)
		if i < posted*records {
			run := &runs[i%records]
			run.Record = r.Name
			run.Values = append(run.Values,
				codec.Entry{Timestamp: r.At, Sequence: uint64(i + 1), Value: json.RawMessage(r.Value)})
		}
	}
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	byRecord := slices.Clone(all)
	slices.SortStableFunc(byRecord, func(a, b row) int { return cmp.Compare(a.Name, b.Name) })
	for first := 1; first < records; first++ {
		for headSize := int64(MinHeadSize); headSize <= 48<<10; headSize += 8 << 10 {
			dir := testenv.TempDir(t)
			if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
			postPart(t, dir, posted*records, runs, first)
			checkReplay(t, dir, headSize, posted*records)
			for _, opts := range []*Options{{ReadOnly: true},
				{Durability: DurabilityOS, Tuning: Tuning{HeadSize: headSize, TransactionSize: MinTransactionSize}}} {
				db := mustOpen(t, dir, opts)
				wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{Order: daybook.OldestFirst}), byRecord...)
				if stats, err := db.Stats(ctx); err != nil || stats.Values != uint64(len(all)) ||
					stats.Records != records {
					t.Errorf("%d values of %d records, %v; want %d of %d", stats.Values, stats.Records, err, len(all),
						records)
				}
				mustClose(t, db)
			}
			db := mustOpen(t, dir, nil)
			wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{Order: daybook.OldestFirst}), byRecord...)
			if stats, err := db.Stats(ctx); err != nil || stats.Watermark != uint64(len(all)) {
				t.Errorf("the watermark is %d, %v, after all was posted; want %d", stats.Watermark, err, len(all))
			}
			mustClose(t, db)
		}
	}
}

// checkReplay replays the log. The part must end with the checkpoint to which it belongs, or not
// yet; otherwise a crash would replay values that the tree has.
func checkReplay(t *testing.T, dir string, headSize int64, watermark uint64) {
	t.Helper()
	opts, err := (&Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: headSize}}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	again := testenv.TempDir(t)
	if err := os.CopyFS(again, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	turn := newTurn(newDB(mustOpenDirectory(t, again), opts))
	if err := turn.openTreeFile(false, identity.Identity{}); err != nil {
		t.Fatal(err)
	}
	defer turn.tree().Close()
	before, err := turn.tree().State()
	if err != nil {
		t.Fatal(err)
	}
	recovery, err := wal.Scan(turn.db.dir.log, turn.db.dir.fs, turn.knownToLog(before))
	if err == nil {
		err = turn.replay(recovery, before)
	}
	if err != nil {
		t.Fatal(err)
	}
	after, err := turn.tree().State()
	if err != nil || after.Watermark < watermark && after.Partial != before.Partial {
		t.Errorf("replayed into heads of %d bytes: %+v, %v; want %+v still, or a watermark of %d", headSize, after,
			err, before.Partial, watermark)
	}
}

// TestStatsAfterPart asks for Stats after a crash amid a checkpoint of more records than Stats
// looks at. It asks before the rest is posted, when more was stored, when that is frozen with the
// rest, and during the next attempt.
func TestStatsAfterPart(t *testing.T) {
	const records = 3 * maxLookups
	dir := testenv.TempDir(t)
	db, err := Open(dir, &Options{Durability: DurabilityOS})
	if err != nil {
		t.Fatal(err)
	}
	runs := make([]tree.Run, records)
	for i := range runs {
		name := fmt.Sprintf("r%05d", i)
		mustStore(t, db, name, "1", 1)
		value := codec.Entry{Timestamp: 1, Sequence: uint64(i + 1), Value: json.RawMessage("1")}
		runs[i] = tree.Run{Record: name, Values: []codec.Entry{value}}
	}
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	postPart(t, dir, records, runs, records/2)
	db = mustOpen(t, dir, &Options{Durability: DurabilityOS})
	want := uint64(records)
	wantStats := func(when string) {
		t.Helper()
		stats, err := db.Stats(ctx)
		if err != nil || stats.Values != want || stats.ValueBytes != want || stats.Records != want {
			t.Errorf("%s: %d values of %d bytes in %d records, %v; want %d of each", when, stats.Values,
				stats.ValueBytes, stats.Records, err, want)
		}
	}
	taken := mustTakeTurn(t, db) // so a checkpoint waits that has not begun
	inTree, err := taken.tree().State()
	if err != nil {
		t.Fatal(err)
	}
	wantStats("after the crash")
	mustStore(t, db, "new", "1", 1)
	want++
	wantStats("after a Store")
	if db.heads.frozenHead() == nil {
		db.heads.freeze()
	}
	wantStats("when the head is frozen")
	db.heads.beginAttempt(inTree)
	wantStats("during a checkpoint")
	taken.end()
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	wantStats("after the checkpoint")
}

// TestCapturedBeforeAPart captures the head before that grows, is frozen and is posted in part, and
// reads the tree after that. A batch would be seen in half.
func TestCapturedBeforeAPart(t *testing.T) {
	db := mustOpen(t, t.TempDir(),
		&Options{Durability: DurabilityOS, Tuning: Tuning{TransactionSize: MinTransactionSize}})
	batch := func(value string) {
		t.Helper()
		if err := db.StoreBatch(ctx, []daybook.StoredValue{
			{RecordName: "a", Value: json.RawMessage(value)}, {RecordName: "b", Value: json.RawMessage(value)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	one, two := `"1`+digits(16<<10)+`"`, `"2`+digits(16<<10)+`"` // more than a transaction takes
	batch(one)
	before := db.heads.capture(viewsOf(allRecords, ""))
	batch(two)
	db.heads.freeze()
	within := db.heads.capture(viewsOf(allRecords, ""))
	entry := func(sequence uint64, value string) codec.Entry {
		return codec.Entry{Sequence: sequence, Value: json.RawMessage(value)}
	}
	postFirst(t, db.trees.current, 4, []tree.Run{
		{Record: "a", Values: []codec.Entry{entry(1, one), entry(3, two)}},
		{Record: "b", Values: []codec.Entry{entry(2, one), entry(4, two)}},
	}, 1)
	state, err := db.trees.current.State()
	if err != nil {
		t.Fatal(err)
	}
	if before.leaveOutPosted(&state, allRecords) {
		t.Error("a capture from before the head grew counts as consistent with the tree")
	}
	if !within.leaveOutPosted(&state, allRecords) {
		t.Error("a capture after the freeze counts as inconsistent with the tree")
	}
	var remaining []string
	if err := within.eachView(ctx, func(view *head.View) bool {
		remaining = append(remaining, view.Record)
		return true
	}); err != nil || !slices.Equal(remaining, []string{"b"}) {
		t.Errorf("the views of %q remain of the capture after the freeze, %v; want that of b", remaining, err)
	}
	want := []row{{"a", two, 0}, {"a", one, 0}, {"b", two, 0}, {"b", one, 0}}
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), want...)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), want...)
}

// TestChangesOfAPart reads the changes of one record while the head is posted in part: all of its
// values are in the tree, and more values than a window has were stored before them.
func TestChangesOfAPart(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t),
		&Options{Durability: DurabilityOS, Tuning: Tuning{TransactionSize: MinTransactionSize}})
	batch := make([]daybook.StoredValue, maxWindowValues+10)
	for i := range batch {
		batch[i] = daybook.StoredValue{RecordName: "z", Value: json.RawMessage("1"), StoredAt: uint64(i)}
	}
	const wanted = 5
	large := json.RawMessage(`"` + digits(16<<10) + `"`)
	for range wanted {
		batch = append(batch, daybook.StoredValue{RecordName: "a", Value: large},
			daybook.StoredValue{RecordName: "b", Value: large})
	}
	if err := db.StoreBatch(ctx, batch); err != nil {
		t.Fatal(err)
	}
	turn := mustTakeTurn(t, db)
	defer turn.end()
	db.heads.freeze()
	_, err := turn.postFrozen(&endingContext{ctx, 1}, nil)
	state, stateErr := db.trees.state()
	if !errors.Is(err, context.Canceled) || stateErr != nil || state.Watermark != 0 || state.Partial.Through < "a" {
		t.Fatalf("the tree is at %+v after %v, %v; want record a, and no watermark", state, err, stateErr)
	}
	got := 0
	for change, err := range db.Changes(ctx, daybook.ChangesParams{Pattern: daybook.Pattern{Text: "a"}}) {
		if err != nil {
			t.Fatal(err)
		}
		if !change.IsPlace() {
			got++
		}
	}
	if got != wanted {
		t.Errorf("Changes yielded %d values; want %d", got, wanted)
	}
}
