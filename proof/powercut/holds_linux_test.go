// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package powercut

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/history"
)

// A hold spares the last values of some records from every deletion, and counts the others. A
// stream of batches moves a position.
const (
	heldRecords  = "held.*"
	maxHeld      = 400 // bytes of JSON
	streamRecord = "stream"
	streamTime   = 1 << 40 // plus Batch.Through: the timestamp of a received value, which no deletion takes
)

// The states in which a hold had lost values, and those in which a stream had a position.
var statesWithLost, statesWithPosition atomic.Int64

var streamOf = daybook.Batch{Store: [16]byte{1}, Epoch: [16]byte{2}, Stream: "all"}

func (w *workload) setHold() {
	hold := daybook.Hold{Name: "cloud", Pattern: daybook.Pattern{Text: heldRecords}, MaxBytes: maxHeld}
	if err := w.db.SetHold(context.Background(), hold); err != nil {
		w.t.Errorf("SetHold failed, but the disk did not: %v", err)
	}
}

// storeHeld stores values in the records with a hold. Each has the number of such values as its
// timestamp, so all of them are older than everything that a deletion compares them with.
func (w *workload) storeHeld() {
	w.storeValues(func(number int) []daybook.StoredValue {
		batch := make([]daybook.StoredValue, 1+w.random.IntN(4))
		for i := range batch {
			w.held++
			batch[i] = daybook.StoredValue{
				RecordName: fmt.Sprintf("held.%d", w.random.IntN(2)),
				Value:      history.Ref{Action: number, Index: i}.Text(noise(w.random, w.random.IntN(300))),
				StoredAt:   w.held,
			}
		}
		return batch
	})
}

// heldValues returns the number of values that the hold spares.
func (w *workload) heldValues() uint64 {
	infos, err := w.db.Holds(context.Background())
	if err != nil || len(infos) != 1 {
		w.t.Errorf("Holds: %+v, %v; want one", infos, err)
		return 0
	}
	return infos[0].Values
}

// receive stores the batch that follows the stream's position. Under every durability it makes all
// earlier stores durable, as a sync does.
func (w *workload) receive() {
	ctx := context.Background()
	at, err := w.db.Position(ctx, streamOf.Store, streamOf.Epoch, streamOf.Stream)
	if err != nil {
		w.t.Error(err)
		return
	}
	b := streamOf
	b.From, b.Previous, b.Through = at.Through, at.Digest, at.Through+10
	count := w.random.IntN(4)
	if count == 0 {
		b.Digest = daybook.DigestOf(&b)
		w.synced(func(ctx context.Context) error { _, err := w.db.StoreBatchFrom(ctx, b); return err })
		return
	}
	number := w.begin(func(number int) history.Action {
		for i := range count {
			b.Values = append(b.Values, daybook.StoredValue{
				RecordName: streamRecord,
				Value:      history.Ref{Action: number, Index: i}.Text(noise(w.random, w.random.IntN(2000))),
				StoredAt:   streamTime + b.Through,
			})
		}
		return history.Action{Kind: history.Store, Values: b.Values}
	})
	b.Digest = daybook.DigestOf(&b)
	_, err = w.db.StoreBatchFrom(ctx, b)
	w.done(number, err)
	w.synced(func(context.Context) error { return nil })
}

// judgeHoldAndStream returns an error unless the hold has counted exactly the values that are
// missing, and the values of the stream are those up to its position.
func judgeHoldAndStream(db *engine.DB, known *history.History, visible []daybook.StoredValue) error {
	return errors.Join(judgeHold(db, visible), judgeStream(db, known, visible))
}

// judgeHold relies on the values of the hold being numbered by their timestamps, and on the last
// one that was stored being held.
func judgeHold(db *engine.DB, visible []daybook.StoredValue) error {
	infos, err := db.Holds(context.Background())
	if err != nil {
		return err
	}
	last, there, lost := uint64(0), uint64(0), uint64(0)
	for _, v := range visible {
		if v.RecordName == "held.0" || v.RecordName == "held.1" {
			last, there = max(last, v.StoredAt), there+1
		}
	}
	for _, info := range infos {
		lost += info.Lost
	}
	if lost > 0 {
		statesWithLost.Add(1)
	}
	if last != there+lost {
		return fmt.Errorf("of %d held values %d are visible, and the hold has lost %d", last, there, lost)
	}
	return nil
}

// judgeStream wants the values and the position of each batch, or neither.
func judgeStream(db *engine.DB, known *history.History, visible []daybook.StoredValue) error {
	at, err := db.Position(context.Background(), streamOf.Store, streamOf.Epoch, streamOf.Stream)
	if err != nil {
		return err
	}
	if at.Through > 0 {
		statesWithPosition.Add(1)
	}
	want, got := 0, 0
	for action := range known.Actions {
		for i, v := range known.Actions[action].Values {
			isStored := known.Actions[action].Kind == history.Store && known.Times[action].Began != history.Never
			isReceived := v.RecordName == streamRecord && v.StoredAt <= streamTime+at.Through
			if isStored && isReceived && !known.Gone[history.Ref{Action: action, Index: i}] {
				want++
			}
		}
	}
	for _, v := range visible {
		if v.RecordName == streamRecord {
			got++
			if v.StoredAt > streamTime+at.Through {
				return fmt.Errorf("a value of the batch through %d is visible; the position is %d",
					v.StoredAt-streamTime, at.Through)
			}
		}
	}
	if got != want {
		return fmt.Errorf("%d values of the stream are visible; the position, %d, stands for %d", got, at.Through, want)
	}
	return nil
}
