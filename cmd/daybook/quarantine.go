// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
)

func newQuarantineCommand(dir *string) *cobra.Command {
	var remove string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "List the damaged files that were set aside, or remove one",
		Long: `List the damaged files that "daybook check --quarantine", or a program that sets damage aside,
has renamed and gone on without. Nothing reads them again. Keep one as long as somebody may
want to look for values in it.

--remove removes one of them, by its name.`,
		Example: `  daybook quarantine
  daybook quarantine --json`,
		Args:              asUsage(noArguments("")),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := refuseUseless(cmd, "remove", "json"); err != nil {
				return err
			}
			if cmd.Flags().Changed("remove") {
				if remove == "" {
					return usagef("--remove needs the name of a file; \"daybook quarantine\" lists them")
				}
				return runRemoveQuarantined(cmd, *dir, remove)
			}
			return runQuarantine(cmd, *dir, asJSON)
		},
	}
	cmd.Flags().StringVar(&remove, "remove", "", "remove the file with this `name`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	return cmd
}

func runRemoveQuarantined(cmd *cobra.Command, dir, name string) (err error) {
	db, err := openExisting(dir)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	if err := db.RemoveQuarantined(cmd.Context(), name); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "removed %s\n", printable(name))
	return err
}

func runQuarantine(cmd *cobra.Command, dir string, asJSON bool) (err error) {
	db, err := openBesideWriter(dir)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	files, err := db.Quarantined(cmd.Context())
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSONLines(cmd.OutOrStdout(), files)
	}
	if len(files) == 0 {
		_, err = fmt.Fprintln(cmd.ErrOrStderr(), "no files in quarantine")
		return err
	}
	return writeQuarantine(cmd.OutOrStdout(), files)
}

func writeQuarantine(out io.Writer, files []daybook.QuarantinedFile) error {
	table := newBlockTable(out, column{title: "FILE"}, rightColumn("BYTES"), column{title: "SINCE"},
		column{title: "DAMAGE"})
	for _, file := range files {
		since := "unknown"
		if file.QuarantinedAt > 0 {
			since = formatTime(file.QuarantinedAt)
		}
		reason := printable(strings.ReplaceAll(cmp.Or(file.Reason, "unknown"), "\n", "; "))
		if err := table.append(printable(file.Name), size(file.Bytes), since, reason); err != nil {
			return err
		}
	}
	return table.flush()
}
