// SPDX-License-Identifier: Apache-2.0

package daybook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// canned is a backend whose queries return the same values, and which records its calls.
type canned struct {
	values  []daybook.StoredValue
	pattern string
	params  daybook.QueryParams
	fail    error
}

func (c *canned) Store(_ context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	if c.fail != nil {
		return c.fail
	}
	c.values = append(c.values, daybook.StoredValue{RecordName: recordName, Value: value, StoredAt: timestamp})
	return nil
}

func (c *canned) Query(_ context.Context, pattern string, params daybook.QueryParams) ([]daybook.StoredValue, error) {
	c.pattern, c.params = pattern, params
	return c.values, c.fail
}

func (c *canned) Initialize(context.Context) error                { return nil }
func (c *canned) Cleanup(context.Context, uint64) (uint64, error) { return 0, nil }

type reading struct {
	Celsius float64 `json:"celsius"`
}

// captureLog lets slog's default logger write to the returned buffer during the test.
func captureLog(t *testing.T) *bytes.Buffer {
	var logged bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &logged
}

func TestQueryLatestDecodesAndSkips(t *testing.T) {
	logged := captureLog(t)
	c := &canned{values: []daybook.StoredValue{
		{RecordName: "a", Value: json.RawMessage(`{"celsius":1.5}`), StoredAt: 3},
		{RecordName: "a", Value: json.RawMessage(`{"celsius":"warm"}`), StoredAt: 2},
		{RecordName: "b", Value: json.RawMessage(`{"celsius":2.5}`), StoredAt: 1},
	}}
	got, err := daybook.QueryLatest[reading](t.Context(), c, "*", 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []daybook.Typed[reading]{
		{RecordName: "a", Value: reading{1.5}, StoredAt: 3},
		{RecordName: "b", Value: reading{2.5}, StoredAt: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("QueryLatest (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(daybook.Latest(2), c.params); diff != "" {
		t.Errorf("params (-want +got):\n%s", diff)
	}
	line := logged.String()
	if strings.Count(line, "\n") != 1 || !strings.Contains(line, "record=a stored_at=2") {
		t.Errorf("logged %q; want one line that names the skipped value", line)
	}
}

func TestQueryAsReturnsTheError(t *testing.T) {
	got, err := daybook.QueryLatest[reading](t.Context(), &canned{fail: daybook.ErrClosed}, "*", 1)
	if got != nil || !errors.Is(err, daybook.ErrClosed) {
		t.Errorf("QueryLatest: got %v, %v; want ErrClosed", got, err)
	}
}

func TestQueryRange(t *testing.T) {
	c := &canned{}
	if _, err := daybook.QueryRange[reading](t.Context(), c, "p*", 5, 9); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(daybook.Between(5, 9), c.params); diff != "" || c.pattern != "p*" {
		t.Errorf("pattern %q, params (-want +got):\n%s", c.pattern, diff)
	}
}

func TestQueryLatestOfNone(t *testing.T) {
	for _, n := range []int{0, -1} {
		_, err := daybook.QueryLatest[reading](t.Context(), &canned{}, "*", n)
		if !errors.Is(err, daybook.ErrInvalidParams) {
			t.Errorf("the newest %d: got %v; want ErrInvalidParams", n, err)
		}
	}
}

func TestHelpersWithoutABackend(t *testing.T) {
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"QueryLatest": func() error { _, err := daybook.QueryLatest[reading](ctx, nil, "*", 1); return err },
		"ScanAs": func() (err error) {
			for _, err = range daybook.ScanAs[reading](ctx, nil, "*", daybook.QueryParams{}) {
			}
			return err
		},
		"WatchAs": func() error {
			_, err := daybook.WatchAs[reading](ctx, nil, "*", daybook.WatchParams{})
			return err
		},
		"StoreAs": func() error { return daybook.StoreAs(ctx, nil, "r", reading{}, 1) },
		"Persist": func() error {
			closed := make(chan int)
			close(closed) // so that a Persist that goes on does not wait
			return daybook.Persist(ctx, nil, "r", closed, nil)
		},
	} {
		if err := call(); !errors.Is(err, daybook.ErrNotConfigured) {
			t.Errorf("%s: got %v; want ErrNotConfigured", name, err)
		}
	}
}

// TestScanAs scans a Scanner, a wrapped one, and a backend that is none.
func TestScanAs(t *testing.T) {
	captureLog(t)
	memory := backendtest.NewMemory()
	for i, value := range []string{`{"celsius":1.5}`, `{"celsius":"warm"}`, `{"celsius":2.5}`, `{"celsius":3.5}`} {
		if err := memory.Store(t.Context(), "r", json.RawMessage(value), uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
	for name, backend := range map[string]daybook.Backend{
		"scanner": memory, "wrapped": wrapper{memory}, "no scanner": opaque{memory},
	} {
		var got []float64
		for v, err := range daybook.ScanAs[reading](t.Context(), backend, "*", daybook.Latest(3).OldestFirst()) {
			if err != nil || v.RecordName != "r" {
				t.Fatal(v, err)
			}
			if got = append(got, v.Value.Celsius); v.StoredAt == 2 {
				break
			}
		}
		if diff := cmp.Diff([]float64{1.5, 2.5}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		count := 0
		for _, err := range daybook.ScanAs[reading](t.Context(), backend, "*", daybook.Latest(-1)) {
			if count++; !errors.Is(err, daybook.ErrInvalidParams) {
				t.Errorf("%s: got %v; want ErrInvalidParams", name, err)
			}
		}
		if count != 1 {
			t.Errorf("%s: %d elements; want the error, once", name, count)
		}
	}
}

// TestWatchAs watches values of which some do not decode. What is missed before one of these counts
// for the next.
func TestWatchAs(t *testing.T) {
	captureLog(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		memory := backendtest.NewMemory()
		events, err := daybook.WatchAs[reading](ctx, wrapper{memory}, "r", daybook.WatchParams{Buffer: 2})
		if err != nil {
			t.Fatal(err)
		}
		store := func(value string, timestamp uint64) {
			if err := memory.Store(ctx, "r", json.RawMessage(value), timestamp); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		store(`{"celsius":1}`, 1) // waits in WatchAs
		store(`{"celsius":2}`, 2) // waits in Watch
		for i := range uint64(5) {
			store(`"no reading"`, 3+i) // of these, the last two stay
		}
		store(`{"celsius":3}`, 8)
		first, second := <-events, <-events
		if first.Value.Celsius != 1 || first.Missed != 0 || first.Cursor.Sequence != 1 || first.StoredAt != 1 {
			t.Errorf("got %+v; want the first reading", first)
		}
		total := second.Missed
		for second.Value.Celsius != 3 {
			second = <-events
			total += second.Missed
		}
		if second.Cursor.Sequence != 8 || total == 0 {
			t.Errorf("got %+v, %d missed; want the third reading, after some that were missed", second, total)
		}
		cancel()
		if event, open := <-events; open {
			t.Errorf("got %+v after the end; want a closed channel", event)
		}
	})
}

func TestWatchAsOfNoWatcher(t *testing.T) {
	_, err := daybook.WatchAs[reading](t.Context(), &canned{}, "*", daybook.WatchParams{})
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v; want errors.ErrUnsupported", err)
	}
}

// TestTypedJSON wants a decoded value to have the JSON of the stored one.
func TestTypedJSON(t *testing.T) {
	stored := daybook.StoredValue{RecordName: "r", Value: json.RawMessage(`{"celsius":1.5}`), StoredAt: 7}
	typed := daybook.Typed[reading]{RecordName: "r", Value: reading{1.5}, StoredAt: 7}
	cursor := daybook.Cursor{Epoch: [16]byte{1}, Sequence: 3}
	for _, test := range []struct {
		name       string
		typed, raw any
	}{
		{"a value", typed, stored},
		{"an event", daybook.TypedEvent[reading]{Typed: typed, Cursor: cursor},
			daybook.Event{Change: daybook.Change{StoredValue: stored, Cursor: cursor}}},
		{"an event after missed ones", daybook.TypedEvent[reading]{Typed: typed, Cursor: cursor, Missed: 2},
			daybook.Event{Change: daybook.Change{StoredValue: stored, Cursor: cursor}, Missed: 2}},
	} {
		got, err := json.Marshal(test.typed)
		want, wantErr := json.Marshal(test.raw)
		if string(got) != string(want) || err != nil || wantErr != nil {
			t.Errorf("%s: got %s, %v; want %s, %v", test.name, got, err, want, wantErr)
		}
	}
}

func TestStoreAs(t *testing.T) {
	c := &canned{}
	if err := daybook.StoreAs(t.Context(), c, "r", reading{1.5}, 7); err != nil {
		t.Fatal(err)
	}
	value, err := daybook.NewValue("r", reading{1.5}, 7)
	if diff := cmp.Diff([]daybook.StoredValue{value}, c.values); diff != "" || err != nil {
		t.Errorf("%v (-NewValue +StoreAs):\n%s", err, diff)
	}
	if string(value.Value) != `{"celsius":1.5}` || value.RecordName != "r" || value.StoredAt != 7 {
		t.Errorf("NewValue: got %+v", value)
	}
	if err := daybook.StoreAs(t.Context(), c, "r", func() {}, 7); err == nil || !strings.Contains(err.Error(), `"r"`) {
		t.Errorf("a function: got %v; want an error that names the record", err)
	}
}

func TestQueryParamsValidate(t *testing.T) {
	tests := []struct {
		name   string
		params daybook.QueryParams
		want   error
	}{
		{"zero value", daybook.QueryParams{}, nil},
		{"start after end", daybook.Between(2, 1), nil}, // the result is empty
		{"negative limit", daybook.Latest(-1), daybook.ErrInvalidParams},
		{"unknown order", daybook.QueryParams{Order: -1}, daybook.ErrInvalidParams},
		{"unknown syntax", daybook.QueryParams{Syntax: 2}, daybook.ErrInvalidParams},
		{"after the zero place", daybook.QueryParams{After: &daybook.Place{}}, nil},
		{"after a place without a record", daybook.QueryParams{After: &daybook.Place{StoredAt: 1}},
			daybook.ErrInvalidParams},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.params.Validate(); !errors.Is(err, test.want) {
				t.Errorf("Validate: got %v; want %v", err, test.want)
			}
		})
	}
}
