// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// asUsage makes the errors of an argument check usage errors.
func asUsage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usagef("%w (see %s --help)", err, cmd.CommandPath())
		}
		return nil
	}
}

// restrictBuiltins makes the commands that cobra adds, help and completion, refuse arguments that
// they do not know.
func restrictBuiltins(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = asUsage(func(_ *cobra.Command, args []string) error {
				if found, unknown, err := root.Find(args); err != nil || len(unknown) > 0 {
					return unknownCommand(found, args...)
				}
				return nil
			})
		case "completion":
			cmd.Args = asUsage(onlySubcommands)
			// A command that does not run would print its help before cobra checks the arguments.
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			for _, shell := range cmd.Commands() {
				shell.Args = asUsage(noArguments(""))
			}
		}
	}
}

// noArguments refuses arguments. An argument is mostly the value of flag, whose name was left out.
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

// onePattern wants exactly one argument.
func onePattern(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s needs a PATTERN, such as \"*\"", cmd.Name())
	}
	return atMostOnePattern(cmd, args)
}

// atMostOnePattern refuses several arguments. They are mostly file names by which a shell has
// replaced a pattern without quotes.
func atMostOnePattern(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("%s takes one PATTERN, and got %s: is it in quotes?",
			cmd.Name(), counted(len(args), "argument"))
	}
	return nil
}

// oneFile wants exactly one argument, the name of a file.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes one FILE, or - , and got %s", cmd.Name(), counted(len(args), "argument"))
	}
	return hasName(args[0])
}

// hasName refuses an empty file name, for example from an unset variable of a script.
func hasName(file string) error {
	if file == "" {
		return errors.New("FILE is empty: want a name, or - for standard input or output")
	}
	return nil
}
