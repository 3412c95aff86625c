// SPDX-License-Identifier: Apache-2.0

package daybook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
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

func TestHelpersWithoutABackend(t *testing.T) {
	if _, err := daybook.QueryLatest[reading](t.Context(), nil, "*", 1); !errors.Is(err, daybook.ErrNotConfigured) {
		t.Errorf("QueryLatest: got %v; want ErrNotConfigured", err)
	}
	closed := make(chan int)
	close(closed) // so that a Persist that goes on does not wait
	if err := daybook.Persist(t.Context(), nil, "r", closed); !errors.Is(err, daybook.ErrNotConfigured) {
		t.Errorf("Persist: got %v; want ErrNotConfigured", err)
	}
}

func TestPersistEndsWithTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &canned{}
		values := make(chan reading)
		go func() {
			defer close(values)
			for i := range 3 {
				values <- reading{float64(i)}
				time.Sleep(time.Second)
			}
		}()
		start := daybook.Now()
		if err := daybook.Persist(t.Context(), c, "r", values); err != nil {
			t.Fatal(err)
		}
		var want []daybook.StoredValue
		for i := range uint64(3) {
			value := json.RawMessage(fmt.Sprintf(`{"celsius":%d}`, i))
			want = append(want, daybook.StoredValue{RecordName: "r", Value: value, StoredAt: start + 1000*i})
		}
		if diff := cmp.Diff(want, c.values); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
	})
}

func TestPersistEndsWithAPermanentError(t *testing.T) {
	tests := []struct {
		name   string
		record string
		fail   error
		want   error
		reason string
	}{
		{"closed backend", "r", daybook.ErrClosed, daybook.ErrClosed, "no later value can be stored"},
		{"read-only backend", "r", daybook.ErrReadOnly, daybook.ErrReadOnly, "no later value can be stored"},
		{"bad name", "", nil, daybook.ErrInvalidName, "no value can be stored under this name"},
		{"full disk", "r", daybook.ErrNoSpace, nil, "there may be room for the next value"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			captureLog(t)
			values := make(chan int, 2)
			values <- 1
			values <- 2
			close(values)
			err := daybook.Persist(t.Context(), &canned{fail: test.fail}, test.record, values)
			if !errors.Is(err, test.want) {
				t.Errorf("Persist: got %v; want %v: %s", err, test.want, test.reason)
			}
		})
	}
}

func TestPersistSkipsValuesThatCannotBeEncoded(t *testing.T) {
	logged := captureLog(t)
	c := &canned{}
	values := make(chan any, 2)
	values <- func() {}
	values <- 7
	close(values)
	if err := daybook.Persist(t.Context(), c, "r", values); err != nil {
		t.Fatal(err)
	}
	if len(c.values) != 1 || string(c.values[0].Value) != "7" || !strings.Contains(logged.String(), "was not stored") {
		t.Errorf("stored %v, logged %q; want the 7, and one value logged as not stored", c.values, logged)
	}
}

func TestPersistEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := daybook.Persist(ctx, &canned{}, "r", make(chan int)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Persist: got %v; want context.DeadlineExceeded", err)
		}
	})
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
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.params.Validate(); !errors.Is(err, test.want) {
				t.Errorf("Validate: got %v; want %v", err, test.want)
			}
		})
	}
}
