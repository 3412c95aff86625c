// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var writeTable = flag.Bool("write-table", false, "TestCorpusTable writes the table of docs/files.md")

const (
	filesDocument         = "../../docs/files.md"
	tableBegin, tableEnd  = "<!-- corpus:begin -->\n", "<!-- corpus:end -->\n"
	tableHead             = "| form | without a flag |\n|---|---|\n"
	maxTableColumns       = 120
	localZoneIsSaid       = "Europe/Vienna" // in Said of a file whose times have no zone
	tableIsGeneratedNotes = "<!-- Generated, so edits are lost. The command:\n" +
		"go test ./cmd/daybook -run TestCorpusTable -write-table\n-->\n\n"
)

// TestCorpusTable wants the table of docs/files.md to say what ingest does with each form.
func TestCorpusTable(t *testing.T) {
	document, err := os.ReadFile(filesDocument)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(document), tableBegin)
	table, after, closed := strings.Cut(rest, tableEnd)
	if !found || !closed {
		t.Fatalf("%s has no table of forms", filesDocument)
	}
	want := tableIsGeneratedNotes + corpusTable(t) + "\n"
	if *writeTable {
		text := before + tableBegin + want + tableEnd + after
		if err := os.WriteFile(filesDocument, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("go test ./cmd/daybook -run TestCorpusTable -write-table mends the table (-want +got):\n%s", diff)
	}
}

// corpusTable has a row for each file of want.json. The small cases repeat forms that others have.
func corpusTable(t *testing.T) string {
	table := tableHead
	for _, want := range corpusWants(t) {
		if strings.HasPrefix(want.Form, "case: ") {
			continue
		}
		row := "| " + strings.ReplaceAll(want.Form, "|", `\|`) + " | " + want.treatment() + " |\n"
		if len(row) > maxTableColumns {
			t.Errorf("the row of %s is too long: %s", want.File, row)
		}
		table += row
	}
	return table
}

// treatment says in a few words what happens without a flag.
func (w *corpusWant) treatment() string {
	switch {
	case w.Refused == nil && slices.Contains(w.Said, localZoneIsSaid):
		return "goes in, with the zone of the machine"
	case w.Refused == nil:
		return "goes in"
	case w.Before > 0:
		return "stops at the bad line; " + w.flagNames() + " skips it"
	case w.Flags == nil:
		return "refused"
	}
	return "refused; goes in with " + w.flagNames()
}

// flagNames returns the names of the flags that mend a refused file.
func (w *corpusWant) flagNames() string {
	var names []string
	for _, arg := range w.Flags {
		if strings.HasPrefix(arg, "--") {
			names = append(names, "`"+arg+"`")
		}
	}
	return strings.Join(names, " ")
}
