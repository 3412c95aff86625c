// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"github.com/daybook-db/daybook"
)

// A hold spares what a consumer has not taken yet.
func ExampleDB_SetHold() {
	db, remove := tempStore()
	defer remove()
	ctx := context.Background()
	if err := db.SetHold(ctx, daybook.Hold{Name: "cloud", MaxBytes: 1 << 20}); err != nil {
		log.Fatal(err)
	}
	for at := range uint64(4) {
		if err := db.Store(ctx, "sensor.kitchen", json.RawMessage(`21`), at); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(db.Cleanup(ctx, 100))

	var taken daybook.Cursor // the consumer takes all values, and saves this
	for change, err := range db.Changes(ctx, daybook.ChangesParams{}) {
		if err != nil {
			log.Fatal(err)
		}
		taken = change.Cursor
	}
	if err := db.AdvanceHold(ctx, "cloud", taken); err != nil {
		log.Fatal(err)
	}
	fmt.Println(db.Cleanup(ctx, 100))
	// Output:
	// 0 <nil>
	// 4 <nil>
}

// A sender that got no answer sends the same batch again. Its values are stored once.
func ExampleDB_StoreBatchFrom() {
	db, remove := tempStore()
	defer remove()
	ctx := context.Background()
	b := daybook.Batch{
		Store: [16]byte{1}, Epoch: [16]byte{2}, Stream: "all", // the sender's identity
		From: 0, Through: 2, // its sequence numbers
		Values: []daybook.StoredValue{
			{RecordName: "device7.celsius", Value: json.RawMessage(`21`), StoredAt: 1000},
			{RecordName: "device7.celsius", Value: json.RawMessage(`22`), StoredAt: 2000},
		},
	}
	b.Digest = daybook.DigestOf(&b)
	for range 2 {
		at, err := db.StoreBatchFrom(ctx, b)
		fmt.Println("through", at.Through, err)
	}
	values, err := db.Query(ctx, "*", daybook.QueryParams{})
	fmt.Println(len(values), "values", err)
	// Output:
	// through 2 <nil>
	// through 2 <nil>
	// 2 values <nil>
}
