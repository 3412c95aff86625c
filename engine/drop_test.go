// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestDropOldestSpares fills a store several times over. Its first values are a configuration, and
// records that got few values. What the options spare must still be there, and nothing else of it.
func TestDropOldestSpares(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		opts   Options
		want   map[string]int // number of values that remain of the records that were stored first
		reason string
	}{
		{"default", Options{}, map[string]int{"config": 1, "idle": 1}, "no record loses its latest value"},
		{"three", Options{DropKeepNewest: 3}, map[string]int{"config": 3, "idle": 2},
			"the newest three of each record"},
		{"none", Options{DropKeepNewest: -1}, map[string]int{"config": 0, "idle": 0}, "all that was stored first"},
		{"exceptions", Options{DropKeepNewest: -1, DropExcept: []daybook.Pattern{{Text: "conf*"}}},
			map[string]int{"config": 5, "idle": 0}, "nothing of these records"},
		{"both", Options{DropExcept: []daybook.Pattern{{Text: "x.#", Syntax: daybook.Topic}, {Text: "config"}}},
			map[string]int{"config": 5, "idle": 1}, "either spares"},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts := test.opts
			opts.MaxSize, opts.WhenFull = MinMaxSize, WhenFullDropOldest
			opts.Durability, opts.Logger = DurabilityOS, discard
			dir := testenv.TempDir(t)
			db := mustOpen(t, dir, &opts)
			store := func(record string, value string, timestamp uint64) {
				t.Helper()
				if err := db.Store(ctx, record, json.RawMessage(value), timestamp); err != nil {
					t.Fatal(err)
				}
			}
			for i := range uint64(5) {
				store("config", fmt.Sprint(i), 1000-i) // the newest by time was stored first
			}
			store("idle", "1", 7)
			store("idle", "2", 8)
			for i := range uint64(400) {
				store(fmt.Sprint("r", i%3), `"`+digits(40_000)+`"`, i)
			}
			got := map[string]int{}
			for record := range test.want {
				values, err := db.Query(ctx, record, daybook.QueryParams{})
				if err != nil {
					t.Fatal(err)
				}
				if got[record] = len(values); len(values) > 0 && values[0].StoredAt != map[string]uint64{
					"config": 1000, "idle": 8}[record] {
					t.Errorf("%s: the newest value is of %d", record, values[0].StoredAt)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			if size := occupied(t, dir); size > MinMaxSize {
				t.Errorf("the directory has %d bytes", size)
			}
		})
	}
}

// TestDropOldestKeepsMost stores the only value of many records first, which take most of the
// store. Another record then gets more values than fit. It loses the oldest of them, a few at a
// time.
func TestDropOldestKeepsMost(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t),
		&Options{MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest, Durability: DurabilityOS, Logger: discard})
	store := func(record string, bytes int, timestamp uint64) {
		t.Helper()
		if err := db.Store(ctx, record, json.RawMessage(`"`+digits(bytes)+`"`), timestamp); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(160) {
		store(fmt.Sprint("idle", i), 20_000, i)
	}
	before, lost := uint64(0), uint64(0)
	for i := range uint64(100) {
		store("busy", 10_000, i)
		values := mustStats(t, db).Values - 160
		if values <= before {
			dropped := before + 1 - values
			if lost += dropped; dropped > 1+before/4 {
				t.Errorf("value %d: %d of %d values were dropped at once", i, dropped, before)
			}
		}
		before = values
	}
	if lost == 0 || lost+before != 100 {
		t.Errorf("%d values were dropped, and %d remain", lost, before)
	}
}

// TestDropOldestRefuses stores the only value of many records, until all of them together fill the
// store. DropOldest then refuses, at once, and takes values again after a deletion.
func TestDropOldestRefuses(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t),
		&Options{MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest, Durability: DurabilityOS, Logger: discard})
	stored := 0
	for ; ; stored++ {
		err := db.Store(ctx, fmt.Sprint("r", stored), json.RawMessage(`"`+digits(20_000)+`"`), uint64(stored))
		if errors.Is(err, daybook.ErrNoSpace) {
			break
		}
		if err != nil || stored > MinMaxSize/20_000 {
			t.Fatalf("value %d: %v; want ErrNoSpace", stored, err)
		}
	}
	stats, err := db.Stats(ctx)
	if err != nil || stats.Values != uint64(stored) {
		t.Fatalf("%d values are there, %v; want all %d", stats.Values, err, stored)
	}
	for range 3 {
		if err := db.Store(ctx, "r0", json.RawMessage(`"`+digits(20_000)+`"`), 1); !errors.Is(err, daybook.ErrNoSpace) {
			t.Fatalf("Store: %v; want ErrNoSpace", err)
		}
	}
	if deleted, err := db.Cleanup(ctx, uint64(stored/2)); err != nil || deleted != uint64(stored/2) {
		t.Fatalf("Cleanup: %d, %v; want %d", deleted, err, stored/2)
	}
	if err := db.Store(ctx, "another", json.RawMessage("1"), 1); err != nil {
		t.Errorf("Store after a Cleanup: %v", err)
	}
}

func TestDropOptions(t *testing.T) {
	patterns := []daybook.Pattern{{Text: "config.*"}}
	for _, test := range []struct {
		name   string
		opts   Options
		ok     bool
		reason string
	}{
		{"drop", Options{WhenFull: WhenFullDropOldest, MaxSize: MinMaxSize}, true, "the usual options"},
		{"drop without a maximum", Options{WhenFull: WhenFullDropOldest}, false, "it would never drop"},
		{"spare records", Options{WhenFull: WhenFullDropOldest, MaxSize: MinMaxSize, DropExcept: patterns}, true,
			"they belong together"},
		{"spare records from nothing", Options{MaxSize: MinMaxSize, DropExcept: patterns}, false,
			"Refuse drops nothing"},
		{"spare values from nothing", Options{DropKeepNewest: 3}, false, "Refuse drops nothing"},
		{"spare a malformed pattern", Options{WhenFull: WhenFullDropOldest, MaxSize: MinMaxSize,
			DropExcept: []daybook.Pattern{{Text: `\`}}}, false, "it matches nothing"},
	} {
		_, err := test.opts.withDefaults()
		if test.ok && err != nil || !test.ok && !errors.Is(err, daybook.ErrInvalidParams) {
			t.Errorf("%s: got %v; want ok: %v (%s)", test.name, err, test.ok, test.reason)
		}
	}
}
