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
	flags.SortFlags = cmd.Flags().SortFlags
	printSection(out, "Flags", flagLines(flags))
}

// maxFlagName is how long a flag with its argument may be that has what it does beside it.
const maxFlagName = 25

// flagLines returns what the flags do, with a line for each in as few columns as it needs, because
// the flags are most of the help.
func flagLines(flags *pflag.FlagSet) string {
	var names, usages []string
	widest := 0
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden {
			return
		}
		name, usage := describeFlag(flag)
		names, usages = append(names, name), append(usages, usage)
		if len(name) <= maxFlagName {
			widest = max(widest, len(name))
		}
	})
	var lines strings.Builder
	for i, name := range names {
		if len(name) > maxFlagName {
			fmt.Fprintln(&lines, "  "+name)
			name = ""
		}
		fmt.Fprintf(&lines, "  %-*s  %s\n", widest, name, usages[i])
	}
	return strings.TrimRight(lines.String(), "\n")
}

// describeFlag returns how a flag is typed, and what it does.
func describeFlag(flag *pflag.Flag) (name, usage string) {
	argument, usage := pflag.UnquoteUsage(flag)
	name = "--" + flag.Name
	if flag.Shorthand != "" {
		name = "-" + flag.Shorthand + ", " + name
	}
	if argument != "" {
		name += " " + argument
	}
	isPlain := flag.DefValue == "" || flag.DefValue == "false" || flag.DefValue == "0" || flag.DefValue == "[]" ||
		flag.DefValue == "0s"
	if !isPlain {
		usage += " (default " + flag.DefValue + ")"
	}
	return name, usage
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
