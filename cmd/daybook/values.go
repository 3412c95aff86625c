// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/csv"
	"io"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/daybook-db/daybook"
)

// pipedWidth is how wide a table is where no terminal says.
const pipedWidth = 200

// leastValueWidth is what a table leaves for values, however narrow the terminal and long the names.
const leastValueWidth = 24

// valueWriter prints values in one of query's formats.
type valueWriter interface {
	write(daybook.StoredValue) error
	flush() error
}

func newValueWriter(format string, out io.Writer, width int) valueWriter {
	switch format {
	case "ndjson":
		return &ndjsonWriter{out: out}
	case "csv":
		return &csvWriter{out: csv.NewWriter(out)}
	}
	return newTableWriter(out, width)
}

// ndjsonWriter prints one JSON object per line, as ingest reads it.
type ndjsonWriter struct {
	out  io.Writer
	line []byte
}

func (w *ndjsonWriter) write(v daybook.StoredValue) error {
	w.line = appendNDJSON(w.line[:0], v)
	_, err := w.out.Write(w.line)
	return err
}

func (w *ndjsonWriter) flush() error { return nil }

// appendNDJSON appends the line of one value. encoding/json would compact the value and escape HTML
// in it; here only line breaks, which JSON allows between tokens alone, become spaces.
func appendNDJSON(line []byte, v daybook.StoredValue) []byte {
	line = append(line, `{"record_name":`...)
	line = appendJSONString(line, v.RecordName)
	line = append(line, `,"value":`...)
	start := len(line)
	line = append(line, v.Value...)
	for i, b := range line[start:] {
		if b == '\n' || b == '\r' {
			line[start+i] = ' '
		}
	}
	line = append(line, `,"stored_at":`...)
	line = strconv.AppendUint(line, v.StoredAt, 10)
	return append(line, "}\n"...)
}

// transferColumns are the columns of CSV: the time is in Unix ms, the value is JSON.
var transferColumns = []string{"record_name", "stored_at", "value"}

// csvWriter prints those columns.
type csvWriter struct {
	out    *csv.Writer
	headed bool
}

func (w *csvWriter) write(v daybook.StoredValue) error {
	if err := w.head(); err != nil {
		return err
	}
	return w.out.Write([]string{v.RecordName, strconv.FormatUint(v.StoredAt, 10), string(v.Value)})
}

func (w *csvWriter) head() error {
	if w.headed {
		return nil
	}
	w.headed = true
	return w.out.Write(transferColumns)
}

// flush prints the header even where there was no value, so that what reads it finds its columns.
func (w *csvWriter) flush() error {
	if err := w.head(); err != nil {
		return err
	}
	w.out.Flush()
	return w.out.Error()
}

// tableWriter prints values for people.
type tableWriter struct {
	table *blockTable
	width int
	names int // width of the widest name so far
}

func newTableWriter(out io.Writer, width int) *tableWriter {
	return &tableWriter{table: newBlockTable(out, column{title: "RECORD"}, column{title: "STORED AT"}, column{title: "VALUE"}), width: width}
}

func (w *tableWriter) write(v daybook.StoredValue) error {
	name, at := printable(v.RecordName), formatTime(v.StoredAt)
	w.names = max(w.names, text.StringWidth(name), len("RECORD"))
	room := max(w.width-w.names-len(at)-4, leastValueWidth) // 4: two spaces after each column
	return w.table.append(name, at, shorten(v.Value, room))
}

func (w *tableWriter) flush() error { return w.table.flush() }
