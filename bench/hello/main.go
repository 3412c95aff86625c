// SPDX-License-Identifier: Apache-2.0

// Command hello is the smallest program that keeps a history. Its size shows how much the engine
// adds to the binary of a device.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

func main() {
	if err := run(context.Background(), "hello.db"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string) error {
	db, err := engine.Open(dir, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Store(ctx, "hello", json.RawMessage(`"world"`), daybook.Now()); err != nil {
		return err
	}
	values, err := db.Query(ctx, "hello", daybook.Latest(1))
	if err != nil {
		return err
	}
	fmt.Println(values)
	return nil
}
