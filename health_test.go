// SPDX-License-Identifier: Apache-2.0

package daybook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

var aFailure = &daybook.Failure{Count: 2, FailedAt: 1_700_000_000_123, Message: "the disk is full"}

// fullStats has no field that is zero, or a reader of the tests would not see what is lost.
var fullStats = daybook.Stats{
	Values: 1, ValueBytes: 2, Records: 3, RecordsEstimated: true, DiskBytes: 4, LastSequence: 5,
	LastCursor: daybook.Cursor{Epoch: [16]byte{1, 15: 2}, Sequence: 5},
	StoreFailures: daybook.StoreFailures{
		NoSpace: 1, Failed: 2, Corrupt: 3, Other: 4, Invalid: 5, Canceled: 6, Last: aFailure, Failing: true,
	},
	ValuesDeleted: 6, ValuesDropped: 7, Failed: "a sync failed",
	CheckpointFailure: aFailure, CompactionFailure: aFailure,
	Holds: []daybook.HoldStats{{
		Name: "cloud", At: daybook.Cursor{Epoch: [16]byte{1}, Sequence: 2}, Pending: 3, Lost: 4, Damaged: true,
	}},
	Quarantined: []daybook.QuarantinedFile{{
		Name: "daybook.corrupt-1.db", Path: "/data/daybook.corrupt-1.db", Bytes: 7, QuarantinedAt: 8, Reason: "a bit",
	}},
	Store: [16]byte{0xab}, Epoch: [16]byte{15: 0xcd},
	TreeBytes: 8, TreeUsedBytes: 9, LogBytes: 10, HeadBytes: 11, Watermark: 12, OpenScans: 13,
	Commits: 14, CommitValues: 15,
	Syncs:       daybook.Durations{Count: 16, Total: 1_500_000_017 * time.Nanosecond, Max: time.Millisecond},
	Checkpoints: daybook.Durations{Count: 17, Total: time.Hour, Max: time.Minute},
}

// TestStatsAsJSON wants the JSON that a health endpoint serves: plain names, units in the names,
// identities and errors as text. It must read back as what it was.
func TestStatsAsJSON(t *testing.T) {
	fields := reflect.ValueOf(fullStats)
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			t.Errorf("the test gives Stats.%s no value", fields.Type().Field(i).Name)
		}
	}
	text, err := json.Marshal(fullStats)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`"values":1,`, `"value_bytes":2,`, `"tree_used_bytes":9,`, `"store":"ab000000000000000000000000000000"`,
		`"last_cursor":"01000000000000000000000000000002:5"`,
		`"syncs":{"count":16,"total_seconds":1.500000017,"max_seconds":0.001}`,
		`"checkpoint_failure":{"count":2,"failed_at":1700000000123,"message":"the disk is full"}`,
		`"holds":[{"name":"cloud",`, `"no_space":1,`,
	} {
		if !strings.Contains(string(text), part) {
			t.Errorf("the JSON has no %s", part)
		}
	}
	for _, name := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(string(text), -1) {
		if strings.ToLower(name[1]) != name[1] {
			t.Errorf("the name %q is not in snake_case", name[1])
		}
	}
	var got daybook.Stats
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fullStats, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s\nfrom %s", diff, text)
	}
	if text, err := json.Marshal(&daybook.Stats{}); err != nil || strings.Contains(string(text), "null") ||
		!strings.Contains(string(text), `"values":0`) || strings.Contains(string(text), "failure\":") {
		t.Errorf("JSON of the zero Stats: %s, %v", text, err)
	}
	if err := json.Unmarshal([]byte(`{"store":"xy"}`), &got); !errors.Is(err, daybook.ErrInvalidParams) {
		t.Errorf("a store that is no identity: %v", err)
	}
}

