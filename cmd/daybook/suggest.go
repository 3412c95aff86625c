// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// didYouMean returns the end of an error about a name that is not one of names: the closest of
// them as a question, or nothing if none is close.
func didYouMean(typed string, names []string) string {
	const maxDistance = 2
	closest, least := "", maxDistance+1
	for _, name := range names {
		short := strings.TrimLeft(name, "-")
		if distance := editDistance(typed, short); distance < least && distance <= len(short)/2 {
			closest, least = name, distance
		}
	}
	if closest == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", closest)
}

// editDistance returns the number of mistakes that make b of a. A mistake inserts, leaves out or
// replaces a byte, or swaps two neighbours.
func editDistance(a, b string) int {
	// rows[i][j] is the distance of a[:i] from b[:j].
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j], rows[i][j-1], rows[i-1][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], 1+rows[i-2][j-2])
			}
		}
	}
	return rows[len(a)][len(b)]
}

// commandNames returns the names of the subcommands of cmd.
func commandNames(cmd *cobra.Command) (names []string) {
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	return names
}

// unknownFlag returns the error of a command line with a flag that cmd does not have. One hyphen
// before a whole name (-limit) is read as the first of several short flags.
func unknownFlag(cmd *cobra.Command, err *pflag.NotExistError) error {
	typed := err.GetSpecifiedName()
	if short := err.GetSpecifiedShortnames(); short != "" {
		typed, _, _ = strings.Cut(short, "=")
	}
	var names []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) { names = append(names, "--"+flag.Name) })
	return usagef("%w%s (see %s --help)", err, didYouMean(typed, names), cmd.CommandPath())
}

// unknownCommand returns the error of a command line whose last word names no subcommand of cmd.
func unknownCommand(cmd *cobra.Command, words ...string) error {
	return fmt.Errorf("unknown command %q for %q%s", strings.Join(words, " "), cmd.CommandPath(),
		didYouMean(words[len(words)-1], commandNames(cmd)))
}

// onlySubcommands refuses arguments. The first one is mostly a subcommand with a typing mistake.
func onlySubcommands(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	return nil
}
