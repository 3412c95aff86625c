// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestStatsIsOneSnapshot calls Stats while batches are stored and heads are posted. Its numbers
// must agree with one another: nothing is deleted, so each number of values follows from the last
// sequence number.
func TestStatsIsOneSnapshot(t *testing.T) {
	const batch, records, batches = 7, 13, 500 // any two batches have values of every record
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: 64 << 10}})
	stop := make(chan struct{})
	var writing sync.WaitGroup
	for w := range 2 {
		writing.Go(func() {
			for i := range batches {
				values := make([]daybook.StoredValue, batch)
				for v := range values {
					values[v] = daybook.StoredValue{RecordName: fmt.Sprint("record", ((i+w)*batch+v)%records),
						Value: json.RawMessage(`"` + digits(98) + `"`), StoredAt: uint64(i * (w + 1))}
				}
				if err := db.StoreBatch(ctx, values); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	go func() {
		writing.Wait()
		close(stop)
	}()
	for ended := false; !ended; {
		select {
		case <-stop:
			ended = true
		default:
		}
		s, err := db.Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		last := s.LastSequence
		if s.Values != last || s.CommitValues != last || s.ValueBytes != 100*last || last%batch != 0 ||
			s.LastCursor.Sequence != last || s.Watermark > last || s.Commits > last/batch ||
			s.Records != min(last, records) || (last > s.Watermark) != (s.HeadBytes > 0 && s.Values > s.Watermark) ||
			s.DiskBytes != s.TreeBytes+s.LogBytes+db.reserve.size()+db.session.size() || s.TreeUsedBytes > s.TreeBytes {
			t.Fatalf("the numbers are not from one moment: %+v", s)
		}
	}
	if got := db.heads.last(); got != 2*batch*batches {
		t.Errorf("%d values were stored; want %d", got, 2*batch*batches)
	}
}

// TestStatsOfManyRecords is TestStatsIsOneSnapshot for heads with more records than Stats looks
// at. Half of the records are in the tree before, so the heads have known and new
// ones. The values are exact, also while a part of a head is in the tree.
func TestStatsOfManyRecords(t *testing.T) {
	const batch, records, rounds = 100, 4000, 6
	opts := &Options{Durability: DurabilityOS, Logger: discard,
		Tuning: Tuning{HeadSize: 1 << 20, TransactionSize: 16 << 10}}
	db := mustOpen(t, testenv.TempDir(t), opts)
	nameOf := func(i int) string { return fmt.Sprintf("record%05d", i*1567%records) }
	store := func(from, to, step int) {
		var values []daybook.StoredValue
		for i := from; i < to; i += step {
			values = append(values, daybook.StoredValue{RecordName: nameOf(i), Value: []byte(`"` + digits(98) + `"`)})
		}
		if err := db.StoreBatch(ctx, values); err != nil {
			t.Error(err)
		}
	}
	store(0, records, 2)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	var writing atomic.Bool
	writing.Store(true)
	go func() {
		defer writing.Store(false)
		for i := 0; i < rounds*records; i += batch {
			store(i, i+batch, 1)
		}
	}()
	estimates, parts := 0, 0
	for writing.Load() {
		before, err := db.trees.state()
		if err != nil {
			t.Fatal(err)
		}
		s := mustStats(t, db)
		if after, err := db.trees.state(); err == nil && before.Partial.Watermark > 0 && s.RecordsEstimated &&
			after.Partial.Watermark == before.Partial.Watermark {
			parts++
		}
		last := s.LastSequence
		if s.Values != last || s.CommitValues != last || s.ValueBytes != 100*last || s.Watermark > last {
			t.Fatalf("the numbers are not from one moment: %+v", s)
		}
		isNew := (min(last-records/2, records) + 1) / 2 // each second one
		want := records/2 + isNew
		if s.RecordsEstimated {
			estimates++
		}
		// A head that goes on growing while names are sampled makes the estimate worse.
		if off := math.Abs(float64(s.Records) - float64(want)); off > 0.1*records || !s.RecordsEstimated && off > 0 {
			t.Fatalf("%d records, estimated: %v; want %d", s.Records, s.RecordsEstimated, want)
		}
	}
	if estimates == 0 || parts == 0 {
		t.Errorf("%d calls of Stats had an estimate, %d of them amid a checkpoint", estimates, parts)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	if s := mustStats(t, db); s.Records != records || s.RecordsEstimated {
		t.Errorf("all values are in the tree: %d records, estimated: %v", s.Records, s.RecordsEstimated)
	}
}

// TestStatsAmidCheckpoint wants exact numbers when a checkpoint has ended after a part of a head,
// and after a deletion from the tree then.
func TestStatsAmidCheckpoint(t *testing.T) {
	const records = 2000
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, Logger: discard,
		Tuning: Tuning{TransactionSize: 16 << 10}})
	want := func(when string, values uint64) {
		t.Helper()
		s := mustStats(t, db)
		if s.Values != values || s.ValueBytes != values || s.Records != records {
			t.Errorf("%s: %d values of %d bytes, %d records; want %d of as many bytes, %d records", when, s.Values,
				s.ValueBytes, s.Records, values, records)
		}
	}
	for _, at := range []uint64{1, 10} {
		var values []daybook.StoredValue
		for i := range records {
			values = append(values, daybook.StoredValue{RecordName: fmt.Sprint(i), Value: []byte("1"), StoredAt: at})
		}
		if err := errors.Join(db.Checkpoint(ctx), db.StoreBatch(ctx, values)); err != nil {
			t.Fatal(err)
		}
	}
	want("before", 2*records)
	db.checkpointer.stop()
	db.checkpointer = background{}
	held := mustTakeTurn(t, db)
	db.heads.freeze()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := held.postFrozen(ended, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("posting a part: %v", err)
	}
	held.end()
	if state, err := db.trees.state(); err != nil || state.Partial.Watermark == 0 {
		t.Fatalf("%+v, %v; want a part of the head in the tree", state, err)
	}
	want("after a part", 2*records)
	if deleted, err := db.Prune(ctx, "1999", daybook.PruneParams{OlderThan: 5}); deleted != 1 || err != nil {
		t.Fatalf("Prune: %d, %v", deleted, err)
	}
	if state, err := db.trees.state(); err != nil || state.Partial.Watermark == 0 {
		t.Fatalf("%+v, %v; want the head still to be posted in part", state, err)
	}
	want("after a deletion", 2*records-1)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	want("at the end", 2*records-1)
}
