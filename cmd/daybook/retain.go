// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/xhit/go-str2duration/v2"

	"github.com/daybook-db/daybook/retention"
)

type retainFlags struct {
	rules    string
	interval string
	once     bool
}

func newRetainCommand(dir *string) *cobra.Command {
	var flags retainFlags
	cmd := &cobra.Command{
		Use:   "retain --rules FILE",
		Short: "Delete what a file of rules does not keep, now and then again and again",
		Long: `Delete what a file of rules does not keep, at once and then every hour, until it is
interrupted. Each record follows the first rule whose pattern matches its name; those that
none matches follow max_age beside the rules. The file is YAML, or JSON:

  max_age: 7d                  # of records that no rule matches; without it they are kept
  max_bytes: 500MB             # of JSON, of all records: beyond that the oldest values go
  rules:
    - pattern: "alarm.*"       # a glob
      max_age: 365d
      keep_newest: 10          # however old they are
    - topic: "plant.#.state"   # or a topic
      max_per_record: 100
    - pattern: "config.*"      # no limit: everything is kept

Nothing is deleted by age while the clock cannot be believed: when it is earlier than the
newest values of most records, or has jumped ahead by more than a day since the sweep before;
once it has gone on for a day without a jump it is believed. --once, which has no sweep before
and waits for none, says so, and its status is not 0: set the clock, or delete with prune
--older-than, which takes the clock as it is. There is no undo.

Each sweep is a line on standard error: how many values it deleted, also if it is interrupted
in the middle.

It has the daybook for itself. A program that stores does the same with the Go package
retention.`,
		Example: `  daybook retain --rules rules.yaml
  daybook retain --rules rules.yaml --once`,
		Args:              checked(noArguments("--rules")),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return runRetain(cmd, *dir, flags) },
	}
	cmd.Flags().StringVar(&flags.rules, "rules", "", "the `file` of rules (required)")
	cmd.Flags().StringVar(&flags.interval, "interval", "1h", "the `duration` between two sweeps, as in 15m or 1d")
	cmd.Flags().BoolVar(&flags.once, "once", false, "sweep once, say how many values that deleted, and end")
	return cmd
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

func runRetain(cmd *cobra.Command, dir string, flags retainFlags) (err error) {
	if flags.rules == "" {
		return usagef("retain needs --rules, a file that says what is kept (see daybook retain --help)")
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
	defer closing(db, &err)
	logger := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	keeper := retention.Keeper{Backend: db, Policy: policy, Interval: interval, Logger: logger}
	if !flags.once {
		if err := keeper.Run(cmd.Context()); err != nil {
			return err
		}
		logger.Info("daybook: interrupted, there will be no more sweeps")
		return nil
	}
	start := time.Now()
	deleted, err := keeper.Sweep(cmd.Context())
	if errors.Is(err, retention.ErrClock) {
		return fmt.Errorf("deleted %s; %w: set it, or if it is right, delete by age with "+
			"\"daybook prune --older-than\", which takes it as it is", counted(deleted, "value"), err)
	}
	if err != nil {
		return stoppedAfter(deleted, err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "deleted %s in %s\n", counted(deleted, "value"), time.Since(start).Round(time.Millisecond))
	return err
}
