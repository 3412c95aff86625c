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

// plain is a backend without any optional ability.
type plain struct{ memory *Memory }

func (p plain) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	return p.memory.Store(ctx, recordName, value, timestamp)
}

func (p plain) Query(ctx context.Context, recordPattern string, params daybook.QueryParams) ([]daybook.StoredValue, error) {
	return p.memory.Query(ctx, recordPattern, params)
}

func (p plain) Initialize(ctx context.Context) error { return p.memory.Initialize(ctx) }

func (p plain) Cleanup(ctx context.Context, olderThan uint64) (uint64, error) {
	return p.memory.Cleanup(ctx, olderThan)
}

func TestBackendWithoutAbilities(t *testing.T) {
	Run(t, func(*testing.T) daybook.Backend { return plain{NewMemory()} }, Capabilities{})
}

// database behaves as a backend over a SQL database with signed integers and a JSON type of its own might.
type database struct{ *Memory }

func (d database) check(values ...daybook.StoredValue) error {
	for i, v := range values {
		if v.StoredAt > math.MaxInt64 {
			return fmt.Errorf("%w: element %d is at %d; at most %d", daybook.ErrTimestampRange, i, v.StoredAt, int64(math.MaxInt64))
		}
	}
	return nil
}

func (d database) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	v := daybook.StoredValue{RecordName: recordName, Value: value, StoredAt: timestamp}
	if err := d.check(v); err != nil {
		return err
	}
	if daybook.ValidateValue(value) == nil {
		value = json.RawMessage(canonical(string(value)))
	}
	return d.Memory.Store(ctx, recordName, value, timestamp)
}

func (d database) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	if err := d.check(values...); err != nil {
		return err
	}
	return d.Memory.StoreBatch(ctx, values)
}

func TestLesserCapabilities(t *testing.T) {
	Run(t, func(*testing.T) daybook.Backend { return database{NewMemory()} },
		Capabilities{MaxTimestamp: math.MaxInt64, EqualJSON: true, ScanBlocksWrites: true, SkipClose: true})
}

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern string
		syntax  daybook.PatternSyntax
		name    string
		want    bool
		reason  string // why the row is here
	}{
		{"a*b*c", daybook.Glob, "abcbc", true, "the first * must be able to give back"},
		{"a*b*c", daybook.Glob, "acb", false, "in this order only"},
		{`*\*`, daybook.Glob, "a*", true, "an escape behind a wildcard"},
		{"?", daybook.Glob, "é", true, "a character, not a byte"},
		{"#.a.#.b.#", daybook.Topic, "b.a.b", true, "the first # must be able to give back"},
		{"a.#", daybook.Topic, "a", true, "# may be nothing"},
		{"a.*", daybook.Topic, "a.", true, "an empty segment is a segment"},
		{"a*", daybook.Topic, "ab", false, "no wildcard within a segment"},
		{strings.Repeat("*a", 1000) + "b", daybook.Glob, strings.Repeat("a", 1024), false, "would take exponential time without its memory"},
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

// A Memory is a whole backend, for tests that need one.
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
