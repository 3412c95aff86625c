// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook/engine"
)

// What a shell does beside the words that it is told (cobra.ShellCompDirective).
const (
	filesToo    = ":0\n"
	wordsAlone  = ":4\n"
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
		why  string
		args []string
		want string
	}{
		{"a format of query", []string{"query", "--format", ""}, "table\nndjson\ncsv\n" + wordsAlone},
		{"a format of export", []string{"export", "--format", ""}, "auto\nndjson\ncsv\nparquet\n" + wordsAlone},
		{"a time is no file", []string{"query", "--since", ""}, wordsAlone},
		{"a directory", []string{"query", "--dir", ""}, directories},
		{"a file of rules", []string{"retain", "--rules", ""}, filesToo},
		{"a record for a pattern", []string{"query", "--dir", dir, "a."}, "a.one\na.two\n" + wordsAlone},
		{"all records", []string{"records", "--dir", dir, ""}, "a.one\na.two\nb\n" + wordsAlone},
		{"a pattern that is one already", []string{"tail", "--dir", dir, "a*"}, wordsAlone},
		{"one pattern is enough", []string{"prune", "--dir", dir, "a.one", ""}, wordsAlone},
		{"no daybook", []string{"query", "--dir", newDir(t), ""}, wordsAlone},
		{"a daybook that is open elsewhere", []string{"query", "--dir", open, ""}, wordsAlone},
		{"a pattern and then a file", []string{"export", "--dir", dir, "a.one", ""}, filesToo},
		{"files", []string{"ingest", "a", ""}, filesToo},
		{"one file is enough", []string{"backup", "a", ""}, wordsAlone},
		{"no arguments", []string{"stats", ""}, wordsAlone},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			got := run(t, "", append([]string{"__complete"}, test.args...)...)
			if diff := cmp.Diff(test.want, got.out); diff != "" || got.status != statusDone || strings.Count(got.err, "\n") > 1 {
				t.Errorf("status %d, stderr %q, -want +got:\n%s", got.status, got.err, diff)
			}
		})
	}
}
