// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

var recordCases = []testCase{
	{"count, bytes and times",
		"Records returns the number of values of each record, their bytes, and the smallest and greatest timestamp",
		recordInfos},
	{"by pattern", "Records yields the records that match the pattern, by name, bytewise ascending", recordsByPattern},
	{"a record without values does not exist", "a record without values does not exist", emptyRecord},
	{"after a partial cleanup", "the numbers of Records follow every deletion", recordsAfterCleanup},
	{"leaving early", "a loop may end early, and the backend still works", leaveRecordsEarly},
}

// records compares the result of Records.
func (s *subject) records(pattern string, syntax daybook.PatternSyntax, want ...daybook.RecordInfo) {
	s.Helper()
	got := []daybook.RecordInfo{}
	for info, err := range abilityOf[daybook.RecordLister](s).Records(s.Context(), pattern, syntax) {
		if err != nil {
			s.Fatalf("Records(%q, %s): %v\nwhy: %s", pattern, syntax, err, s.why)
		}
		if s.limits.EqualJSON {
			info.Bytes = 0
		}
		got = append(got, info)
	}
	expected := []daybook.RecordInfo{}
	for _, info := range want {
		if s.limits.EqualJSON {
			info.Bytes = 0
		}
		expected = append(expected, info)
	}
	if diff := cmp.Diff(expected, got); diff != "" {
		s.wrong("Records(%q, %s) (-want +got):\n%s", pattern, syntax, diff)
	}
}

func recordInfos(s *subject) {
	s.records("*", daybook.Glob)
	last := s.limits.maxTimestamp()
	s.store(row{"b", `"four"`, 7}, row{"a", " 1 ", 10}, row{"b", "null", last}, row{"a", "22", 5})
	s.store(row{"a", "333", 10}, row{"b", "1", 0}, row{"b", "22", 3}, row{"a", "1", 8})
	s.records("*", daybook.Glob,
		daybook.RecordInfo{RecordName: "a", Count: 4, Bytes: 9, Oldest: 5, Newest: 10},
		daybook.RecordInfo{RecordName: "b", Count: 4, Bytes: 13, Oldest: 0, Newest: last})
}

func recordsByPattern(s *subject) {
	names := []string{"a", "a.b", "a.b.c", "a_b", "B", "é"}
	s.storeNames(names...)
	tests := []struct {
		pattern string
		syntax  daybook.PatternSyntax
		want    []string
	}{
		{"*", daybook.Glob, []string{"B", "a", "a.b", "a.b.c", "a_b", "é"}},
		{"a.*", daybook.Glob, []string{"a.b", "a.b.c"}},
		{"a?b", daybook.Glob, []string{"a.b", "a_b"}},
		{"a", daybook.Glob, []string{"a"}},
		{"c*", daybook.Glob, nil},
		{"a.*", daybook.Topic, []string{"a.b"}},
		{"a.#", daybook.Topic, []string{"a", "a.b", "a.b.c"}},
		{"*", daybook.Topic, []string{"B", "a", "a_b", "é"}},
	}
	for _, test := range tests {
		var want []daybook.RecordInfo
		for _, name := range test.want {
			want = append(want, daybook.RecordInfo{RecordName: name, Count: 1, Bytes: 1, Oldest: 1, Newest: 1})
		}
		s.records(test.pattern, test.syntax, want...)
	}
}

func emptyRecord(s *subject) {
	s.store(row{"deleted", "1", 10}, row{"kept", "2", 20})
	s.cleanup(20, 1)
	s.records("*", daybook.Glob, daybook.RecordInfo{RecordName: "kept", Count: 1, Bytes: 1, Oldest: 20, Newest: 20})
	s.records("deleted", daybook.Glob)
	s.store(row{"deleted", "33", 5})
	again := daybook.RecordInfo{RecordName: "deleted", Count: 1, Bytes: 2, Oldest: 5, Newest: 5}
	s.records("deleted", daybook.Glob, again)
}

func recordsAfterCleanup(s *subject) {
	for i := range uint64(20) {
		s.store(row{"r", fmt.Sprintf("%02d", 10+i), i})
	}
	s.cleanup(7, 7)
	s.records("*", daybook.Glob, daybook.RecordInfo{RecordName: "r", Count: 13, Bytes: 26, Oldest: 7, Newest: 19})
	if _, ok := daybook.As[daybook.Pruner](s.backend); ok {
		s.prune("r", daybook.PruneParams{MaxPerRecord: 4}, 9)
		s.records("*", daybook.Glob, daybook.RecordInfo{RecordName: "r", Count: 4, Bytes: 8, Oldest: 16, Newest: 19})
	}
}

func leaveRecordsEarly(s *subject) {
	s.storeNames("a", "b", "c")
	seen := 0
	for info, err := range abilityOf[daybook.RecordLister](s).Records(s.Context(), "*", daybook.Glob) {
		if seen++; err != nil || info.RecordName != "a" {
			s.wrong("Records yields %+v, %v first; want record a", info, err)
		}
		break
	}
	if seen != 1 {
		s.wrong("Records yielded %d times to a loop that leaves at once; want once", seen)
	}
	s.store(row{"d", "1", 1})
	s.wantNames("*", daybook.Glob, "a", "b", "c", "d")
}
