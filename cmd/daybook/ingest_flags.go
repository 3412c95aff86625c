// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/decode"
	"github.com/daybook-db/daybook/text/detect"
	"github.com/daybook-db/daybook/text/timeform"
)

// ingestFlags are the flags of ingest. What they leave out is detected.
type ingestFlags struct {
	format   choiceFlag
	encoding encodingFlag

	delimiter, comment characterFlag
	columns            []string
	noHeader           bool
	skipLines          int
	keepBlanks         bool
	decimal            choiceFlag
	text, number       []string

	time          []string
	timeFormats   []string
	timeUnit      choiceFlag
	timeZone      zoneFlag
	anyTime       bool
	stampNow      bool
	record, value string
	split         bool
	jq            string
	skipBad       bool
	skipExisting  bool
	dryRun        bool
	timeColumn    string                 // the old name of --time
	changed       func(name string) bool // whether a flag was given
}

func newIngestFlags() *ingestFlags {
	return &ingestFlags{
		format:   choiceFlag{"auto", []string{"auto", "csv", "ndjson", "json", "line-protocol"}},
		decimal:  choiceFlag{choices: []string{",", "."}},
		timeUnit: choiceFlag{choices: []string{"s", "ms", "us", "ns"}},
	}
}

// add adds the flags to the command, those that are needed most often first.
func (f *ingestFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be stored, and store nothing")
	flags.StringVar(&f.record, "record", "", "the record, `NAME` or with columns: ha.{entity_id}")
	flags.StringSliceVar(&f.time, "time", nil, "the `COLUMN` or path of the time; two: Date,Time")
	flags.BoolVar(&f.stampNow, "now", false, "stamp values that have no time with the clock")
	flags.BoolVar(&f.skipExisting, "skip-existing", false, "skip values that the daybook has")
	flags.BoolVar(&f.skipBad, "skip-bad", false, "report, count and skip bad lines instead of stopping")
	flags.StringArrayVar(&f.timeFormats, "time-format", nil, "the time's `FORM`, as %d/%m/%Y %H:%M; repeatable")
	flags.Var(&f.timeZone, "time-zone", "of times without one: Europe/Vienna, +01:00")
	flags.Var(&f.timeUnit, "time-unit", "what numbers count that are times")
	flags.BoolVar(&f.anyTime, "any-time", false, "allow times before 1980 and after tomorrow")
	flags.Var(&f.format, "format", "input format")
	flags.Var(&f.encoding, "encoding", "of the text: latin1, windows-1252, utf-16le, ...")
	flags.Var(&f.delimiter, "delimiter", "CSV: between columns, such as ;, tab or space")
	flags.Var(&f.decimal, "decimal", "CSV: the decimal mark")
	flags.StringSliceVar(&f.columns, "header", nil, "CSV: `NAMES` of the columns, if there is no header")
	flags.BoolVar(&f.noHeader, "no-header", false, "CSV: there is no header; columns are c1, c2, ...")
	flags.IntVar(&f.skipLines, "skip-lines", 0, "CSV: the `NUMBER` of lines before the header")
	flags.Var(&f.comment, "comment", "CSV: what comment lines begin with")
	flags.StringSliceVar(&f.text, "text", nil, "CSV: `COLUMNS` of texts, also if they look like numbers")
	flags.StringSliceVar(&f.number, "number", nil, "CSV: `COLUMNS` of numbers; another text is a bad line")
	flags.BoolVar(&f.keepBlanks, "keep-blanks", false, "CSV: keep blanks around cells")
	flags.BoolVar(&f.split, "split", false, "CSV: a record for each column: {column} in --record")
	flags.StringVar(&f.value, "value", "", "JSON: the `PATH` of what is stored")
	flags.StringVar(&f.jq, "jq", "", "JSON: `EXPRESSION` for {record_name, stored_at, value}")
	flags.StringVar(&f.timeColumn, "time-column", "", "the column of the time")
	_ = flags.MarkHidden("time-column") // the flag exists
}

// check refuses flags that contradict each other.
func (f *ingestFlags) check(cmd *cobra.Command) error {
	f.changed = cmd.Flags().Changed
	if f.timeColumn != "" {
		f.time = append(f.time, f.timeColumn)
	}
	if f.skipLines < 0 {
		return usagef("--skip-lines %d: want 0 or more", f.skipLines)
	}
	if _, err := text.ParseNameTemplate(f.record); f.record != "" && err != nil {
		return usagef("--record: %w", err)
	}
	for _, form := range f.timeFormats {
		if err := checkTimeFormat(form); err != nil {
			return err
		}
	}
	return errors.Join(
		refuseUseless(cmd, "header", "no-header"),
		refuseUseless(cmd, "now", "skip-existing"),
		refuseUseless(cmd, "dry-run", "skip-existing"),
		refuseUseless(cmd, "jq", "value"),
		refuseUseless(cmd, "jq", "time"),
		refuseUseless(cmd, "time-format", "time-unit"),
	)
}

// yearInForm matches what of strptime says the year.
var yearInForm = regexp.MustCompile(`%[-_0^#EO:]*[YyCGgDFcxvs+]`)

