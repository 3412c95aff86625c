// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
)

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) daybook.Backend { return NewMemory() }, Capabilities{})
}

// minimal is a backend without any optional interface.
type minimal struct{ memory *Memory }

func (m minimal) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	return m.memory.Store(ctx, recordName, value, timestamp)
}

func (m minimal) Query(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) ([]daybook.StoredValue, error) {
	return m.memory.Query(ctx, recordPattern, params)
}

func (m minimal) Initialize(ctx context.Context) error { return m.memory.Initialize(ctx) }

func (m minimal) Cleanup(ctx context.Context, olderThan uint64) (uint64, error) {
	return m.memory.Cleanup(ctx, olderThan)
}

// TestMemoryNamesTheElement wants the words of the embedded engine for a bad value of a batch: a
// program that is tested with a Memory logs what it will log later.
func TestMemoryNamesTheElement(t *testing.T) {
	m := NewMemory()
	values := []daybook.StoredValue{
		{RecordName: "good", Value: json.RawMessage(`1`)}, {RecordName: "bad", Value: json.RawMessage(`{`)},
	}
	err := m.StoreBatch(t.Context(), values)
	if want := `values[1] of 2 in the batch: record "bad": `; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("StoreBatch: got %v; want %q in front", err, want)
	}
	batch := daybook.Batch{Store: [16]byte{1}, Epoch: [16]byte{2}, Through: 2, Values: values}
	batch.Digest = daybook.DigestOf(&batch)
	_, err = m.StoreBatchFrom(t.Context(), batch)
	if want := `values[1] of 2 in the batch: record "bad": `; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("StoreBatchFrom: got %v; want %q in front", err, want)
	}
}

func TestMinimalBackend(t *testing.T) {
	Run(t, func(*testing.T) daybook.Backend { return minimal{NewMemory()} }, Capabilities{})
}

// wrapper has the abilities of another backend through Unwrap alone.
type wrapper struct{ minimal }

func (w wrapper) Unwrap() daybook.Backend { return w.memory }

func TestWrappedBackend(t *testing.T) {
	open := func(*testing.T) daybook.Backend { return wrapper{minimal{NewMemory()}} }
	for _, theme := range themes {
		if missing(t, theme, open(t), Capabilities{}) {
			t.Errorf("%s would be left out; want it to find the ability through Unwrap", theme.name)
		}
	}
	Run(t, open, Capabilities{})
}

// sqlLike behaves like a backend over a SQL database whose integers are signed and which has a JSON
// type.
type sqlLike struct{ *Memory }

func (s sqlLike) check(values ...daybook.StoredValue) error {
	for i, v := range values {
		if v.StoredAt > math.MaxInt64 {
			return fmt.Errorf("%w: element %d: got %d; want at most %d",
				daybook.ErrTimestampRange, i, v.StoredAt, int64(math.MaxInt64))
		}
	}
	return nil
}

func (s sqlLike) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	v := daybook.StoredValue{RecordName: recordName, Value: value, StoredAt: timestamp}
	if err := s.check(v); err != nil {
		return err
	}
	if daybook.ValidateValue(value) == nil {
		value = json.RawMessage(canonical(string(value)))
	}
	return s.Memory.Store(ctx, recordName, value, timestamp)
}

func (s sqlLike) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	if err := s.check(values...); err != nil {
		return err
	}
	return s.Memory.StoreBatch(ctx, values)
}

func TestBackendWithFewerCapabilities(t *testing.T) {
	Run(t, func(*testing.T) daybook.Backend { return sqlLike{NewMemory()} },
		Capabilities{MaxTimestamp: math.MaxInt64, EqualJSON: true, ScanBlocksWrites: true, SkipClose: true})
}

func TestCompile(t *testing.T) {
	tests := []struct {
		pattern string
		syntax  daybook.PatternSyntax
		name    string
		want    bool
		reason  string // why the row is here
	}{
		{"a*b*c", daybook.Glob, "abcbc", true, "the first * must not take too much"},
		{"a*b*c", daybook.Glob, "acb", false, "the letters come in another order"},
		{`*\*`, daybook.Glob, "a*", true, "an escape after a wildcard"},
		{"?", daybook.Glob, "é", true, "? is a character, not a byte"},
		{"#.a.#.b.#", daybook.Topic, "b.a.b", true, "the first # must not take too much"},
		{"a.#", daybook.Topic, "a", true, "# may be nothing"},
		{"a.*", daybook.Topic, "a.", true, "an empty level is a level"},
		{"a*", daybook.Topic, "ab", false, "no wildcard within a level"},
		{strings.Repeat("*a", 1000) + "b", daybook.Glob, strings.Repeat("a", 1024), false,
			"without its memory, match would take exponential time"},
	}
	for _, test := range tests {
		t.Run(shorten(test.pattern)+" on "+shorten(test.name), func(t *testing.T) {
			matches, err := compile(test.pattern, test.syntax)
			if err != nil {
				t.Fatal(err)
			}
			if got := matches(test.name); got != test.want {
				t.Errorf("got %v; want %v: %s", got, test.want, test.reason)
			}
		})
	}
}

// NewMemory returns a complete backend, which programs can use in their tests.
func ExampleNewMemory() {
	ctx := context.Background()
	backend := NewMemory()
	for at, value := range []string{`{"celsius":21.5}`, `{"celsius":21.7}`} {
		if err := backend.Store(ctx, "sensor.kitchen", json.RawMessage(value), uint64(at)); err != nil {
			fmt.Println(err)
		}
	}
	latest, err := backend.Query(ctx, "sensor.*", daybook.Latest(1))
	if err != nil {
		fmt.Println(err)
	}
	for _, v := range latest {
		fmt.Println(v.RecordName, v.StoredAt, string(v.Value))
	}
	// Output: sensor.kitchen 1 {"celsius":21.7}
}
