// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// completeFlags tells the shell what it can complete after each flag of a command.
func completeFlags(cmd *cobra.Command) {
	cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		complete := cobra.NoFileCompletions // a time, a size, a name
		if choice, ok := flag.Value.(*choiceFlag); ok {
			complete = cobra.FixedCompletions(choice.choices, cobra.ShellCompDirectiveNoFileComp)
		}
		switch flag.Name {
		case "dir":
			complete = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
		case "rules":
			complete = anyFile
		}
		if err := cmd.RegisterFlagCompletionFunc(flag.Name, complete); err != nil {
			panic(err) // two flags have the same name
		}
	})
}

// anyFile completes file names.
func anyFile(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// completeArguments completes the first arguments by one function each, and all others by rest.
func completeArguments(rest cobra.CompletionFunc, first ...cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) < len(first) {
			return first[len(args)](cmd, args, typed)
		}
		return rest(cmd, args, typed)
	}
}

// maxCompleted is the largest number of names that a shell is given.
const maxCompleted = 500

// recordNames completes a pattern by the names of records. It leaves out names that a pattern would
// have to escape, and names that a shell could not show. It tries once, and finds no names if
// another process changes the daybook meanwhile.
func recordNames(dir *string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
		if isSpecial(typed) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		db, err := engine.Open(*dir, &engine.Options{ReadOnly: true, BesideWriter: true, LockTimeout: -1})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer db.Close() // it was only read
		for record, err := range db.Records(cmd.Context(), typed+"*", daybook.Glob) {
			if err != nil || len(names) == maxCompleted {
				break
			}
			if !isSpecial(record.RecordName) {
				names = append(names, record.RecordName)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// isSpecial reports whether a name has characters that mean something in a pattern, or are not
// printable.
func isSpecial(name string) bool {
	return strings.ContainsAny(name, `*?#\`) || printable(name) != name
}
