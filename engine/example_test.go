// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/retention"
)

// tempStore opens a store in a directory that is removed afterwards.
func tempStore() (db *engine.DB, remove func()) {
	parent, err := os.MkdirTemp("", "daybook")
	if err != nil {
		log.Fatal(err)
	}
	db, err = engine.Open(filepath.Join(parent, "history"), nil)
	if err != nil {
		log.Fatal(err)
	}
	return db, func() {
		if err := errors.Join(db.Close(), os.RemoveAll(parent)); err != nil {
			log.Fatal(err)
		}
	}
}

func ExampleDB_Store() {
	db, remove := tempStore()
	defer remove()
	ctx := context.Background()
	fmt.Println(db.Store(ctx, "door", json.RawMessage(`"open"`), 1000))
	fmt.Println(db.Store(ctx, "door", json.RawMessage(`open`), 2000))
	// Output:
	// <nil>
	// record "door": daybook: invalid value: a value was expected at offset 0 of 4 bytes
}

func ExampleDB_StoreBatch() {
	db, remove := tempStore()
	defer remove()
	ctx := context.Background()
	// All of it or nothing, in one durable commit.
	err := db.StoreBatch(ctx, []daybook.StoredValue{
		{RecordName: "motor.rpm", Value: json.RawMessage(`1480`), StoredAt: 1000},
		{RecordName: "motor.amps", Value: json.RawMessage(`3.2`), StoredAt: 1000},
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleDB_Query() {
	db, remove := tempStore()
	defer remove()
	ctx := context.Background()
	for at := range uint64(5) {
		if err := db.Store(ctx, "counter", json.RawMessage(fmt.Sprint(at*10)), at); err != nil {
			log.Fatal(err)
		}
	}
	params := daybook.Between(1, 3) // both ends included
	params.Order = daybook.OldestFirst
	values, err := db.Query(ctx, "counter", params)
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range values {
		fmt.Println(v.StoredAt, string(v.Value))
	}
	// Output:
	// 1 10
	// 2 20
	// 3 30
}

func ExampleDB_Scan() {
	db, remove := tempStore()
	defer remove()
	ctx := context.Background()
	for at := range uint64(3) {
		if err := db.Store(ctx, "log", json.RawMessage(`"line"`), at); err != nil {
			log.Fatal(err)
		}
	}
	count := 0
	for _, err := range db.Scan(ctx, "*", daybook.QueryParams{}) { // never holds the whole result
		if err != nil {
			log.Fatal(err)
		}
		count++
	}
	fmt.Println(count, "values")
	// Output: 3 values
}

func ExampleDB_Records() {
	db, remove := tempStore()
	defer remove()
	ctx := context.Background()
	for at := range uint64(3) {
		if err := db.Store(ctx, "line1.temp", json.RawMessage(`20`), 100+at); err != nil {
			log.Fatal(err)
		}
	}
	for record, err := range db.Records(ctx, "line1.#", daybook.Topic) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(record.RecordName, record.Count, record.Oldest, record.Newest)
	}
	// Output: line1.temp 3 100 102
}

func ExampleDB_Prune() {
	db, remove := tempStore()
	defer remove()
	ctx := context.Background()
	for at := range uint64(10) {
		if err := db.Store(ctx, "debug.trace", json.RawMessage(`{}`), at); err != nil {
			log.Fatal(err)
		}
	}
	deleted, err := db.Prune(ctx, "debug.*", daybook.PruneParams{MaxPerRecord: 4})
	fmt.Println(deleted, err)
	// Output: 6 <nil>
}

func ExampleDB_Stats() {
	db, remove := tempStore()
	defer remove()
	ctx := context.Background()
	if err := db.Store(ctx, "a", json.RawMessage(`1`), 1); err != nil {
		log.Fatal(err)
	}
	stats, err := db.Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stats.Values, "value of", stats.Records, "record in", stats.Commits, "commit")
	// Output: 1 value of 1 record in 1 commit
}

// A keeper sweeps at once and then every day, for as long as the program runs.
func Example_retention() {
	db, remove := tempStore()
	defer remove()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	keeper := retention.Keeper{Backend: db, Policy: retention.Policy{
		Rules: []retention.Rule{
			{Pattern: "alarm.*", MaxAge: 365 * 24 * time.Hour, KeepNewest: 10},
			{Pattern: "config.*", MaxPerRecord: 100},
		},
		MaxAge: 7 * 24 * time.Hour, // of everything else
	}}
	done := make(chan error)
	go func() { done <- keeper.Run(ctx) }()
	// ... the program does its work ...
	stop()
	fmt.Println(<-done)
	// Output: <nil>
}

// Persist stores whatever arrives on a channel, stamped with the wall clock.
func Example_persist() {
	db, remove := tempStore()
	defer remove()
	ctx := context.Background()
	readings := make(chan Reading, 2)
	readings <- Reading{20.5}
	readings <- Reading{21}
	close(readings)
	if err := daybook.Persist(ctx, db, "sensor.attic", readings); err != nil {
		log.Fatal(err)
	}
	values, err := daybook.QueryAs[Reading](ctx, db, "sensor.attic", daybook.QueryParams{Order: daybook.OldestFirst})
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range values {
		fmt.Println(v.Value.Celsius)
	}
	// Output:
	// 20.5
	// 21
}
