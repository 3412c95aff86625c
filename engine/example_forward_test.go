// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// forward sends each value, in the order in which they were stored, until ctx ends. A hold keeps
// the place over restarts, and spares from deletion what follows it.
func forward(ctx context.Context, db *engine.DB, send func(daybook.Change) error) error {
	news, err := db.Watch(ctx, "*", daybook.WatchParams{Buffer: 1}) // before Changes: nothing is missed
	if err != nil {
		return err
	}
	place, err := resume(ctx, db)
	if err != nil {
		return err
	}
	for {
		place, err = sendAfter(ctx, db, place, send)
		if damaged, ok := errors.AsType[*daybook.DamagedChangesError](err); ok {
			log.Print(err)
			place = damaged.Through // what is before it, and can be read, was sent
			continue
		}
		if forked, ok := errors.AsType[*daybook.ForkedError](err); ok {
			log.Print(err)
			place = forked.Common // the receiver has values after it that this history has lost
			continue
		}
		saved := db.AdvanceHold(context.WithoutCancel(ctx), "cloud", place) // or once a minute: it is no cheap write
		switch {
		case ctx.Err() != nil:
			return saved
		case err != nil || saved != nil:
			return errors.Join(err, saved) // try again later
		}
		<-news // it is closed when ctx ends, or with db
	}
}

// resume makes the hold at the first start, and finds its place at the others.
func resume(ctx context.Context, db *engine.DB) (place daybook.Cursor, err error) {
	if err := db.SetHold(ctx, daybook.Hold{Name: "cloud", MaxBytes: 64 << 20}); err != nil {
		return place, err
	}
	holds, err := db.Holds(ctx)
	for _, hold := range holds {
		if hold.Name == "cloud" {
			place = hold.At
		}
	}
	return place, err
}

// sendAfter sends the values after a place, and returns the place that it reached, also with an
// error.
func sendAfter(ctx context.Context, db *engine.DB, place daybook.Cursor, send func(daybook.Change) error) (
	daybook.Cursor, error,
) {
	for change, err := range db.Changes(ctx, daybook.ChangesParams{After: place}) {
		if err == nil && !change.IsPlace() {
			err = send(change)
		}
		if err != nil {
			return place, err
		}
		place = change.Cursor
	}
	return place, nil
}

// A program forwards values, and its hold keeps the place.
func ExampleDB_AdvanceHold() {
	db, remove := tempStore()
	defer remove()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for at := range uint64(3) {
		if err := db.Store(ctx, "sensor.kitchen", json.RawMessage(`21`), at); err != nil {
			log.Fatal(err)
		}
	}
	err := forward(ctx, db, func(change daybook.Change) error {
		fmt.Println("sends", change.Cursor.Sequence)
		if change.Cursor.Sequence == 3 {
			cancel() // when the program ends, in real life
		}
		return nil
	})
	fmt.Println("ended:", err)
	holds, err := db.Holds(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("goes on after", holds[0].At.Sequence)
	// Output:
	// sends 1
	// sends 2
	// sends 3
	// ended: <nil>
	// goes on after 3
}
