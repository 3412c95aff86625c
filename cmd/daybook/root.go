// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// defaultDir is where every subcommand works unless --dir says otherwise.
const defaultDir = "./daybook-demo"

// execute runs one command line and returns its exit status. An error is one line on errOut.
func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	strictBuiltins(root)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil || isBrokenPipe(err) {
		return statusDone
	}
	fmt.Fprintln(errOut, "daybook: "+errorLine(err)+remedy(cmd.Name(), err))
	return statusOf(err)
}

func newRootCommand() *cobra.Command {
	var dir string
	root := &cobra.Command{
		Use:   "daybook",
		Short: "Keep and read the history of named JSON records",
		Long: `Daybook keeps the history of named JSON records in a directory: every value that a
record ever had, with the time it was stored. This command records, loads, reads,
cleans up, checks, backs up and restores such a directory.

Times on the command line are RFC 3339 (2026-11-23T06:00:00Z), a date in local time
(2026-11-23), Unix milliseconds, or relative to now (-90m, -1h, -7d, -2w).`,
		Example: `  daybook demo                               # ten seconds of this machine's own readings
  daybook records                            # what was recorded
  daybook query "host.cpu.*" --limit 1       # the newest value of each CPU
  daybook query host.memory --since -5m --format csv`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          checked(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if dir == "" { // as from a variable of a script that is not set
				return usagef("--dir is empty: want the directory that holds the daybook")
			}
			return nil
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	root.PersistentFlags().StringVar(&dir, "dir", defaultDir, "the directory that holds the daybook")
	root.AddCommand(newDemoCommand(&dir), newIngestCommand(&dir), newQueryCommand(&dir), newTailCommand(&dir),
		newRecordsCommand(&dir), newStatsCommand(&dir), newCleanupCommand(&dir), newPruneCommand(&dir), newRetainCommand(&dir),
		newCompactCommand(&dir), newCheckCommand(&dir), newBackupCommand(&dir), newRestoreCommand(&dir),
		newExportCommand(&dir), newImportCommand(&dir))
	for _, cmd := range append(root.Commands(), root) {
		completeFlags(cmd)
	}
	return root
}

// checked marks what an argument check finds as a usage error.
func checked(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usagef("%w (see %s --help)", err, cmd.CommandPath())
		}
		return nil
	}
}

// strictBuiltins has the commands that cobra adds refuse what they do not know.
func strictBuiltins(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = checked(func(_ *cobra.Command, args []string) error {
				if found, unknown, err := root.Find(args); err != nil || len(unknown) > 0 {
					return fmt.Errorf("unknown command %q for %q", strings.Join(args, " "), found.CommandPath())
				}
				return nil
			})
		case "completion":
			cmd.Args = checked(cobra.NoArgs)
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() } // or cobra would not look at Args
			for _, shell := range cmd.Commands() {
				shell.Args = checked(noArguments(""))
			}
		}
	}
}

// noArguments refuses arguments. One is mostly what a flag wants whose name was left out.
func noArguments(flag string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := ""
		if flag != "" {
			hint = fmt.Sprintf(": want %s before it", flag)
		}
		return fmt.Errorf("%s takes no arguments, and got %q%s", cmd.Name(), args[0], hint)
	}
}

// onePattern wants exactly one argument. More of them are mostly file names that a shell has put in
// the place of a pattern without quotes.
func onePattern(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s needs a PATTERN, such as \"*\"", cmd.Name())
	}
	return atMostOnePattern(cmd, args)
}

func atMostOnePattern(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("%s takes one PATTERN, and got %s: is it in quotes?", cmd.Name(), counted(len(args), "argument"))
	}
	return nil
}

// version is the module version that the binary was built from.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
