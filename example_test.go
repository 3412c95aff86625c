// SPDX-License-Identifier: Apache-2.0

package daybook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// temperature is the value that the examples store.
type temperature struct {
	Celsius float64 `json:"celsius"`
}

// exampleBackend returns a backend in memory with two records. Programs open one with engine.Open.
func exampleBackend() daybook.Backend {
	backend := backendtest.NewMemory()
	for _, v := range []daybook.StoredValue{
		{RecordName: "sensor.cellar", Value: json.RawMessage(`{"celsius":12.5}`), StoredAt: 1000},
		{RecordName: "sensor.kitchen", Value: json.RawMessage(`{"celsius":21.5}`), StoredAt: 2000},
		{RecordName: "sensor.kitchen", Value: json.RawMessage(`{"celsius":21.75}`), StoredAt: 3000},
	} {
		if err := backend.Store(context.Background(), v.RecordName, v.Value, v.StoredAt); err != nil {
			log.Fatal(err)
		}
	}
	return backend
}

func ExampleQueryLatest() {
	latest, err := daybook.QueryLatest[temperature](context.Background(), exampleBackend(), "sensor.*", 1)
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range latest {
		fmt.Println(v.RecordName, v.StoredAt, v.Value.Celsius)
	}
	// Output:
	// sensor.cellar 1000 12.5
	// sensor.kitchen 3000 21.75
}

func ExampleQueryRange() {
	found, err := daybook.QueryRange[temperature](context.Background(), exampleBackend(), "*", 1000, 2000)
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range found {
		fmt.Println(v.RecordName, v.StoredAt, v.Value.Celsius)
	}
	// Output:
	// sensor.cellar 1000 12.5
	// sensor.kitchen 2000 21.5
}

// QueryAs takes all parameters of a query. Here they ask for the oldest value of each record, by
// topic.
func ExampleQueryAs() {
	params := daybook.QueryParams{LimitPerRecord: 1, Order: daybook.OldestFirst, Syntax: daybook.Topic}
	oldest, err := daybook.QueryAs[temperature](context.Background(), exampleBackend(), "sensor.#", params)
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range oldest {
		fmt.Println(v.RecordName, v.StoredAt, v.Value.Celsius)
	}
	// Output:
	// sensor.cellar 1000 12.5
	// sensor.kitchen 2000 21.5
}

// The parameters of a query begin with a function, and methods add to them. Here they ask for the
// newest value of each record before a time.
func ExampleQueryParams() {
	noon := time.Date(2026, time.November, 29, 12, 0, 0, 0, time.UTC)
	ctx, backend := context.Background(), backendtest.NewMemory()
	for minute, celsius := range []string{"21", "22", "23"} {
		storedAt := daybook.Timestamp(noon.Add(time.Duration(minute) * time.Minute))
		if err := backend.Store(ctx, "sensor.kitchen", json.RawMessage(celsius), storedAt); err != nil {
			log.Fatal(err)
		}
	}
	before := daybook.Latest(1).Until(daybook.Timestamp(noon.Add(90 * time.Second)))
	values, err := backend.Query(ctx, "sensor.*", before)
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range values {
		fmt.Println(v.Time(), v.RecordName, string(v.Value))
	}
	// Output:
	// 2026-11-29 12:01:00 +0000 UTC sensor.kitchen 22
}

// Persist stores the values of a channel until the channel is closed. The producer closes it, when
// it is to stop and has sent its last value: so each value that was sent is stored. The context of
// Persist does not end before.
func ExamplePersist_stop() {
	backend := backendtest.NewMemory()
	running, stop := context.WithCancel(context.Background()) // as with signal.NotifyContext
	readings := make(chan temperature)
	go func() {
		defer close(readings)
		for celsius := 20.0; running.Err() == nil; celsius++ {
			readings <- temperature{celsius}
			if celsius == 21 {
				stop() // as a signal would
			}
		}
	}()
	if err := daybook.Persist(context.WithoutCancel(running), backend, "sensor.kitchen", readings, nil); err != nil {
		log.Fatal(err)
	}
	latest, err := daybook.QueryLatest[temperature](context.Background(), backend, "sensor.kitchen", 2)
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range latest {
		fmt.Println(v.Value.Celsius)
	}
	// Output:
	// 21
	// 20
}

// Persist stores the values of a channel until the channel is closed.
func ExamplePersist() {
	ctx, backend := context.Background(), backendtest.NewMemory()
	readings := make(chan temperature)
	go func() {
		defer close(readings)
		readings <- temperature{21.5}
		readings <- temperature{21.75}
	}()
	if err := daybook.Persist(ctx, backend, "sensor.kitchen", readings, nil); err != nil {
		log.Fatal(err)
	}
	stored, err := backend.Query(ctx, "sensor.kitchen", daybook.QueryParams{Order: daybook.OldestFirst})
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range stored {
		fmt.Println(v.RecordName, string(v.Value))
	}
	// Output:
	// sensor.kitchen {"celsius":21.5}
	// sensor.kitchen {"celsius":21.75}
}

// An error says what is wrong with the argument. errors.Is says which kind of error it is.
func ExampleValidateRecordName() {
	err := daybook.ValidateRecordName(strings.Repeat("n", 2000))
	fmt.Println(errors.Is(err, daybook.ErrInvalidName))
	fmt.Println(daybook.ValidateRecordName(""))
	// Output:
	// true
	// invalid record name: it is empty; want 1 to 1024 bytes
}

// A consumer remembers the cursor of the last value that it has taken, and asks for the values
// after it. The last change is a place without a value.
func ExampleChangeSource() {
	ctx, backend := context.Background(), exampleBackend()
	source, ok := daybook.As[daybook.ChangeSource](backend)
	if !ok {
		log.Fatal("the backend has no Changes")
	}
	var taken daybook.Cursor
	kitchen := daybook.Pattern{Text: "sensor.kitchen"}
	for change, err := range source.Changes(ctx, daybook.ChangesParams{After: taken, Pattern: kitchen}) {
		if err != nil {
			log.Fatal(err)
		}
		taken = change.Cursor
		if !change.IsPlace() {
			fmt.Println(taken.Sequence, change.RecordName, string(change.Value))
		}
	}
	fmt.Println("taken up to", taken.Sequence)
	// Output:
	// 2 sensor.kitchen {"celsius":21.5}
	// 3 sensor.kitchen {"celsius":21.75}
	// taken up to 3
}

// A program reads a result in pieces, here of two values. Between them it holds no snapshot.
func ExamplePlace_Advance() {
	ctx, backend := context.Background(), exampleBackend()
	place := &daybook.Place{}
	for read := 2; read == 2; {
		read = 0
		for v, err := range daybook.ScanAs[temperature](ctx, backend, "*", daybook.QueryParams{After: place}) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(v.RecordName, v.Value.Celsius)
			place.Advance(v.RecordName, v.StoredAt)
			if read++; read == 2 {
				break
			}
		}
		fmt.Println("piece of", read)
	}
	// Output:
	// sensor.cellar 12.5
	// sensor.kitchen 21.75
	// piece of 2
	// sensor.kitchen 21.5
	// piece of 1
}
