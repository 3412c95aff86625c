// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bufio"
	"encoding/json"
	"io"

	"github.com/daybook-db/daybook"
)

// MaxLineLen is the length of the longest line of NDJSON and of the longest row of CSV, in bytes.
// It leaves room for the largest value and the members around it.
const MaxLineLen = 17 << 20

// bufferSize is how many bytes a reader reads at a time.
const bufferSize = 64 << 10

// ValueReader reads the values of one file.
type ValueReader interface {
	// Read returns the next value, which the caller may keep. It returns io.EOF after the last
	// value. For a value that cannot be stored it returns a *LineError, and the caller may go on
	// reading. Any other error ends the file.
	Read() (daybook.StoredValue, error)
}

// ReadOptions says how a file is read.
type ReadOptions struct {
	// Name is what errors call the file. Default: errors name none.
	Name string
	// Record is the record that the rows of CSV belong to. NewCSVReader requires it; other readers
	// ignore it.
	Record string
	// TimeColumn is the header of the CSV column that holds the time. NewCSVReader requires it
	// unless StampNow is set; other readers ignore it.
	TimeColumn string
	// StampNow gives values that have no time the clock's time. Default: such a value is
	// ErrMissingTime.
	StampNow bool
	// TimeUnit is what numbers count that are times, in CSV and in "ts" of NDJSON. Default:
	// ByDigits. Files of Daybook's own have Unix milliseconds in stored_at, whatever it is, and
	// NewNDJSONReader refuses a number there if TimeUnit is another unit.
	TimeUnit TimeUnit
	// AnyTime allows each time since 1970 in CSV and in "ts" of NDJSON. Default: a time before
	// MinPlausible, or more than a day after now, is ErrImplausible. While the clock is before
	// MinPlausible, the future has no bound. Files of Daybook's own may have any time.
	AnyTime bool
}

// buffered returns in with a buffer of at least bufferSize.
func buffered(in io.Reader) *bufio.Reader { return bufio.NewReaderSize(in, bufferSize) }

// missingTime returns the clock's time for a value that has none, if the options ask for it.
func (o ReadOptions) missingTime() (uint64, error) {
	if !o.StampNow {
		return 0, ErrMissingTime
	}
	return daybook.Now(), nil
}

// checkedValue returns a value if its name and its JSON are valid, and otherwise an error.
func checkedValue(name string, value json.RawMessage, storedAt uint64) (daybook.StoredValue, error) {
	err := daybook.ValidateRecordName(name)
	if err == nil {
		err = daybook.ValidateValue(value)
	}
	return daybook.StoredValue{RecordName: name, Value: value, StoredAt: storedAt}, err
}
