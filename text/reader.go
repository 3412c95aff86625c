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
	// Record names the record of each value. It may hold fields of the value in braces, as in
	// "ha.{entity_id}": columns of CSV, paths of JSON. NewCSVReader requires it; NewNDJSONReader
	// ignores it.
	Record string
	// Split makes one value of each column that is no time and no field of Record, and the record
	// of each is named by the field {column} of Record. It is for CSV.
	Split bool
	// Time are the columns of CSV, or the paths of JSON, that hold the time. The texts of several
	// are joined by a space. NewCSVReader requires one unless StampNow is set; NewNDJSONReader
	// ignores it.
	Time []string
	// Times reads the texts of times. It serves one reader. Default: RFC 3339, or a number of
	// TimeUnit, bounded by AnyTime.
	Times TimeParser
	// Value is the path of the JSON that is stored. Default: all members but those of Time and
	// Record.
	Value string
	// JSON says where the values of NewJSONReader are.
	JSON JSONOptions
	// CSV says how rows and cells are made of text.
	CSV CSVOptions
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

// ParseTime reads a time that another program wrote. An empty text is no time.
func (o ReadOptions) ParseTime(text string) (ms uint64, err error) {
	if text == "" {
		return o.missingTime()
	}
	return o.parseTime(text)
}

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

// CSVOptions say how CSV is read. The zero value reads the CSV of RFC 4180 with a header.
type CSVOptions struct {
	Delimiter rune // between cells; 0: a comma; a space: any spaces and tabs, unless KeepBlanks
	Comment   rune // what lines begin with that are skipped; 0: there are none
	SkipLines int  // before the header, or before the first row
	// Columns names the columns of a file without a header. Default: the first row is the header.
	Columns []string
	// KeepBlanks keeps spaces and tabs around a cell. Default: they are dropped.
	KeepBlanks bool
	// DecimalComma reads 21,5 as 21.5 and 1.234,50 as 1234.5.
	DecimalComma bool
	// Text are columns whose cells are strings also where they look like numbers.
	Text []string
	// Number are columns whose cells are numbers; another text there is an error.
	Number []string
	// MayLack is the number of its last cells that a row may lack: all of them or none.
	MayLack int
}

// TimeParser reads the times of one file, in the file's order.
type TimeParser interface {
	// ParseTime returns Unix milliseconds, rounded down. Its error is a *TimeError.
	ParseTime(text string) (ms uint64, err error)
}
