// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bufio"
	"bytes"
	"io"
	"path/filepath"
	"strings"
)

// Format is the format of a file. The zero value stands for a format that is not known.
type Format string

// The formats that this package reads and writes.
const (
	NDJSON  Format = "ndjson"
	CSV     Format = "csv"
	Parquet Format = "parquet"
)

// FormatOfName returns the format that the ending of a file's name stands for: .ndjson, .jsonl,
// .json, .csv or .parquet in any case. It returns "" for any other ending.
func FormatOfName(name string) Format {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		return CSV
	case ".ndjson", ".jsonl", ".json":
		return NDJSON
	case ".parquet":
		return Parquet
	}
	return ""
}

// skipByteOrderMark drops the mark that some programs put before UTF-8. It asks for one byte more
// only while those before it may be the mark.
func skipByteOrderMark(in *bufio.Reader) error {
	mark := []byte("\xEF\xBB\xBF")
	for n := 1; n <= len(mark); n++ {
		head, err := in.Peek(n)
		if err == io.EOF || err == nil && !bytes.HasPrefix(mark, head) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	_, err := in.Discard(len(mark))
	return err
}

// firstCharacter finds the first byte in the buffer of in that is not white space.
func firstCharacter(in *bufio.Reader) (first byte, found bool, err error) {
	for n := 1; n <= in.Size(); n++ {
		head, err := in.Peek(n)
		if err == io.EOF {
			return 0, false, nil
		}
		if err != nil {
			return 0, false, err
		}
		if last := head[n-1]; !isSpace(last) {
			return last, true, nil
		}
	}
	return 0, false, nil
}

// isSpace reports whether b is white space between the tokens of JSON.
func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }
