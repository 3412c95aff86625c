// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"fmt"
	"os"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/retention"
)

//go:embed rules.yaml
var builtInRules []byte

// readPolicy reads the rules in a file, or the built-in ones without a file.
func readPolicy(path string) (retention.Policy, error) {
	if path == "" {
		return retention.ParsePolicy(builtInRules)
	}
	file, err := os.Open(path)
	if err != nil {
		return retention.Policy{}, fmt.Errorf("rules: %w", err)
	}
	defer file.Close()
	return retention.ReadPolicy(file, path)
}

// newKeeper returns the keeper that deletes what the policy does not keep. It logs its sweeps
// itself, and a sweep that failed is also seen in the health. A clock in doubt is such a failure.
func newKeeper(backend daybook.Backend, policy retention.Policy, status *status) *retention.Keeper {
	return &retention.Keeper{
		Backend:  backend,
		Policy:   policy,
		Interval: time.Hour,
		Logger:   status.logger,
		OnSweep:  func(swept retention.Swept) { status.report("keeper", swept.Err) },
	}
}
