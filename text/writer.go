// SPDX-License-Identifier: Apache-2.0

package text

import (
	"io"
	"strconv"

	"github.com/daybook-db/daybook"
)

// ValueWriter writes values in one format.
type ValueWriter interface {
	// Write writes one value. The writer may buffer it, and does not keep it after Flush or Close.
	Write(daybook.StoredValue) error
	// Flush writes the buffered values, in whole lines. A format that cannot be read before its end
	// writes nothing.
	Flush() error
	// Close writes the buffered values, and what the format has at the end of a file.
	Close() error
}

// ndjsonWriter writes one JSON object per line.
type ndjsonWriter struct {
	out  io.Writer
	line []byte
}

// NewNDJSONWriter returns a writer of one JSON object per line, which NewNDJSONReader reads. It
// does not buffer.
func NewNDJSONWriter(out io.Writer) ValueWriter { return &ndjsonWriter{out: out} }

func (w *ndjsonWriter) Write(v daybook.StoredValue) error {
	w.line = appendLine(w.line[:0], v)
	_, err := w.out.Write(w.line)
	return err
}

func (w *ndjsonWriter) Flush() error { return nil }
func (w *ndjsonWriter) Close() error { return nil }

// jsonWriter writes one JSON array.
type jsonWriter struct {
	out   io.Writer
	text  []byte
	begun bool
}

// NewJSONWriter returns a writer of one JSON array, whose elements are the objects that
// NewNDJSONWriter writes, each on a line of its own. NewJSONReader reads it. The array ends at
// Close, so that a file that was cut off is not valid. It does not buffer.
func NewJSONWriter(out io.Writer) ValueWriter { return &jsonWriter{out: out} }

func (w *jsonWriter) Write(v daybook.StoredValue) error {
	separator := ",\n"
	if !w.begun {
		w.begun, separator = true, "[\n"
	}
	w.text = append(w.text[:0], separator...)
	w.text = appendLine(w.text, v)
	_, err := w.out.Write(w.text[:len(w.text)-len("\n")])
	return err
}

func (w *jsonWriter) Flush() error { return nil }

func (w *jsonWriter) Close() error {
	end := "\n]\n"
	if !w.begun {
		end = "[]\n"
	}
	_, err := io.WriteString(w.out, end)
	return err
}

// appendLine appends the line of one value. encoding/json would compact the value and escape HTML
// in it. Here only line breaks, which JSON allows between tokens alone, become spaces.
func appendLine(line []byte, v daybook.StoredValue) []byte {
	line = append(line, `{"record_name":`...)
	line = appendString(line, v.RecordName)
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