// TestJSONOfDurations wants durations back as they were, and an error for those that no
// time.Duration can be.
func TestJSONOfDurations(t *testing.T) {
	for _, age := range []time.Duration{0, 1, time.Hour, 2400 * time.Hour, -time.Minute, math.MaxInt64, math.MinInt64} {
		text, err := json.Marshal(daybook.Hold{Name: "cloud", MaxAge: age})
		if err != nil {
			t.Fatal(err)
		}
		var got daybook.Hold
		if err := json.Unmarshal(text, &got); err != nil || got.MaxAge != age {
			t.Errorf("read back: got %d, %v; want %d, from %s", got.MaxAge, err, age, text)
		}
	}
	for _, seconds := range []string{"1e300", "-1e300", "9300000000"} {
		for text, to := range map[string]any{
			`{"max_age_seconds":` + seconds + `}`: &daybook.Hold{},
			`{"total_seconds":` + seconds + `}`:   &daybook.Durations{},
			`{"max_seconds":` + seconds + `}`:     &daybook.Durations{},
		} {
			if err := json.Unmarshal([]byte(text), to); !errors.Is(err, daybook.ErrInvalidParams) {
				t.Errorf("%s: got %v; want ErrInvalidParams", text, err)
			}
		}
	}
}

// TestJSONThatDoesNotDecode wants a value that is as it was after null and after each error.
func TestJSONThatDoesNotDecode(t *testing.T) {
	hold := daybook.Hold{Name: "cloud", Pattern: daybook.Pattern{Text: "a"}, MaxBytes: 3, MaxAge: time.Hour}
	info := daybook.HoldInfo{Hold: hold, Values: 4, Lost: 5}
	durations, stats := daybook.Durations{Count: 1, Total: 2, Max: 3}, fullStats.Clone()
	position := daybook.Position{Through: 1, Digest: [32]byte{2}}
	batch := daybook.Batch{Stream: "s", From: 1, Through: 2}
	for _, test := range []struct{ value, want any }{
		{&hold, hold}, {&info, info}, {&durations, durations}, {&stats, fullStats.Clone()},
		{&position, position}, {&batch, batch},
	} {
		for _, text := range []string{
			"null", "7", `{"name":"x","through":9,"count":9,"values":"many"}`,
			`{"max_age_seconds":1e300,"digest":"xy"}`,
			`{"name":"x","at":"nowhere","count":"x","digest":"ab","store_failures":{"last":{"count":"x"}}}`,
			`{"values":99,"holds":[{"name":"x","lost":-1}]}`,
		} {
			err := json.Unmarshal([]byte(text), test.value)
			if diff := cmp.Diff(test.want, reflect.ValueOf(test.value).Elem().Interface()); diff != "" {
				if err != nil || text == "null" {
					t.Errorf("%T after %s and %v (-want +got):\n%s", test.want, text, err, diff)
				}
				reflect.ValueOf(test.value).Elem().Set(reflect.ValueOf(test.want)) // fields that it does not know
			}
			if text == "null" && err != nil {
				t.Errorf("%T from null: %v", test.want, err)
			}
		}
	}
}

// TestLogLines wants the keys of the JSON, and no Go structs.
func TestLogLines(t *testing.T) {
	at := daybook.Cursor{Epoch: [16]byte{1}, Sequence: 2}
	hold := daybook.Hold{Name: "cloud", Pattern: daybook.Pattern{Text: "a.#", Syntax: daybook.Topic}, At: at,
		MaxBytes: 3, MaxAge: time.Minute}
	for _, value := range []any{
		hold, daybook.HoldInfo{Hold: hold, Lost: 1, Damaged: true}, fullStats.Holds[0], fullStats.Syncs,
		fullStats.StoreFailures, daybook.Position{Through: 7}, daybook.Batch{Through: 7},
	} {
		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("", "v", value)
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		keys := regexp.MustCompile(`v\.(\w+)[=.]`).FindAllStringSubmatch(logged.String(), -1)
		if len(keys) == 0 {
			t.Errorf("%T is no group: %s", value, &logged)
		}
		for _, key := range keys {
			if !strings.Contains(string(text), `"`+key[1]+`":`) {
				t.Errorf("%T has the key %q in a log line, and not in its JSON %s", value, key[1], text)
			}
		}
		if _, isInfo := value.(daybook.HoldInfo); isInfo && !strings.Contains(logged.String(), "v.damaged=true") {
			t.Errorf("a HoldInfo does not say that it is damaged: %s", &logged)
		}
	}
}

