// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

func TestRecords(t *testing.T) {
	dir := filledDir(t, someValues()...)
	want := `RECORD  VALUES  BYTES  OLDEST                         NEWEST
a.one        2   15 B  1970-01-01T01:00:01.000+01:00  1970-01-01T01:00:02.000+01:00
a.two        1   16 B  1970-01-01T01:00:01.500+01:00  1970-01-01T01:00:01.500+01:00
b            1    4 B  1970-01-01T01:00:00.000+01:00  1970-01-01T01:00:00.000+01:00
`
	if diff := cmp.Diff(want, mustRun(t, "", "records", "--dir", dir)); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	want = `{"record_name":"a.one","count":2,"bytes":15,"oldest":1000,"newest":2000}
{"record_name":"a.two","count":1,"bytes":16,"oldest":1500,"newest":1500}
`
	if diff := cmp.Diff(want, mustRun(t, "", "records", "a.*", "--topic", "--json", "--dir", dir)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	got := run(t, "", "records", "c*", "--dir", dir)
	if got != (result{"", "no records that match the glob \"c*\"\n", 0}) {
		t.Errorf("without a match: %+v", got)
	}
}

// recordsBefore yields two records and then an error.
func recordsBefore(err error) iter.Seq2[daybook.RecordInfo, error] {
	return func(yield func(daybook.RecordInfo, error) bool) {
		_ = yield(daybook.RecordInfo{RecordName: "first"}, nil) &&
			yield(daybook.RecordInfo{RecordName: "second"}, nil) && yield(daybook.RecordInfo{}, err)
	}
}

func TestRecordsBeforeAnErrorArePrinted(t *testing.T) {
	tests := []struct {
		name      string
		newWriter func(io.Writer) recordWriter
	}{
		{"in a table, which prints a block of rows at a time", newRecordTable},
		{"in lines", newRecordLines},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			found, err := writeRecords(test.newWriter(&out), recordsBefore(daybook.ErrCorrupt))
			if found != 2 || !errors.Is(err, daybook.ErrCorrupt) {
				t.Errorf("%d records, %v; want 2 and ErrCorrupt", found, err)
			}
			wantParts(t, out.String(), "first", "second")
		})
	}
}
