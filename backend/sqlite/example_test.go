// SPDX-License-Identifier: Apache-2.0

package sqlite_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backend/sqlite"
)

// A file that AimDB wrote is opened in the same way.
func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "sqlite")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sqlite.Open(filepath.Join(dir, "history.db"), nil) // nil: the default options
	if err != nil {
		log.Fatal(err)
	}
	for at, value := range []string{`{"celsius":21.5}`, `{"celsius":22}`} {
		if err := db.Store(ctx, "sensor.kitchen", json.RawMessage(value), uint64(at)); err != nil {
			log.Fatal(err)
		}
	}
	latest, err := db.Query(ctx, "sensor.*", daybook.Latest(1))
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range latest {
		fmt.Println(v.RecordName, v.StoredAt, string(v.Value))
	}
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: sensor.kitchen 1 {"celsius":22}
}
