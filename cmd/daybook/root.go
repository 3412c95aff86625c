// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// defaultDir is where every subcommand works unless --dir says otherwise.
const defaultDir = "./daybook-demo"

// Exit statuses.
const (
	statusDone        = 0
	statusFailed      = 1
	statusUsage       = 2
	statusInterrupted = 130 // what shells report for a process that SIGINT ended
)

// usageError is an error of the command line itself rather than of what it asked for.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// execute runs one command line and returns its exit status. An error is one line on errOut.
func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil || isBrokenPipe(err) {
		return statusDone
	}
	fmt.Fprintln(errOut, "daybook: "+errorLine(err))
	switch {
	case errors.As(err, new(usageError)):
		return statusUsage
	case errors.Is(err, context.Canceled):
		return statusInterrupted
	}
	return statusFailed
}

// errorLine puts an error on one line. The sentinels of package daybook start with its name, which
// the line starts with already.
func errorLine(err error) string {
	text := strings.ReplaceAll(err.Error(), "daybook: ", "")
	text = strings.ReplaceAll(text, context.Canceled.Error(), "interrupted")
	return printable(strings.ReplaceAll(text, "\n", "; "))
}

// isBrokenPipe reports whether whoever read our output has stopped reading. That is their right.
func isBrokenPipe(err error) bool {
	const windowsNoData = syscall.Errno(232) // ERROR_NO_DATA: the pipe is being closed
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) ||
		runtime.GOOS == "windows" && errors.Is(err, windowsNoData)
}

func newRootCommand() *cobra.Command {
	var dir string
	root := &cobra.Command{
		Use:   "daybook",
		Short: "Keep and read the history of named JSON records",
		Long: `Daybook keeps the history of named JSON records in a directory: every value that a
record ever had, with the time it was stored. This command records, loads, reads
and cleans up such a directory.

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
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().StringVar(&dir, "dir", defaultDir, "the directory that holds the daybook")
	root.AddCommand(newDemoCommand(&dir), newIngestCommand(&dir), newQueryCommand(&dir),
		newRecordsCommand(&dir), newStatsCommand(&dir), newCleanupCommand(&dir))
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

// version is the module version that the binary was built from.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
