// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// completeFlags says of each flag of a command what a shell completes after it.
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
			panic(err) // there are two flags of one name
		}
	})
}

// anyFile completes the names of files.
func anyFile(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// after completes the first arguments, one by each of first, and all others by rest.
func after(rest cobra.CompletionFunc, first ...cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) < len(first) {
			return first[len(args)](cmd, args, typed)
		}
		return rest(cmd, args, typed)
	}
}

// mostCompleted is how many names a shell is told at most.
const mostCompleted = 500

// recordNames completes a pattern by the names of records. Those that a pattern would have to escape, or that a shell could
// not show, it leaves out; of a daybook that is open elsewhere it knows none.
func recordNames(dir *string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
		if isSpecial(typed) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		db, err := engine.Open(*dir, &engine.Options{ReadOnly: true, LockTimeout: -1})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer db.Close() // it was only read
		for record, err := range db.Records(cmd.Context(), typed+"*", daybook.Glob) {
			if err != nil || len(names) == mostCompleted {
				break
			}
			if !isSpecial(record.RecordName) {
				names = append(names, record.RecordName)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

func isSpecial(name string) bool {
	return strings.ContainsAny(name, `*?#\`) || printable(name) != name
}
