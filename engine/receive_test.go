// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// sender has the batches of a stream. Some of them have no values.
type sender struct {
	batches []daybook.Batch
	values  []daybook.StoredValue // of all batches
}

func newSender(name string, batches int) *sender {
	s := &sender{}
	last := daybook.Batch{Store: [16]byte{1}, Epoch: [16]byte{2}, Stream: name}
	for i := range batches {
		b := last
		b.From, b.Previous, b.Values = last.Through, last.Digest, nil
		for v := range i * 7 % 4 {
			value := daybook.StoredValue{RecordName: fmt.Sprintf("r.%d", v%2),
				Value: json.RawMessage(fmt.Sprintf(`"%s %d %d"`, name, i, v)), StoredAt: uint64(i)}
			b.Values, s.values = append(b.Values, value), append(s.values, value)
		}
		b.Through += uint64(len(b.Values)) + 1
		b.Digest = daybook.DigestOf(&b)
		s.batches, last = append(s.batches, b), b
	}
	return s
}

// send sends the batches that follow the receiver's position, as a sender does that knows nothing
// else. It stops at an error.
func (s *sender) send(db *DB) error {
	b := s.batches[0]
	at, err := db.Position(ctx, b.Store, b.Epoch, b.Stream)
	if err != nil {
		return err
	}
	next := slices.IndexFunc(s.batches, func(b daybook.Batch) bool { return b.From == at.Through })
	for ; next >= 0 && next < len(s.batches); next++ {
		if _, err := db.StoreBatchFrom(ctx, s.batches[next]); err != nil {
			return err
		}
	}
	return nil
}

// wantOnce wants each value exactly once, in the order of the stream.
func (s *sender) wantOnce(t *testing.T, db *DB, when string) {
	t.Helper()
	var got []daybook.StoredValue
	for change, err := range db.Changes(ctx, daybook.ChangesParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		if !change.IsPlace() {
			got = append(got, change.StoredValue)
		}
	}
	if diff := cmp.Diff(s.values, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", when, diff)
	}
}

// TestReceiveExactlyOnce fails all operations of the disk after the nth, for each n, while a stream
// is received and checkpoints are made. The store is abandoned and opened again, and the sender
// goes on from the position that it is told.
func TestReceiveExactlyOnce(t *testing.T) {
	for _, durability := range []Durability{DurabilityAlways, DurabilityOS} {
		for _, checkpoints := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, checkpoints %v", durability, checkpoints), func(t *testing.T) {
				t.Parallel()
				receiveWithFaults(t, Options{Durability: durability}, checkpoints)
			})
		}
	}
}

func receiveWithFaults(t *testing.T, opts Options, checkpoints bool) {
	s := newSender("all", 12)
	parent := testenv.TempDir(t)
	failed := true
	for n := 0; failed; n++ {
		dir := filepath.Join(parent, fmt.Sprint(n))
		db, fsys := openFaulty(t, dir, opts)
		seen := failAfter(fsys, n)
		for _, b := range s.batches {
			_, err := db.StoreBatchFrom(ctx, b)
			if err == nil && checkpoints {
				err = db.Checkpoint(ctx)
			}
			if err != nil {
				break
			}
		}
		failed = seen() > n
		fsys.SetHook(nil)
		if err := db.abandon(); err != nil && !failed {
			t.Fatal(err)
		}
		again, err := Open(dir, &Options{Durability: opts.Durability, Logger: discard})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.send(again); err != nil {
			t.Fatalf("after a fault of operation %d: %v", n, err)
		}
		s.wantOnce(t, again, fmt.Sprintf("after a fault of operation %d", n))
		mustClose(t, again)
	}
}

