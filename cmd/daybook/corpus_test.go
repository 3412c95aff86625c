// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the corpus expects times of Vienna on any machine

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

const (
	corpusDir = "../../text/testdata/corpus"

	minCorpusFiles = 60
	minCorpusRight = 50 // of them without a flag
)

// corpusWant is what want.json says about one file.
type corpusWant struct {
	File    string
	Form    string
	Refused []string // texts of the refusal, "a|b" for one of two; nil: the file goes in without a flag
	Before  int      // values that are stored before the refusal
	Flags   []string // the ones that mend a refused file; nil: none does
	Said    []string // texts about what ingest assumed
	Records []corpusRecord
}

// corpusRecord is what must be stored of one record.
type corpusRecord struct {
	Record      string
	Count       int
	First, Last string   // RFC 3339; "": the time of the test
	Times       []string // all times; nil: only the first and the last one are compared
	Value       json.RawMessage
}

// TestCorpus ingests each file of the corpus on a machine in Vienna.
func TestCorpus(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	defer func(zone *time.Location) { time.Local = zone }(time.Local)
	time.Local = vienna

	var right, refused, wrong int
	wants := corpusWants(t)
	for _, want := range wants {
		faults := want.faults(t)
		switch {
		case len(faults) > 0:
			wrong++
			t.Errorf("%s: %s", want.File, strings.Join(faults, "\n\t"))
		case want.Refused == nil:
			right++
		default:
			refused++
		}
	}
	t.Logf("of %d files %d are right with no flag, %d refused, %d wrong", len(wants), right, refused, wrong)
}

// TestCorpusIsWhole wants an expectation for each file, and enough files.
func TestCorpusIsWhole(t *testing.T) {
	var named []string
	right := 0
	for _, want := range corpusWants(t) {
		named = append(named, want.File)
		if want.Refused == nil {
			right++
		}
	}
	entries, err := os.ReadDir(corpusDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !slices.Contains(append(named, "want.json", "README.md"), entry.Name()) {
			t.Errorf("want.json says nothing about %s", entry.Name())
		}
	}
	if len(named) < minCorpusFiles || right < minCorpusRight {
		t.Errorf("%d files, of which %d go in without a flag; want %d and %d",
			len(named), right, minCorpusFiles, minCorpusRight)
	}
}

// corpusWants reads want.json.
func corpusWants(t *testing.T) (wants []corpusWant) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(corpusDir, "want.json"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&wants); err != nil {
		t.Fatal(err)
	}
	return wants
}

// faults ingests the file, without a flag and with those that mend it, and returns what differs.
func (w *corpusWant) faults(t *testing.T) []string {
	if w.Refused == nil {
		return w.ingestFaults(t, nil)
	}
	faults := w.refusalFaults(t)
	if w.Flags != nil {
		faults = append(faults, w.ingestFaults(t, w.Flags)...)
	}
	return faults
}

// ingestFaults ingests the file, which must go in with these flags.
func (w *corpusWant) ingestFaults(t *testing.T, flags []string) (faults []string) {
	dir := newDir(t)
	started := daybook.Now()
	got := run(t, "", w.ingestArgs(dir, flags)...)
	if got.status != statusDone {
		return []string{"with the flags " + strings.Join(flags, " ") + " it is refused: " + strings.TrimSpace(got.err)}
	}
	for _, part := range w.Said {
		if flags == nil && !strings.Contains(got.out+got.err, part) {
			faults = append(faults, "it does not say "+part+" but "+got.out+got.err)
		}
	}
	wanted, actual := w.wantedOutcomes(t, started), outcomes(t, dir, started)
	for n := range actual {
		if n < len(wanted) && wanted[n].Times == nil { // want.json has only the first and the last time
			actual[n].Times = nil
		}
	}
	if diff := cmp.Diff(wanted, actual); diff != "" {
		faults = append(faults, "with the flags "+strings.Join(flags, " ")+" it is stored as (-want +got):\n"+diff)
	}
	return faults
}

// refusalFaults ingests the file without a flag, which must be refused.
func (w *corpusWant) refusalFaults(t *testing.T) (faults []string) {
	dir := newDir(t)
	got := run(t, "", w.ingestArgs(dir, nil)...)
	if got.status == statusDone {
		return []string{"it is not refused: " + got.out + got.err}
	}
	for _, part := range w.Refused {
		if !slices.ContainsFunc(strings.Split(part, "|"), func(p string) bool { return strings.Contains(got.err, p) }) {
			faults = append(faults, "the refusal has no "+part+": "+strings.TrimSpace(got.err))
		}
	}
	_, err := os.Stat(dir)
	switch {
	case w.Before == 0 && err == nil:
		faults = append(faults, "the refused file leaves a directory: "+strings.TrimSpace(got.err))
	case w.Before > 0 && err != nil:
		faults = append(faults, "nothing is stored before the refusal: "+strings.TrimSpace(got.err))
	case w.Before > 0 && len(stored(t, dir)) != w.Before:
		faults = append(faults, "another number of values is stored before the refusal: "+strings.TrimSpace(got.err))
	}
	return faults
}

func (w *corpusWant) ingestArgs(dir string, flags []string) []string {
	args := []string{"ingest", filepath.Join(corpusDir, w.File), "--dir", dir}
	return append(args, flags...)
}

// outcome is what is stored of one record, in a form that compares well. A number is its text.
type outcome struct {
	Record      string
	Count       int
	First, Last string // "now": during the test
	Times       []string
	Value       any // the first one
}

func (w *corpusWant) wantedOutcomes(t *testing.T, started uint64) (all []outcome) {
	for _, r := range w.Records {
		o := outcome{Record: r.Record, Count: r.Count, First: "now", Last: "now", Value: decoded(t, r.Value)}
		if r.First != "" {
			o.First, o.Last = normalTime(t, r.First, started), normalTime(t, r.Last, started)
		}
		for _, text := range r.Times {
			o.Times = append(o.Times, normalTime(t, text, started))
		}
		all = append(all, o)
	}
	return all
}

// outcomes returns what a directory holds, by record.
func outcomes(t *testing.T, dir string, started uint64) (all []outcome) {
	if _, err := os.Stat(dir); err != nil {
		return nil
	}
	for _, v := range stored(t, dir) {
		if len(all) == 0 || all[len(all)-1].Record != v.RecordName {
			first := printedTime(v.StoredAt, started)
			all = append(all, outcome{Record: v.RecordName, First: first, Value: decoded(t, v.Value)})
		}
		last := &all[len(all)-1]
		last.Count++
		last.Last = printedTime(v.StoredAt, started)
		last.Times = append(last.Times, last.Last)
	}
	return all
}

func normalTime(t *testing.T, text string, started uint64) string {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return printedTime(uint64(at.UnixMilli()), started)
}

// printedTime prints a time in Unix milliseconds, or "now" if the test had started.
func printedTime(ms, started uint64) string {
	if ms >= started && ms <= daybook.Now() {
		return "now"
	}
	return daybook.Time(ms).UTC().Format(time.RFC3339Nano)
}

// decoded returns a JSON text as maps, lists and texts, so that the order of members is free.
func decoded(t *testing.T, text []byte) (value any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}
