// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

func newHoldsCommand(dir *string) *cobra.Command {
	var release string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "holds",
		Short: "List what consumers hold back from deletion, or release a hold",
		Long: `List the holds. A program that forwards or summarizes values sets one, so that cleanup, prune,
retain and MaxSize spare what it has not taken yet, up to a bound. For each hold it shows the
values that it spares, and the number of values that were deleted beyond its bound before the
program had taken them.

--release removes the hold of a program that does not come back, so that its values can be
deleted.`,
		Example: `  daybook holds
  daybook holds --json`,
		Args:              asUsage(noArguments("")),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := refuseUseless(cmd, "release", "json"); err != nil {
				return err
			}
			if cmd.Flags().Changed("release") {
				if release == "" {
					return usagef("--release needs the name of a hold; \"daybook holds\" lists them")
				}
				return runReleaseHold(cmd, *dir, release)
			}
			return runHolds(cmd, *dir, asJSON)
		},
	}
	cmd.Flags().StringVar(&release, "release", "", "remove the hold with this `name`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	return cmd
}

func runReleaseHold(cmd *cobra.Command, dir, name string) (err error) {
	db, err := openExisting(dir)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	if err := db.ReleaseHold(cmd.Context(), name); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "released the hold %s\n", printable(name))
	return err
}

func runHolds(cmd *cobra.Command, dir string, asJSON bool) error {
	return readDaybook(cmd, dir, 4<<10, func(db *engine.DB, out *bufio.Writer) error {
		infos, err := db.Holds(cmd.Context())
		if err != nil {
			return err
		}
		if asJSON {
			return writeJSONLines(out, infos)
		}
		if len(infos) == 0 {
			_, err = fmt.Fprintln(cmd.ErrOrStderr(), "no holds")
			return err
		}
		return writeHolds(out, infos)
	})
}

func writeHolds(out io.Writer, infos []daybook.HoldInfo) error {
	table := newBlockTable(out, column{title: "HOLD"}, column{title: "PATTERN"}, rightColumn("VALUES"),
		rightColumn("BYTES"), column{title: "BOUND"}, rightColumn("LOST"))
	for _, h := range infos {
		pattern := printable(cmp.Or(h.Pattern.Text, "all records"))
		lost := count(h.Lost)
		if h.Damaged {
			lost = "at least " + lost
		}
		err := table.append(printable(h.Name), pattern, count(h.Values), size(h.Bytes), boundOf(h), lost)
		if err != nil {
			return err
		}
	}
	return table.flush()
}

// boundOf describes the bounds of a hold.
func boundOf(h daybook.HoldInfo) string {
	age := h.MaxAge.Round(time.Second).String()
	switch {
	case h.MaxAge == 0:
		return size(h.MaxBytes)
	case h.MaxBytes == 0:
		return age
	}
	return size(h.MaxBytes) + ", " + age
}