// TestStatsClone wants a copy of each field that refers to something, also of one that is added
// later.
func TestStatsClone(t *testing.T) {
	clone := fullStats.Clone()
	if diff := cmp.Diff(fullStats, clone); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantNothingShared(t, "Stats", reflect.ValueOf(fullStats), reflect.ValueOf(clone))
	if diff := cmp.Diff(daybook.Stats{}, daybook.Stats{}.Clone()); diff != "" {
		t.Errorf("of the zero Stats (-want +got):\n%s", diff)
	}
}

func wantNothingShared(t *testing.T, name string, a, b reflect.Value) {
	t.Helper()
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			wantNothingShared(t, name+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
		}
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared with the copy", name)
		}
	}
}

func TestHoldsAsJSON(t *testing.T) {
	info := daybook.HoldInfo{
		Hold: daybook.Hold{Name: "cloud", Pattern: daybook.Pattern{Text: "a.#", Syntax: daybook.Topic},
			At: daybook.Cursor{Epoch: [16]byte{1}, Sequence: 2}, MaxBytes: 3, MaxAge: 36 * time.Hour},
		Values: 4, Bytes: 5, Lost: 6, Damaged: true,
	}
	text, err := json.Marshal(info)
	if err != nil || !strings.Contains(string(text), `"pattern":"a.#","syntax":"topic",`) ||
		!strings.Contains(string(text), `"max_age_seconds":129600,"values":4,`) {
		t.Errorf("JSON of a HoldInfo: %s, %v", text, err)
	}
	var got daybook.HoldInfo
	if err := json.Unmarshal(text, &got); err != nil || got != info {
		t.Errorf("read back: got %+v, %v; want %+v", got, err, info)
	}
	text, err = json.Marshal(info.Hold)
	var hold daybook.Hold
	if err != nil || json.Unmarshal(text, &hold) != nil || hold != info.Hold {
		t.Errorf("read back from %s: got %+v, %v; want %+v", text, hold, err, info.Hold)
	}
	if err := json.Unmarshal([]byte(`{"syntax":"regexp"}`), &hold); !errors.Is(err, daybook.ErrInvalidParams) {
		t.Errorf("an unknown syntax: %v", err)
	}
}

// TestPatternAsJSON wants the syntax of a pattern as text, and no other text than those of the two.
func TestPatternAsJSON(t *testing.T) {
	want := daybook.Pattern{Text: "a.#", Syntax: daybook.Topic}
	text, err := json.Marshal(want)
	if err != nil || string(text) != `{"text":"a.#","syntax":"topic"}` {
		t.Errorf("got %s, %v", text, err)
	}
	var got daybook.Pattern
	if err := json.Unmarshal(text, &got); err != nil || got != want {
		t.Errorf("read back: got %+v, %v; want %+v", got, err, want)
	}
	if err := json.Unmarshal([]byte(`{"text":"a","syntax":""}`), &got); err != nil || got.Syntax != daybook.Glob {
		t.Errorf("without a syntax: got %+v, %v; want Glob", got, err)
	}
	for _, syntax := range []string{`"regexp"`, `"Glob"`} {
		if err := json.Unmarshal([]byte(`{"syntax":`+syntax+`}`), &got); !errors.Is(err, daybook.ErrInvalidParams) {
			t.Errorf("syntax %s: got %v; want ErrInvalidParams", syntax, err)
		}
	}
	if _, err := json.Marshal(daybook.Pattern{Syntax: 7}); !errors.Is(err, daybook.ErrInvalidParams) {
		t.Errorf("an impossible syntax: got %v; want ErrInvalidParams", err)
	}
}

