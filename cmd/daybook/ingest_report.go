// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
)

// tell prints what an input was taken for. A file in our own form needs no explanation.
func (i *ingestion) tell(in *input) {
	if !in.finding.Own && i.flags.jq == "" {
		i.bar.clear()
		line := in.name + ": " + in.finding.String()
		if len(in.finding.Mixed) > 0 {
			line += "; --number wants numbers in such a column, and --skip-bad skips lines with others"
		}
		fmt.Fprintln(i.out, printable(line))
	}
}

// tellNotes prints what a reader noticed: texts in columns of numbers, and a last line that may be
// cut off.
func (i *ingestion) tellNotes(in *input, values text.ValueReader) {
	const remedy = "; --text makes texts of all cells of a column, and --number refuses such cells"
	if noticed, ok := values.(text.Noter); ok {
		i.bar.clear()
		for _, note := range noticed.Notes() {
			fmt.Fprintln(i.notes, printable(in.name+": "+note+remedy))
		}
	}
	i.bar.clear()
	tellCutOff(i.notes, in.name, values)
}

// tellCutOff says that the last line of an input may be cut off.
func tellCutOff(notes io.Writer, name string, values text.ValueReader) {
	if lines, ok := values.(text.LineReader); ok && lines.IsUnended() {
		fmt.Fprintln(notes, printable(name+": the last line does not end with a line end; it may have been cut off"))
	}
}

// summarize prints how many values were stored. It is an error if there were only bad lines.
func (i *ingestion) summarize(inputs []input, took time.Duration) error {
	if err := i.onlyBadLines("stored"); err != nil {
		return err
	}
	_, err := fmt.Fprintf(i.out, "stored %s from %s in %.1f s%s\n",
		counted(i.stored, "value"), sourceOf(inputs), took.Seconds(), i.leftOut())
	return err
}

func (i *ingestion) onlyBadLines(done string) error {
	if i.stored > 0 || i.skippedLines == 0 || i.existing != nil && i.existing.found > 0 {
		return nil
	}
	return fmt.Errorf("nothing was %s: all values were bad, in %s", done, counted(i.skippedLines, "line"))
}

// leftOut says what was not stored, as the end of a summary.
func (i *ingestion) leftOut() (text string) {
	if i.existing != nil {
		text = ", skipped " + counted(i.existing.found, "value") + " that it has"
	}
	if i.skippedLines > 0 {
		text += ", skipped " + counted(i.skippedLines, "bad line")
	}
	return text
}

func sourceOf(inputs []input) string {
	if len(inputs) == 1 && inputs[0].name == stdinName {
		return "standard input"
	}
	return counted(len(inputs), "input")
}

// maxShown is how many values --dry-run prints.
const maxShown = 5

// rehearse reads the inputs as ingest does, prints their first values, and stores nothing.
func (i *ingestion) rehearse(ctx context.Context, inputs []input) error {
	seen := &rehearsal{records: make(map[string]bool)}
	i.db = seen
	err := i.run(ctx, inputs)
	shown := newTableWriter(i.out, terminalWidth(i.out, pipedWidth))
	for _, value := range seen.first {
		err = errors.Join(err, shown.Write(value))
	}
	if err := errors.Join(err, shown.Close()); err != nil {
		return err
	}
	if err := i.onlyBadLines("read"); err != nil {
		return err
	}
	_, err = fmt.Fprintf(i.out, "would store %s%s%s; nothing was stored\n",
		counted(i.stored, "value"), seen.extent(), i.leftOut())
	return err
}

// rehearsal is a store that keeps the first values and counts the others.
type rehearsal struct {
	first            []daybook.StoredValue
	records          map[string]bool
	earliest, latest uint64
}

func (r *rehearsal) StoreBatch(_ context.Context, batch []daybook.StoredValue) error {
	for _, v := range batch {
		if len(r.records) == 0 {
			r.earliest, r.latest = v.StoredAt, v.StoredAt
		}
		if len(r.first) < maxShown {
			r.first = append(r.first, v)
		}
		r.records[v.RecordName] = true
		r.earliest, r.latest = min(r.earliest, v.StoredAt), max(r.latest, v.StoredAt)
	}
	return nil
}

// extent says how many records the values belong to, and when they are from.
func (r *rehearsal) extent() string {
	if len(r.records) == 0 {
		return ""
	}
	return fmt.Sprintf(" of %s, from %s to %s",
		counted(len(r.records), "record"), formatTime(r.earliest), formatTime(r.latest))
}
