// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook/engine"
)

// Directives to the shell (cobra.ShellCompDirective), after the words that it completes.
const (
	andFiles    = ":0\n"
	onlyWords   = ":4\n"
	directories = ":16\n"
)

func TestCompletion(t *testing.T) {
	dir := filledDir(t, append(someValues(), value("a.*", "1", 1), value("a.\n", "1", 1))...)
	open := newDir(t)
	db, err := engine.Open(open, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Store(t.Context(), "a.one", []byte("1"), 1); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"a format of query", []string{"query", "--format", ""}, "table\nndjson\njson\ncsv\nparquet\n" + onlyWords},
		{"a format of export", []string{"export", "--format", ""}, "auto\nndjson\njson\ncsv\nparquet\n" + onlyWords},
		{"a time", []string{"query", "--since", ""}, onlyWords},
		{"a directory", []string{"query", "--dir", ""}, directories},
		{"a file of rules", []string{"retain", "--rules", ""}, andFiles},
		{"a record as a pattern", []string{"query", "--dir", dir, "a."}, "a.one\na.two\n" + onlyWords},
		{"all records", []string{"records", "--dir", dir, ""}, "a.one\na.two\nb\n" + onlyWords},
		{"a pattern with a star", []string{"tail", "--dir", dir, "a*"}, onlyWords},
		{"a second pattern", []string{"prune", "--dir", dir, "a.one", ""}, onlyWords},
		{"no daybook", []string{"query", "--dir", newDir(t), ""}, onlyWords},
		{"a daybook that another process has open", []string{"query", "--dir", open, ""}, "a.one\n" + onlyWords},
		{"a pattern and then a file", []string{"export", "--dir", dir, "a.one", ""}, andFiles},
		{"files", []string{"ingest", "a", ""}, andFiles},
		{"a second file", []string{"backup", "a", ""}, onlyWords},
		{"a command without arguments", []string{"stats", ""}, onlyWords},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := run(t, "", append([]string{"__complete"}, test.args...)...)
			diff := cmp.Diff(test.want, got.out)
			if diff != "" || got.status != statusDone || strings.Count(got.err, "\n") > 1 {
				t.Errorf("status %d, stderr %q, -want +got:\n%s", got.status, got.err, diff)
			}
		})
	}
}
