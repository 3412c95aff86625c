// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/parquet"
)

// pipedWidth is the width of a table that is not printed on a terminal, in columns.
const pipedWidth = 200

// minValueWidth is the width that a table keeps for values, however narrow the terminal and long
// the names, in columns.
const minValueWidth = 24

// newValueWriter returns a writer of the values in one of the formats of query. width is that of a
// table.
func newValueWriter(format string, out io.Writer, width int) text.ValueWriter {
	switch format {
	case "ndjson":
		return text.NewNDJSONWriter(out)
	case "json":
		return text.NewJSONWriter(out)
	case "csv":
		return text.NewCSVWriter(out)
	case "parquet":
		return parquet.NewWriter(out)
	}
	return newTableWriter(out, width)
}

// writeJSONLines prints each item as a JSON object on a line of its own.
func writeJSONLines[T any](out io.Writer, items []T) error {
	lines := json.NewEncoder(out)
	for _, item := range items {
		if err := lines.Encode(item); err != nil {
			return err
		}
	}
	return nil
}

// tableWriter prints values for people.
type tableWriter struct {
	table     *blockTable
	width     int
	name      string // of the last value
	shownName string // how it is printed
	nameWidth int    // of the widest name so far
}

func newTableWriter(out io.Writer, width int) *tableWriter {
	columns := []column{{title: "RECORD"}, {title: "STORED AT"}, {title: "VALUE"}}
	return &tableWriter{table: newBlockTable(out, columns...), width: width, nameWidth: len("RECORD")}
}

func (w *tableWriter) Write(v daybook.StoredValue) error {
	if v.RecordName != w.name {
		w.name, w.shownName = v.RecordName, printable(v.RecordName)
		w.nameWidth = max(w.nameWidth, textWidth(w.shownName))
	}
	storedAt := formatTime(v.StoredAt)
	const gaps = 4 // two spaces after each of the first two columns
	room := max(w.width-w.nameWidth-len(storedAt)-gaps, minValueWidth)
	return w.table.append(w.shownName, storedAt, shorten(v.Value, room))
}

func (w *tableWriter) Flush() error { return w.table.flush() }
func (w *tableWriter) Close() error { return w.table.flush() }