// TestPositionSurvives wants the positions of several streams to be the same after everything that
// reads the log or the tree again.
func TestPositionSurvives(t *testing.T) {
	dir := testenv.TempDir(t)
	opts := &Options{Logger: discard}
	db := mustOpen(t, filepath.Join(dir, "a"), opts)
	senders := []*sender{newSender("a", 3), newSender("", 6), newSender("c", 11)}
	unchanged := func(when string, db *DB) {
		t.Helper()
		for _, s := range senders {
			last := s.batches[len(s.batches)-1]
			got, err := db.Position(ctx, last.Store, last.Epoch, last.Stream)
			if got != last.Position() || err != nil {
				t.Errorf("after %s: the position of %q is %+v, %v; want %+v",
					when, last.Stream, got, err, last.Position())
			}
		}
	}
	reopen := func(end func() error) {
		t.Helper()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		db = mustOpen(t, filepath.Join(dir, "a"), opts)
	}
	for _, s := range senders {
		if err := s.send(db); err != nil {
			t.Fatal(err)
		}
	}
	unchanged("nothing", db)
	reopen(db.abandon)
	unchanged("a crash", db)
	reopen(db.Close)
	unchanged("Close", db)
	if err := db.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	reopen(db.abandon)
	unchanged("Compact", db)
	var backup bytes.Buffer
	if err := db.Backup(ctx, &backup); err != nil {
		t.Fatal(err)
	}
	if err := Restore(ctx, filepath.Join(dir, "b"), &backup); err != nil {
		t.Fatal(err)
	}
	unchanged("Restore", mustOpen(t, filepath.Join(dir, "b"), opts))
}

// TestReceiveBesideStores receives several streams at once, beside stores and checkpoints. The
// batches of different streams share commits.
func TestReceiveBesideStores(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, Logger: discard,
		Tuning: Tuning{HeadSize: MinHeadSize}})
	var running sync.WaitGroup
	for i := range 4 {
		s := newSender(fmt.Sprint("stream ", i), 60)
		running.Go(func() {
			if err := s.send(db); err != nil {
				t.Error(err)
			}
		})
		running.Go(func() {
			for n := range uint64(60) {
				if err := db.Store(ctx, "own", json.RawMessage("1"), n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	want := 4*len(newSender("stream 0", 60).values) + 4*60
	if stats, err := db.Stats(ctx); stats.Values != uint64(want) || err != nil {
		t.Errorf("%d values are there, %v; want %d", stats.Values, err, want)
	}
}

// TestReceiveIsDurable wants StoreBatchFrom to sync the log under every durability, also for a
// batch that comes again because its first sync failed.
func TestReceiveIsDurable(t *testing.T) {
	for _, durability := range []Durability{DurabilityAlways, DurabilityInterval, DurabilityOS} {
		t.Run(durability.String(), func(t *testing.T) {
			db := mustOpen(t, testenv.TempDir(t), &Options{Durability: durability, Logger: discard})
			b := newSender("all", 2).batches[1:][0]
			b.From, b.Previous = 0, [32]byte{}
			b.Digest = daybook.DigestOf(&b)
			for range 2 {
				before := db.log.DurableSequence()
				if _, err := db.StoreBatchFrom(ctx, b); err != nil {
					t.Fatal(err)
				}
				if after := db.log.DurableSequence(); after < db.heads.last() || after < before {
					t.Errorf("the log is durable up to %d; want %d", after, db.heads.last())
				}
			}
		})
	}
}

// TestReceiveTooLarge refuses a batch that one commit cannot take, and keeps the position.
func TestReceiveTooLarge(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{MaxSize: MinMaxSize, Logger: discard})
	b := newSender("all", 2).batches[1]
	b.From, b.Previous, b.Through = 0, [32]byte{}, 1000
	for range 100 {
		value := json.RawMessage(`"` + digits(9000) + `"`)
		b.Values = append(b.Values, daybook.StoredValue{RecordName: "r", Value: value})
	}
	b.Digest = daybook.DigestOf(&b)
	if _, err := db.StoreBatchFrom(ctx, b); !errors.Is(err, daybook.ErrValueTooLarge) {
		t.Errorf("got %v; want ErrValueTooLarge", err)
	}
	if at, err := db.Position(ctx, b.Store, b.Epoch, b.Stream); at != (daybook.Position{}) || err != nil {
		t.Errorf("the position is %+v, %v; want the beginning", at, err)
	}
}
