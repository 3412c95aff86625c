// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestDevicesWithTheEngine runs devices on the embedded engine, which is opened at each boot.
func TestDevicesWithTheEngine(t *testing.T) {
	devices := []device{
		{name: "no clock", reason: "the marks are places in the engine's history",
			days: 24, power: each(12*hour, 12*hour), clock: noClock, strict: true},
		{name: "ahead after a restart", reason: "the engine remembers what was known",
			days: 30, power: each(18*hour, 6*hour), clock: aheadBetween(10, 20, 2*year), strict: true},
	}
	for _, d := range devices {
		t.Run(d.name, func(t *testing.T) {
			dir := testenv.TempDir(t)
			synctest.Test(t, func(t *testing.T) {
				s := &simulation{device: &d, t: t, open: func() keptBackend {
					db, err := engine.Open(dir, &engine.Options{
						Durability: engine.DurabilityOS, Logger: slog.New(slog.DiscardHandler),
					})
					if err != nil {
						t.Fatal(err)
					}
					return db
				}}
				s.run()
				t.Logf("%s: %d doubts, %d values, %d remain", d.reason, s.doubts, len(s.values), len(s.live))
			})
		})
	}
}
