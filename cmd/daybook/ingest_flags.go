// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
)

// ingestFlags are the flags of ingest.
type ingestFlags struct {
	format     choiceFlag
	record     string
	timeColumn string
	timeUnit   choiceFlag // "": by digits
	anyTime    bool
	stampNow   bool
	skipBad    bool
}

// formatOf returns the format that the flag or the name of an input says, or "" if neither does. It
// does not know Parquet, which import reads.
func (f *ingestFlags) formatOf(name string) text.Format {
	if f.format.value != "auto" {
		return text.Format(f.format.value)
	}
	if format := text.FormatOfName(name); format != text.Parquet {
		return format
	}
	return ""
}

// newReader returns a reader of an input's values.
func (f *ingestFlags) newReader(in *input) (text.ValueReader, error) {
	opts := text.ReadOptions{
		Name: in.name, Record: f.record,
		TimeUnit: text.TimeUnit(f.timeUnit.value), AnyTime: f.anyTime, StampNow: f.stampNow,
	}
	if f.timeColumn != "" {
		opts.Time = []string{f.timeColumn}
	}
	if in.format == text.CSV {
		return text.NewCSVReader(in.opened.Reader, opts)
	}
	return text.NewNDJSONReader(in.opened.Reader, opts), nil
}

// check finds whether the flags fit an input's format, if that is known.
func (f *ingestFlags) check(in *input) error {
	switch in.format {
	case text.CSV:
		return f.checkCSV(in)
	case text.NDJSON:
		return f.checkNDJSON(in)
	}
	return nil
}

func (f *ingestFlags) checkCSV(in *input) error {
	finding := in.name + " is CSV"
	if in.guessed {
		finding = in.name + " does not begin with {, so it was read as CSV (--format ndjson reads it as NDJSON)"
	}
	if f.record == "" {
		return usagef("%s, which needs --record, the name of the record that its rows belong to", finding)
	}
	if f.timeColumn == "" && !f.stampNow {
		return usagef("%s, which needs --time-column, the name of the column that holds the time (or --now)", finding)
	}
	if err := daybook.ValidateRecordName(f.record); err != nil {
		return usagef("--record: %w", err)
	}
	return nil
}

// checkNDJSON refuses the flags of CSV, which would be ignored.
func (f *ingestFlags) checkNDJSON(in *input) error {
	finding := in.name + " is NDJSON"
	if in.guessed {
		finding = in.name + " begins with {, so it was read as NDJSON (--format csv reads it as CSV)"
	}
	if f.record != "" {
		return usagef("%s, whose lines name their records: --record is for CSV", finding)
	}
	if f.timeColumn != "" {
		return usagef("%s, whose lines hold their times: --time-column is for CSV", finding)
	}
	return nil
}