// TestStatsInALogLine wants a short line of a store that is well, and the errors of one that is
// not.
func TestStatsInALogLine(t *testing.T) {
	line := func(s daybook.Stats) string {
		var out bytes.Buffer
		noTime := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey {
				return slog.Attr{}
			}
			return a
		}
		slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: noTime})).Info("", "stats", s)
		return strings.TrimSpace(out.String())
	}
	well := daybook.Stats{Values: 3, Records: 2, DiskBytes: 1, LastSequence: 4}
	want := "stats.values=3 stats.records=2 stats.disk_bytes=1 stats.last_sequence=4"
	if got := line(well); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got := line(fullStats)
	for _, part := range []string{
		"stats.stores_failing=true", "stats.store_failure.count=2",
		"stats.checkpoint_failure.at=2023-11-14T22:13:20.123Z",
		`stats.compaction_failure.error="the disk is full"`, "stats.values_dropped=7", "stats.quarantined=1",
		`stats.failed="a sync failed"`,
	} {
		if !strings.Contains(got, part) {
			t.Errorf("the line has no %s: %s", part, got)
		}
	}
}

// TestStoreFailures says which errors of a store mean that the backend is not well.
func TestStoreFailures(t *testing.T) {
	tests := []struct {
		name  string
		err   error
		want  daybook.StoreFailures
		isIll bool
		why   string // the row is here
	}{
		{"nil", nil, daybook.StoreFailures{}, false, "it is no failure"},
		{"full", fmt.Errorf("a: %w", daybook.ErrNoSpace), daybook.StoreFailures{NoSpace: 1}, true,
			"errors are wrapped"},
		{"failed", daybook.ErrFailed, daybook.StoreFailures{Failed: 1}, true, "nothing can be stored any more"},
		{"corrupt", daybook.ErrCorrupt, daybook.StoreFailures{Corrupt: 1}, true, "the heads cannot be posted"},
		{"other", errors.New("EIO"), daybook.StoreFailures{Other: 1}, true,
			"an error without a sentinel is the disk's"},
		{"full and late", errors.Join(context.Canceled, daybook.ErrNoSpace), daybook.StoreFailures{NoSpace: 1}, true,
			"the full disk is the cause"},
		{"name", daybook.ErrInvalidName, daybook.StoreFailures{Invalid: 1}, false, "the caller's fault"},
		{"value", daybook.ErrInvalidValue, daybook.StoreFailures{Invalid: 1}, false, "the caller's fault"},
		{"large", daybook.ErrValueTooLarge, daybook.StoreFailures{Invalid: 1}, false, "the caller's fault"},
		{"timestamp", daybook.ErrTimestampRange, daybook.StoreFailures{Invalid: 1}, false, "the caller's clock"},
		{"canceled", context.Canceled, daybook.StoreFailures{Canceled: 1}, false, "the caller did not wait"},
		{"late", context.DeadlineExceeded, daybook.StoreFailures{Canceled: 1}, false, "the caller did not wait"},
		{"closed", daybook.ErrClosed, daybook.StoreFailures{}, false, "the program ends"},
		{"read-only", daybook.ErrReadOnly, daybook.StoreFailures{}, false, "it was opened so"},
		{"out of step", &daybook.OutOfStepError{}, daybook.StoreFailures{}, false, "an answer, not a failure"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.isIll {
				test.want.Last = &daybook.Failure{Count: 1, FailedAt: 7, Message: test.err.Error()}
			}
			var got daybook.StoreFailures
			if got.Add(test.err, 7); !cmp.Equal(got, test.want) {
				t.Errorf("got %+v; want %+v, because %s", got, test.want, test.why)
			}
		})
	}
	var all daybook.StoreFailures
	for i, test := range tests {
		all.Add(test.err, uint64(i))
	}
	if all.Last == nil || all.Last.Count != 5 || all.Last.FailedAt != 5 {
		t.Errorf("the last failure: got %+v; want the fifth one", all.Last)
	}
}