// checkTimeFormat refuses a form that can read no time: it has only literal letters, or no year.
func checkTimeFormat(form string) error {
	const example = `such as "%d/%m/%Y %H:%M"`
	switch {
	case !strings.Contains(form, "%"):
		return usagef("--time-format %q has no %% in it: want a form of strptime, %s", form, example)
	case !yearInForm.MatchString(form):
		return usagef("--time-format %q has no year: want one, %s, and columns that have it", form, example)
	}
	return nil
}

// flagsOfCSV and flagsOfJSON are those that only files of this kind take, and ownFlags those that
// files do without that export wrote.
var (
	flagsOfCSV = []string{"delimiter", "decimal", "header", "no-header", "skip-lines", "comment", "text", "number",
		"keep-blanks", "split"}
	flagsOfJSON = []string{"value", "jq"}
	ownFlags    = []string{"record", "time", "time-column", "time-format", "value", "jq", "split"}
)

// checkFinding refuses flags that a file of what was found has no use for.
func (f *ingestFlags) checkFinding(in *input) error {
	found := in.finding
	if found.Own && found.Kind != detect.NDJSON {
		if name := f.given(ownFlags); name != "" {
			return usagef("%s is in the form that export writes, which has its records and times: leave out --%s",
				in.name, name)
		}
	}
	if name := f.given(flagsOfCSV); name != "" && found.Kind != detect.CSV {
		return usagef("%s is %s: --%s is for CSV", in.name, found.Kind, name)
	}
	if name := f.given(flagsOfJSON); name != "" && (found.Kind == detect.CSV || found.Kind == detect.LineProtocol) {
		return usagef("%s is %s: --%s is for JSON", in.name, found.Kind, name)
	}
	if in.path == "" && f.record == "" && found.Reader.Record == detect.RecordOfFile(in.name) {
		return usagef("nothing on standard input names its record: --record does")
	}
	return nil
}

// given returns the first of the flags of these names that was given, or "".
func (f *ingestFlags) given(names []string) string {
	for _, name := range names {
		if f.changed != nil && f.changed(name) {
			return name
		}
	}
	return ""
}

// kinds are what the words of --format stand for. auto is none of them.
var kinds = map[string]detect.Kind{
	"csv": detect.CSV, "ndjson": detect.NDJSON, "json": detect.JSONDocument, "line-protocol": detect.LineProtocol,
}

// hints returns what the flags say about the file of a name.
func (f *ingestFlags) hints(name string) detect.Hints {
	return detect.Hints{
		Kind:         kinds[f.format.value],
		NoHeader:     f.noHeader,
		DecimalPoint: f.decimal.value == ".",
		SkipBad:      f.skipBad,
		Time: timeform.Options{
			Formats: f.timeFormats, Zone: f.timeZone.zone, Unit: text.TimeUnit(f.timeUnit.value), AnyTime: f.anyTime,
		},
		Reader: text.ReadOptions{
			Name: name, Record: f.record, Split: f.split, Value: f.value,
			Time: f.time, StampNow: f.stampNow, TimeUnit: text.TimeUnit(f.timeUnit.value), AnyTime: f.anyTime,
			CSV: text.CSVOptions{
				Delimiter: f.delimiter.value, Comment: f.comment.value, SkipLines: f.skipLines, Columns: f.columns,
				KeepBlanks: f.keepBlanks, DecimalComma: f.decimal.value == ",", Text: f.text, Number: f.number,
			},
		},
	}
}

// characterFlag is a flag that takes one character, also by its name.
type characterFlag struct{ value rune }

func (f *characterFlag) Type() string { return "CHARACTER" }

func (f *characterFlag) String() string {
	if f.value == 0 {
		return ""
	}
	return string(f.value)
}

func (f *characterFlag) Set(typed string) error {
	switch typed {
	case "tab", `\t`:
		typed = "\t"
	case "space":
		typed = " "
	}
	character, size := utf8.DecodeRuneInString(typed)
	if size == 0 || size != len(typed) || character == utf8.RuneError || character == '\n' || character == '\r' ||
		character == '"' || character == 0 {
		return errors.New("want one character, such as ; or tab")
	}
	f.value = character
	return nil
}

// encodingFlag is a flag that takes the name of an encoding.
type encodingFlag struct{ name string }

func (f *encodingFlag) String() string { return f.name }
func (f *encodingFlag) Type() string   { return "NAME" }
func (f *encodingFlag) Set(name string) error {
	f.name = name
	return decode.CheckEncoding(name)
}

// zoneFlag is a flag that takes a time zone: a name of the time zone database, or an offset from
// UTC.
type zoneFlag struct {
	typed string
	zone  *time.Location
}

func (f *zoneFlag) String() string { return f.typed }
func (f *zoneFlag) Type() string   { return "ZONE" }
func (f *zoneFlag) Set(typed string) (err error) {
	f.typed = typed
	for _, layout := range []string{"-07:00", "-0700", "-07"} {
		if at, err := time.Parse(layout, typed); err == nil {
			_, offset := at.Zone()
			f.zone = time.FixedZone("UTC"+typed, offset)
			return nil
		}
	}
	if typed == "" {
		return errNoZone
	}
	if f.zone, err = time.LoadLocation(typed); err != nil {
		return fmt.Errorf("%q is not a time zone: %w", typed, errNoZone)
	}
	return nil
}

var errNoZone = errors.New("want a name such as Europe/Vienna, UTC, Local, or an offset such as +01:00")
