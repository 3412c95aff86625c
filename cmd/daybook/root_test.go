// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestErrorsAreOneLine(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	filled := filledDir(t, someValues()...)
	file := writeFile(t, "file", "")
	tests := []struct {
		name   string
		args   []string
		want   string // a part of standard error
		status int
	}{
		{"an unknown subcommand", []string{"remember"}, `unknown command "remember"`, statusUsage},
		{"an unknown flag", []string{"stats", "--yaml"}, "unknown flag: --yaml", statusUsage},
		{"a subcommand with two letters swapped", []string{"qurey", "*"},
			`unknown command "qurey" for "daybook"; did you mean query? (see daybook --help)`, statusUsage},
		{"the same for help", []string{"help", "exprot"},
			`unknown command "exprot" for "daybook"; did you mean export?`, statusUsage},
		{"a shell without a letter", []string{"completion", "bsh"},
			`unknown command "bsh" for "daybook completion"; did you mean bash?`, statusUsage},
		{"a flag without a letter", []string{"query", "*", "--formt", "csv"},
			"unknown flag: --formt; did you mean --format? (see daybook query --help)", statusUsage},
		{"a flag of all commands", []string{"stats", "--dri", "x"},
			"unknown flag: --dri; did you mean --dir?", statusUsage},
		{"a long flag after one hyphen", []string{"query", "*", "-limit=1"},
			"in -limit=1; did you mean --limit?", statusUsage},
		{"a short flag that is like no other", []string{"query", "*", "-z5"},
			"unknown shorthand flag: 'z' in -z5 (see daybook query --help)", statusUsage},
		{"an argument of version", []string{"version", "1"}, `version takes no arguments, and got "1"`, statusUsage},
		{"too few arguments", []string{"query"}, "query needs a PATTERN", statusUsage},
		{"a pattern that the shell has expanded", []string{"query", "a", "b"}, "is it in quotes?", statusUsage},
		{"the same for records", []string{"records", "a", "b"},
			"records takes one PATTERN, and got 2 arguments", statusUsage},
		{"help about an unknown command", []string{"help", "remember"},
			`unknown command "remember" for "daybook" (see daybook help --help)`, statusUsage},
		{"help about an unknown subcommand of query", []string{"help", "query", "a"},
			`unknown command "query a"`, statusUsage},
		{"an unknown shell", []string{"completion", "dos"},
			`unknown command "dos" for "daybook completion"`, statusUsage},
		{"an argument after a shell", []string{"completion", "bash", "zsh"},
			`bash takes no arguments, and got "zsh"`, statusUsage},
		{"an age without its flag", []string{"cleanup", "7d"},
			`cleanup takes no arguments, and got "7d": want --older-than before it`, statusUsage},
		{"rules without their flag", []string{"retain", "rules.yaml"},
			`retain takes no arguments, and got "rules.yaml": want --rules before it`, statusUsage},
		{"an argument without a meaning", []string{"stats", "a"},
			`stats takes no arguments, and got "a" (see daybook stats --help)`, statusUsage},
		{"a singular for one argument", []string{"export", "*"}, "and got 1 argument (see", statusUsage},
		{"a file in a missing directory", []string{"export", "*", filepath.Join(missing, "x.csv"), "--dir", filled},
			"x.csv cannot be written: there is no directory " + missing, statusFailed},
		{"a backup into a path below a file", []string{"backup", file + "/x", "--dir", filled},
			"/x cannot be written: ", statusFailed},
		{"a limit that is not a number", []string{"query", "*", "--limit", "x"},
			`invalid argument "x" for "--limit" flag: want a whole number`, statusUsage},
		{"a flag with a short form", []string{"tail", "*", "-n", "x"},
			`invalid argument "x" for "-n, --values" flag: want a whole number`, statusUsage},
		{"a switch that is neither on nor off", []string{"records", "--json=maybe"}, "want true or false", statusUsage},
		{"a directory that is a file", []string{"stats", "--dir", file}, file + " is not a directory", statusFailed},
		{"a file as the directory of cleanup", []string{"cleanup", "--older-than", "1d", "--dir", file},
			file + " is not a directory", statusFailed},
		{"a file as the directory of ingest", []string{"ingest", "--dir", file},
			file + " is not a directory", statusFailed},
		{"an empty directory name", []string{"stats", "--dir", ""}, "--dir is empty", statusUsage},
		{"seconds instead of milliseconds", []string{"query", "*", "--since", "1764000000"},
			"want Unix milliseconds, 1764000000000", statusUsage},
		{"a word that is not a choice", []string{"query", "*", "--format", "xml"},
			"want one of table, ndjson, json, csv", statusUsage},
		{"a negative limit", []string{"query", "*", "--limit", "-1"}, "--limit -1", statusUsage},
		{"a word instead of a time", []string{"query", "*", "--since", "noon"},
			`--since "noon" is not a time`, statusUsage},
		{"a relative time without its sign", []string{"query", "*", "--until", "7d"}, "is written -7d", statusUsage},
		{"an empty pattern", []string{"query", "", "--dir", filled}, "invalid pattern", statusUsage},
		{"a pattern that ends within an escape", []string{"query", `a\`, "--dir", filled},
			"invalid pattern", statusUsage},
		{"a malformed pattern for records", []string{"records", `a\`, "--dir", filled}, "invalid pattern", statusUsage},
		{"query without a daybook", []string{"query", "*", "--dir", missing},
			"there is no daybook in " + missing, statusFailed},
		{"records without a daybook", []string{"records", "--dir", missing}, "daybook demo", statusFailed},
		{"stats without a daybook", []string{"stats", "--dir", missing}, "daybook ingest", statusFailed},
		{"cleanup without a daybook", []string{"cleanup", "--older-than", "1d", "--dir", missing},
			"there is no daybook", statusFailed},
		{"cleanup without a cutoff", []string{"cleanup", "--dir", filled}, "needs --older-than", statusUsage},
		{"an age in the future, which would delete everything",
			[]string{"cleanup", "--older-than", "+1h", "--dir", filled},
			"in the future", statusUsage},
		{"a date in the future, which would too", []string{"cleanup", "--older-than", "3000-01-01", "--dir", filled},
			"in the future", statusUsage},
		{"an age longer than a time.Duration", []string{"cleanup", "--older-than", "400000d", "--dir", filled},
			`"400000d" is before 1970`, statusUsage},
		{"a retention from before 1970", []string{"demo", "--keep", "30000d", "--dir", missing}, "1970", statusUsage},
		{"a demo without a reading", []string{"demo", "--for", "1ms"}, "at least one reading", statusUsage},
		{"a retention of no time", []string{"demo", "--keep", "0d"}, "want an age", statusUsage},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := run(t, "", test.args...)
			if got.status != test.status || got.out != "" {
				t.Errorf("status %d, stdout %q; want status %d and no output", got.status, got.out, test.status)
			}
			line, isLine := strings.CutSuffix(got.err, "\n")
			if !isLine || strings.Contains(line, "\n") || !strings.HasPrefix(line, "daybook: ") ||
				!strings.Contains(line, test.want) {
				t.Errorf("stderr %q; want one line with %q", got.err, test.want)
			}
			if strings.Count(line, "daybook: ") != 1 {
				t.Errorf("stderr %q has the name of the command twice", got.err)
			}
		})
	}
	if _, err := os.Stat(missing); !os.IsNotExist(err) {
		t.Errorf("%s: %v; want that no command created the directory", missing, err)
	}
}

func TestVersion(t *testing.T) {
	want := mustRun(t, "", "--version")
	got := mustRun(t, "", "version")
	if got != want || !strings.HasPrefix(got, "daybook version ") {
		t.Errorf("version prints %q; want the same as --version: %q", got, want)
	}
}

func TestHelpOfEveryCommand(t *testing.T) {
	for _, command := range newRootCommand().Commands() {
		help := mustRun(t, "", command.Name(), "--help")
		if !strings.Contains(help, "Examples:") || !strings.Contains(help, "--dir") {
			t.Errorf("help of %s:\n%s", command.Name(), help)
		}
		if command.GroupID == "" {
			t.Errorf("%s is in no group", command.Name())
		}
	}
}

// TestHelpFitsTwoScreens wants that a help takes at most two screens of 24 lines and 80 columns,
// with the examples on the first one.
func TestHelpFitsTwoScreens(t *testing.T) {
	for _, command := range append(newRootCommand().Commands(), newRootCommand()) {
		args := []string{command.Name(), "--help"}
		if !command.HasParent() {
			args = args[1:]
		}
		help := mustRun(t, "", args...)
		lines := strings.Split(strings.TrimSuffix(help, "\n"), "\n")
		const columns, maxLines = 80, 2 * 24
		onScreen := 0 // lines, of which a long one takes several
		for _, line := range lines {
			width := utf8.RuneCountInString(line)
			onScreen += max(1, (width+columns-1)/columns)
			if width > 100 {
				t.Errorf("help of %s has the line %q; want at most 100 columns", command.Name(), line)
			}
		}
		if onScreen > maxLines {
			t.Errorf("help of %s takes %d lines; want at most %d", command.Name(), onScreen, maxLines)
		}
		examples := strings.Count(command.Example, "\n") + 1
		if slices.Index(lines, "Examples:") > 8 || examples > 5 {
			t.Errorf("help of %s has %d examples, and not among the first lines:\n%s", command.Name(), examples, help)
		}
	}
}

// TestHelp wants that the command alone and "daybook help" begin with what Daybook is, and show the
// groups.
func TestHelp(t *testing.T) {
	for _, args := range [][]string{nil, {"help"}, {"--help"}} {
		help := mustRun(t, "", args...)
		const first = "Daybook keeps the history of named JSON records in a directory: "
		if !strings.HasPrefix(help, first) {
			t.Errorf("daybook %q begins with %.100q; want %q", args, help, first)
		}
		wantParts(t, help, "\nStore:\n  demo ", "\nRead:\n  query ", "\nMaintain:\n  cleanup ", "\nMove:\n  backup ")
	}
}
