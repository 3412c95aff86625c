// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

func Example() {
	history, err := os.MkdirTemp("", "daybook") // the README has "history"
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(history)

	ctx := context.Background()
	db, err := engine.Open(history, nil) // a directory, made if it is missing; nil: the default options
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	value := []byte(`{"celsius":21.5}`)
	if err := db.Store(ctx, "sensor.kitchen", value, daybook.Now()); err != nil { // durable when it returns
		log.Fatal(err)
	}
	for v, err := range db.Scan(ctx, "sensor.*", daybook.Latest(10)) { // the newest 10 of each sensor
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(v.RecordName, string(v.Value))
	}
	// Output:
	// sensor.kitchen {"celsius":21.5}
}
