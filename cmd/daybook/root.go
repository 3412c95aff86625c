// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// defaultDir is the directory that a command works on unless --dir names another one.
const defaultDir = "./daybook-demo"

// execute runs one command line and returns its exit status. An error is one line on errOut.
func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRootCommand()
	root.SetArgs(append([]string{}, args...)) // for nil, cobra would take the arguments of the process
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	restrictBuiltins(root)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil || isBrokenPipe(err) { // which is no failure
		return quietStatus(err)
	}
	fmt.Fprintln(errOut, "daybook: "+errorLine(err)+remedy(cmd.Name(), err))
	return statusOf(cmd.Context(), err)
}

func newRootCommand() *cobra.Command {
	var dir string
	root := &cobra.Command{
		Use:   "daybook",
		Short: "Keep and read the history of named JSON records",
		Long: `Daybook keeps the history of named JSON records in a directory: every value that
a record ever had, with its time.

A record has a name, such as sensor.kitchen. A value is JSON: {"celsius":21.5}.
A time is RFC 3339 (2026-11-23T06:00:00Z), a local day (2026-11-23, yesterday;
all of it with --until), Unix milliseconds, or relative to now (-90m, -7d, -2w).
The exit status is 0 when done, 1 when failed, 2 for a wrong command line, 130
after Ctrl-C (SIGTERM: 143, SIGHUP: 129), and 141 if a pipe's reader closed it.`,
		Example: `  daybook demo                               # ten seconds of this machine
  daybook records                            # list the records
  daybook query "host.cpu.*" --limit 1       # the newest value of each CPU
  daybook ingest readings.ndjson             # store your own readings
  daybook query host.memory --since -5m --format csv`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          asUsage(onlySubcommands),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if dir == "" { // for example from an unset variable of a script
				return usagef("--dir is empty: want the directory that holds the daybook")
			}
			return nil
		},
	}
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(printHelp)
	root.PersistentFlags().StringVar(&dir, "dir", defaultDir, "the daybook's `directory`")
	addCommands(root, &dir)
	for _, cmd := range append(root.Commands(), root) {
		completeFlags(cmd)
	}
	return root
}

func init() {
	cobra.EnableCommandSorting = false // help lists the commands in the order of addCommands
}

// otherGroup is the group of the commands that do not work on a directory.
const otherGroup = "Other"

// addCommands adds all subcommands, in the groups that the help of root shows.
func addCommands(root *cobra.Command, dir *string) {
	for _, group := range []struct {
		id       string
		commands []*cobra.Command
	}{
		{"Store", []*cobra.Command{newDemoCommand(dir), newIngestCommand(dir)}},
		{"Read", []*cobra.Command{
			newQueryCommand(dir), newTailCommand(dir), newRecordsCommand(dir), newStatsCommand(dir),
		}},
		{"Maintain", []*cobra.Command{
			newCleanupCommand(dir), newPruneCommand(dir), newRetainCommand(dir), newHoldsCommand(dir),
			newCompactCommand(dir), newCheckCommand(dir), newQuarantineCommand(dir),
		}},
		{"Move", []*cobra.Command{
			newBackupCommand(dir), newRestoreCommand(dir), newExportCommand(dir), newImportCommand(dir),
		}},
		{otherGroup, []*cobra.Command{newVersionCommand()}},
	} {
		root.AddGroup(&cobra.Group{ID: group.id, Title: group.id + ":"})
		for _, cmd := range group.commands {
			cmd.GroupID = group.id
			root.AddCommand(cmd)
		}
	}
	root.SetCompletionCommandGroupID(otherGroup)
	root.SetHelpCommandGroupID(otherGroup)
}
