// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/xhit/go-str2duration/v2"

	"github.com/daybook-db/daybook/retention"
)

// retainFlags are the flags of retain.
type retainFlags struct {
	rules    string
	interval string
	once     bool
}

func newRetainCommand(dir *string) *cobra.Command {
	var flags retainFlags
	cmd := &cobra.Command{
		Use:   "retain --rules FILE",
		Short: "Delete values again and again, as a file of rules says",
		Long: `Delete the values that a file of rules does not keep, at once and then every
hour, until interrupted. With --once, delete them once. There is no undo.

Each record follows the first rule whose pattern matches its name. A record that
no rule matches follows max_age. The file is YAML or JSON:

  max_age: 7d                # of records that no rule matches; default: for ever
  max_bytes: 500MB           # of JSON with a limit; then the oldest are deleted
  rules:
    - pattern: "alarm.*"     # a glob
      max_age: 365d
      keep_newest: 10        # values of each record that are kept at any age
    - topic: "plant.#.state" # or a topic
      max_per_record: 100
    - pattern: "config.*"    # without a limit, everything is kept

Each sweep prints one line on standard error with the number of deleted values.

Retain does not believe a clock that contradicts what is known of the time: when
it is earlier by more than a day, or ahead by more than two, or before the
program was built. What is known is kept in the daybook, also from one --once to
the next. Meanwhile age is counted by uptime: a value is deleted when it has
been there for its maximum age of uptime. The clock is believed again when it is
set right, or when it has run for long enough. --once fails then, after it has
deleted that. "daybook prune --older-than" always believes the clock.

No other process can have the daybook open meanwhile. A program that stores
values uses the Go package retention.`,
		Example:           `  daybook retain --rules rules.yaml --once`,
		Args:              asUsage(noArguments("--rules")),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return runRetain(cmd, *dir, flags) },
	}
	cmd.Flags().StringVar(&flags.rules, "rules", "", "the `file` of rules (required)")
	cmd.Flags().StringVar(&flags.interval, "interval", "1h", "the `duration` between two sweeps, as in 15m or 1d")
	cmd.Flags().BoolVar(&flags.once, "once", false, "sweep once, print the number of deleted values, and end")
	return cmd
}

func runRetain(cmd *cobra.Command, dir string, flags retainFlags) (err error) {
	if flags.rules == "" {
		return usagef("retain needs --rules, a file that says which values to keep (see daybook retain --help)")
	}
	if flags.once {
		if err := refuseUseless(cmd, "once", "interval"); err != nil {
			return err
		}
	}
	interval, err := str2duration.ParseDuration(flags.interval)
	if err != nil || interval <= 0 {
		return usagef("--interval %q: want more than 0, in numbers and units (ms, s, m, h, d, w)", flags.interval)
	}
	policy, err := readPolicy(flags.rules)
	if err != nil {
		return err
	}
	db, err := openExisting(dir)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	logger := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	keeper := &retention.Keeper{Backend: db, Policy: policy, Interval: interval, Logger: logger}
	if flags.once {
		return sweepOnce(cmd, keeper)
	}
	return sweepUntilInterrupted(cmd.Context(), keeper)
}

// readPolicy reads a policy from a file.
func readPolicy(path string) (policy retention.Policy, err error) {
	file, err := os.Open(path)
	if err != nil {
		return policy, err
	}
	defer file.Close()
	return retention.ReadPolicy(file, path)
}

func sweepUntilInterrupted(ctx context.Context, keeper *retention.Keeper) error {
	if err := keeper.Run(ctx); err != nil {
		return err
	}
	keeper.Logger.Info("daybook: interrupted, there will be no more sweeps")
	return nil
}

func sweepOnce(cmd *cobra.Command, keeper *retention.Keeper) error {
	started := time.Now()
	deleted, err := keeper.Sweep(cmd.Context())
	switch {
	case errors.Is(err, retention.ErrClock):
		return &stoppedError{err, "deleted " + counted(deleted, "value")}
	case err != nil:
		return deletionStopped(deleted, err)
	}
	return reportDeleted(cmd, deleted, started)
}
