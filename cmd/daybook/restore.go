// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook/engine"
)

func newRestoreCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Create a directory from a backup",
		Long: `Create a daybook from FILE, which "daybook backup" wrote; - is standard input. The directory
that --dir names must be empty or not exist; lost+found does not count.

The whole backup is verified before the daybook appears. If a part of it is missing or was
changed, nothing is restored.`,
		Example:           `  daybook restore history.daybook --dir ./restored`,
		Args:              asUsage(oneFile),
		ValidArgsFunction: completeArguments(cobra.NoFileCompletions, anyFile),
		RunE:              func(cmd *cobra.Command, args []string) error { return runRestore(cmd, *dir, args[0]) },
	}
}

func runRestore(cmd *cobra.Command, dir, name string) (err error) {
	if err := checkDirectory(dir); err != nil {
		return err
	}
	in, total := cmd.InOrStdin(), int64(-1)
	if name != standard {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
		if info, err := file.Stat(); err == nil {
			total = info.Size()
		}
	}
	bar := newByteBar(cmd.ErrOrStderr(), "restoring", total)
	err = engine.Restore(cmd.Context(), dir, bar.countReader(in))
	bar.clear()
	if err != nil {
		return err
	}
	return reportRestored(cmd.Context(), cmd.OutOrStdout(), dir)
}

func reportRestored(ctx context.Context, out io.Writer, dir string) (err error) {
	db, err := openForReading(dir)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	stats, err := exactStats(ctx, db)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "restored %s of %s into %s\n",
		counted(stats.Values, "value"), counted(stats.Records, "record"), dir)
	return err
}
