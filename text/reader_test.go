// SPDX-License-Identifier: Apache-2.0

package text

import (
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/daybook-db/daybook"
)

func value(record, text string, storedAt uint64) daybook.StoredValue {
	return daybook.StoredValue{RecordName: record, Value: json.RawMessage(text), StoredAt: storedAt}
}

// maxReads is more than the files of these tests need.
const maxReads = 10_000

var errNoEnd = errors.New("the file has no end")

// readAll returns the values of a file, and the first error that ends it.
func readAll(r ValueReader) (values []daybook.StoredValue, err error) {
	for len(values) < maxReads {
		value, err := r.Read()
		if err == io.EOF {
			return values, nil
		}
		if err != nil {
			return values, err
		}
		values = append(values, value)
	}
	return nil, errNoEnd
}

// readGood returns the values of a file and the bad lines that it skipped, up to the first other
// error.
func readGood(r ValueReader) (values []daybook.StoredValue, bad []*LineError, err error) {
	for len(values)+len(bad) < maxReads {
		value, err := r.Read()
		if err == io.EOF {
			return values, bad, nil
		}
		if line, ok := err.(*LineError); ok {
			bad = append(bad, line)
			continue
		}
		if err != nil {
			return values, bad, err
		}
		values = append(values, value)
	}
	return nil, nil, errNoEnd
}

// mustReadAll returns the values of a file without an error.
func mustReadAll(t *testing.T, r ValueReader) []daybook.StoredValue {
	t.Helper()
	values, err := readAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return values
}
