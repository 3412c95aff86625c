// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
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
	// record "door": invalid value: a value was expected at offset 0 of 4 bytes
}

func ExampleDB_StoreBatch() {
	db, remove := tempStore()
	defer remove()
	ctx := context.Background()
	// All values or none, in one durable commit.
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

// A health endpoint serves Stats as it is.
func ExampleDB_Stats_health() {
	db, remove := tempStore()
	defer remove()
	health := func(w http.ResponseWriter, r *http.Request) {
		stats, err := db.Stats(r.Context())
		if err != nil || stats.Failed != "" || stats.StoreFailures.Failing {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(stats)
	}
	if err := db.Store(context.Background(), "a", json.RawMessage(`no JSON`), 1); err != nil {
		fmt.Println(errors.Is(err, daybook.ErrInvalidValue)) // the program's fault: the store is well
	}
	answer := httptest.NewRecorder()
	health(answer, httptest.NewRequest(http.MethodGet, "/health", nil))
	var stats daybook.Stats
	err := json.Unmarshal(answer.Body.Bytes(), &stats)
	fmt.Println(answer.Code, stats.StoreFailures.Invalid, stats.StoreFailures.Last, err)
	// Output:
	// true
	// 200 1 <nil> <nil>
}

// A keeper sweeps at once and then every day, for as long as the program runs.
func Example_retention() {
	db, remove := tempStore()
	defer remove()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	keeper := retention.Keeper{Backend: db, Policy: retention.Policy{
		Rules: []retention.Rule{
			{Pattern: daybook.Pattern{Text: "alarm.*"}, MaxAge: 365 * 24 * time.Hour, KeepNewest: 10},
			{Pattern: daybook.Pattern{Text: "config.*"}, MaxPerRecord: 100},
		},
		MaxAge: 7 * 24 * time.Hour, // of all other records
	}}
	done := make(chan error)
	go func() { done <- keeper.Run(ctx) }()
	// ... the program does its work ...
	stop()
	fmt.Println(<-done)
	// Output: <nil>
}

// Persist stores the values that arrive on a channel, with the time of the wall clock.
func Example_persist() {
	db, remove := tempStore()
	defer remove()
	ctx := context.Background()
	readings := make(chan Reading, 2)
	readings <- Reading{20.5}
	readings <- Reading{21}
	close(readings)
	if err := daybook.Persist(ctx, db, "sensor.attic", readings, nil); err != nil {
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

func ExampleDB_Backup() {
	db, remove := tempStore()
	defer remove()
	ctx := context.Background()
	if err := db.Store(ctx, "sensor.kitchen", json.RawMessage(`21.5`), 1000); err != nil {
		log.Fatal(err)
	}
	var backup bytes.Buffer // a file, a pipe, a socket, in real life
	if err := db.Backup(ctx, &backup); err != nil {
		log.Fatal(err)
	}

	parent, err := os.MkdirTemp("", "daybook")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(parent)
	dir := filepath.Join(parent, "restored") // empty, or not there
	if err := engine.Restore(ctx, dir, &backup); err != nil {
		log.Fatal(err)
	}
	restored, err := engine.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer restored.Close()
	values, err := restored.Query(ctx, "*", daybook.Latest(1))
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range values {
		fmt.Println(v.RecordName, string(v.Value), v.StoredAt)
	}
	// Output: sensor.kitchen 21.5 1000
}

// A program that forwards values asks for the changes after the last value that has arrived. It
// waits for more when it has read all of them, because there may be a backlog when it starts.
func ExampleDB_Changes() {
	db, remove := tempStore()
	defer remove()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	store := func(values ...int) {
		for _, value := range values {
			if err := daybook.StoreAs(ctx, db, "counter", value, daybook.Now()); err != nil {
				log.Fatal(err)
			}
		}
	}
	store(1, 2, 3) // before the program starts

	var last daybook.Cursor // kept where a restart finds it, in real life
	// Watch before the first Changes: a value that comes between the two is not missed.
	news, err := db.Watch(ctx, "*", daybook.WatchParams{Buffer: 1})
	if err != nil {
		log.Fatal(err)
	}
	for {
		for change, err := range db.Changes(ctx, daybook.ChangesParams{After: last}) {
			if err != nil {
				log.Fatal(err)
			}
			if !change.IsPlace() {
				fmt.Println(change.Cursor.Sequence, change.RecordName, string(change.Value))
			}
			last = change.Cursor
		}
		if last.Sequence == 5 { // never, in real life
			break
		}
		fmt.Println("waiting")
		store(4, 5) // by another goroutine, in real life
		<-news
	}
	// Output:
	// 1 counter 1
	// 2 counter 2
	// 3 counter 3
	// waiting
	// 4 counter 4
	// 5 counter 5
}

func ExampleDB_Watch() {
	db, remove := tempStore()
	defer remove()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	alarms, err := db.Watch(ctx, "alarm.*", daybook.WatchParams{})
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"sensor.kitchen", "alarm.smoke", "sensor.cellar"} {
		if err := db.Store(ctx, name, json.RawMessage(`true`), 1000); err != nil {
			log.Fatal(err)
		}
	}
	event := <-alarms
	fmt.Println(event.RecordName, string(event.Value), "missed", event.Missed)
	// Output: alarm.smoke true missed 0
}

// A directory has a maximum size, and drops its oldest values for new ones.
func ExampleOptions_maxSize() {
	dir, err := os.MkdirTemp("", "daybook")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := engine.Open(dir, &engine.Options{
		Durability: engine.DurabilityOS,
		MaxSize:    8 << 20,
		WhenFull:   engine.WhenFullDropOldest,
		Logger:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	image := make([]byte, 8<<10)
	random := rand.NewChaCha8([32]byte{})
	for at := range uint64(1000) { // 16 MB, of which no compression makes less than 8
		_, _ = random.Read(image)
		value, _ := json.Marshal(hex.EncodeToString(image))
		if err := db.Store(ctx, "camera", value, at); err != nil {
			log.Fatal(err)
		}
	}
	stats, err := db.Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("within its bound:", stats.DiskBytes <= 8<<20)
	fmt.Println("old values are gone:", stats.Values < 1000)
	// Output:
	// within its bound: true
	// old values are gone: true
}

// A damaged tree is set aside, and the values in the log stay.
func ExampleOptions_quarantine() {
	dir, err := os.MkdirTemp("", "daybook")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	db, err := engine.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := db.Store(ctx, "r", json.RawMessage(`1`), 1); err != nil {
		log.Fatal(err)
	}
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "daybook.db"), []byte("the disk has lost its mind"), 0o600); err != nil {
		log.Fatal(err)
	}

	_, err = engine.Open(dir, nil)
	fmt.Println("corrupt:", errors.Is(err, daybook.ErrCorrupt))

	db, err = engine.Open(dir,
		&engine.Options{OnCorruption: engine.OnCorruptionQuarantine, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	stats, err := db.Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, file := range stats.Quarantined { // also after a restart
		fmt.Println("set aside:", file.Name, file.Bytes, "bytes")
		if err := db.RemoveQuarantined(ctx, file.Name); err != nil { // when nobody needs it any more
			log.Fatal(err)
		}
	}
	// Output:
	// corrupt: true
	// set aside: daybook.corrupt-1.db 26 bytes
}
