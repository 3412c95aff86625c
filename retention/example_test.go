// SPDX-License-Identifier: Apache-2.0

package retention_test

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
	"github.com/daybook-db/daybook/retention"
)

// exampleBackend returns a backend in memory with values of the last three hours. Programs open one
// with engine.Open.
func exampleBackend() daybook.Backend {
	backend := backendtest.NewMemory()
	for _, name := range []string{"alarm.fire", "sensor.kitchen"} {
		for age := range 4 {
			storedAt := daybook.Ago(time.Duration(age) * time.Hour)
			if err := backend.Store(context.Background(), name, json.RawMessage("1"), storedAt); err != nil {
				log.Fatal(err)
			}
		}
	}
	return backend
}

// examplePolicy keeps the newest three alarms, and everything else for 90 minutes.
var examplePolicy = retention.Policy{
	Rules:  []retention.Rule{{Pattern: daybook.Pattern{Text: "alarm.*"}, MaxPerRecord: 3}},
	MaxAge: 90 * time.Minute,
}

func ExamplePolicy_Apply() {
	ctx, backend := context.Background(), exampleBackend()
	deleted, err := examplePolicy.Apply(ctx, backend, time.Now())
	fmt.Println("deleted", deleted, err)
	for _, name := range []string{"alarm.fire", "sensor.kitchen"} {
		kept, err := backend.Query(ctx, name, daybook.QueryParams{})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, len(kept))
	}
	// Output:
	// deleted 3 <nil>
	// alarm.fire 3
	// sensor.kitchen 2
}

// Sweep applies a policy once, unless it cannot believe the clock.
func ExampleKeeper_Sweep() {
	keeper := retention.Keeper{Backend: exampleBackend(), Policy: examplePolicy}
	deleted, err := keeper.Sweep(context.Background())
	if errors.Is(err, retention.ErrClock) {
		fmt.Println("set the clock")
	}
	fmt.Println("deleted", deleted, err)
	// Output: deleted 3 <nil>
}

// Run sweeps at once, and then every Interval until its context ends.
func ExampleKeeper_Run() {
	ctx, cancel := context.WithCancel(context.Background())
	keeper := retention.Keeper{
		Backend:  exampleBackend(),
		Policy:   examplePolicy,
		Interval: time.Hour,
		OnSweep: func(swept retention.Swept) {
			fmt.Println("deleted", swept.Deleted, swept.Err)
			cancel() // ends the example after its first sweep
		},
	}
	fmt.Println("ended:", keeper.Run(ctx))
	// Output:
	// deleted 3 <nil>
	// ended: <nil>
}

func ExampleReadPolicy() {
	file := strings.NewReader(`
max_age: 7d
rules:
  - pattern: "alarm.*"
    max_age: 365d
    keep_newest: 10
`)
	policy, err := retention.ReadPolicy(file, "rules.yaml")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(policy.MaxAge, policy.Rules[0].Pattern.Text, policy.Rules[0].KeepNewest)

	_, err = retention.ReadPolicy(strings.NewReader("max_age: 7d\nmax_agee: 1h\n"), "bad.yaml")
	fmt.Println(err)
	var wrong *retention.PolicyError
	if errors.As(err, &wrong) {
		fmt.Println(wrong.Line, wrong.Key)
	}
	// Output:
	// 168h0m0s alarm.* 10
	// bad.yaml: line 2: "max_agee" is unknown: want max_age, max_bytes, rules
	// 2 max_agee
}

func ExampleParseSize() {
	bytes, err := retention.ParseSize("500MB")
	fmt.Println(bytes, err)
	_, err = retention.ParseSize("500")
	fmt.Println(err)
	// Output:
	// 500000000 <nil>
	// "500": want a unit, as in 500B, 500kB or 500MB
}
