// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// Reading is what the sensors send.
type Reading struct {
	Celsius float64 `json:"celsius"`
}

func Example_tour() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "daybook") // a real program names a lasting one
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	db, err := engine.Open(dir, nil) // nil: the default options
	if err != nil {
		log.Fatal(err)
	}

	// When Store returns, the value is on stable storage. Times are Unix milliseconds.
	start := daybook.Now()
	for i, celsius := range []float64{21.5, 22, 19.5} {
		value, _ := json.Marshal(Reading{celsius})
		if err := db.Store(ctx, "sensor.kitchen", value, start+uint64(i)*1000); err != nil {
			log.Fatal(err)
		}
	}
	if err := db.Store(ctx, "sensor.cellar", json.RawMessage(`{"celsius":12}`), start); err != nil {
		log.Fatal(err)
	}

	// The newest value of every sensor, decoded.
	latest, err := daybook.QueryLatest[Reading](ctx, db, "sensor.*", 1)
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range latest {
		fmt.Println(v.RecordName, v.Value.Celsius)
	}

	// Delete what was stored before a time. A retention.Keeper does this at an interval.
	deleted, err := db.Cleanup(ctx, start+1000)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("deleted", deleted)

	// Close posts the values in memory to the tree, and returns an error if it could not.
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// sensor.cellar 12
	// sensor.kitchen 19.5
	// deleted 2
}
