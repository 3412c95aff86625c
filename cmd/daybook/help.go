// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// printHelp prints the help of a command. What it does and its most usual lines come first, so that
// they are on the first screen.
func printHelp(cmd *cobra.Command, _ []string) {
	long := cmd.Long
	if long == "" {
		long = cmd.Short
	}
	what, details, _ := strings.Cut(strings.TrimSpace(long), "\n\n")
	use := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		use = cmd.CommandPath() + " COMMAND [flags]"
	}
	out := cmd.OutOrStdout()
	fmt.Fprintln(out, what)
	printSection(out, "Examples", cmd.Example)
	if details != "" {
		fmt.Fprintf(out, "\n%s\n", details)
	}
	fmt.Fprintf(out, "\nUsage: %s\n", use)
	printCommands(out, cmd)
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.AddFlagSet(cmd.LocalFlags())
	flags.AddFlagSet(cmd.InheritedFlags()) // --dir
	printSection(out, "Flags", strings.TrimRight(flags.FlagUsages(), "\n"))
}

// printSection prints a title and lines, unless there are none.
func printSection(out io.Writer, title, lines string) {
	if lines != "" {
		fmt.Fprintf(out, "\n%s:\n%s\n", title, lines)
	}
}

// printCommands prints the subcommands, group after group.
func printCommands(out io.Writer, cmd *cobra.Command) {
	groups := cmd.Groups()
	if len(groups) == 0 && cmd.HasAvailableSubCommands() {
		groups = []*cobra.Group{{ID: "", Title: "Commands:"}}
	}
	if len(groups) > 0 {
		fmt.Fprintln(out)
	}
	for _, group := range groups {
		fmt.Fprintln(out, group.Title)
		for _, sub := range cmd.Commands() {
			if sub.GroupID == group.ID && (sub.IsAvailableCommand() || sub.Name() == "help") {
				fmt.Fprintf(out, "  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
}
