// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// capabilities has the peers that cannot do everything.
var capabilities = map[string]backendtest.Capabilities{
	"buntdb":         {ScanBlocksWrites: true},
	"sqlite":         {MaxTimestamp: math.MaxInt64},
	"sqlite-tuned":   {MaxTimestamp: math.MaxInt64},
	"sqlite-modernc": {MaxTimestamp: math.MaxInt64},
}

// TestConformance shows that the peers that Daybook is compared with do the same work.
func TestConformance(t *testing.T) {
	for _, peer := range All() {
		t.Run(peer.Name, func(t *testing.T) {
			t.Parallel()
			backendtest.Run(t, func(t *testing.T) daybook.Backend {
				store, err := peer.Open(t.TempDir())
				if err != nil {
					t.Fatal(err)
				}
				return validating{store}
			}, capabilities[peer.Name])
		})
	}
}

// TestReopened shows that a peer that is opened again has the values that were stored before, and
// that values stored at an equal time after that count as inserted later.
func TestReopened(t *testing.T) {
	for _, peer := range All() {
		t.Run(peer.Name, func(t *testing.T) {
			t.Parallel()
			dir, want := t.TempDir(), ""
			for opening := range 4 {
				store, err := peer.Open(dir)
				if err != nil {
					t.Fatal(err)
				}
				for i := range 3 {
					want += fmt.Sprintf("%d ", 3*opening+i)
					if err := store.Store(t.Context(), "r", json.RawMessage(fmt.Sprint(3*opening+i)), 7); err != nil {
						t.Fatal(err)
					}
				}
				wantInOrder(t, store, want)
				if err := store.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func wantInOrder(t *testing.T, store Store, want string) {
	t.Helper()
	values, err := store.Query(t.Context(), "r", daybook.QueryParams{Order: daybook.OldestFirst})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, v := range values {
		got += string(v.Value) + " "
	}
	if got != want {
		t.Errorf("got values %s; want %s", got, want)
	}
}

// unchecked is a Store under a name that can be embedded beside a method Store.
type unchecked = Store

// validating refuses the names and values that daybook.Backend refuses. The peers themselves do not
// check them, so that the race does not measure that.
type validating struct{ unchecked }

func (v validating) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	if err := validate(recordName, value); err != nil {
		return err
	}
	return v.unchecked.Store(ctx, recordName, value, timestamp)
}

func (v validating) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	for i, value := range values {
		if err := validate(value.RecordName, value.Value); err != nil {
			return fmt.Errorf("batch element %d of %d: %w", i, len(values), err)
		}
	}
	return v.unchecked.StoreBatch(ctx, values)
}

// Query leaves out the values before a place, which no peer can seek, because the race does not ask
// for one.
func (v validating) Query(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) (values []daybook.StoredValue, err error) {
	if params.After.IsBeginning() {
		return v.unchecked.Query(ctx, recordPattern, params)
	}
	for value, err := range v.Scan(ctx, recordPattern, params) {
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

func (v validating) Scan(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) iter.Seq2[daybook.StoredValue, error] {
	if params.After.IsBeginning() || params.Validate() != nil {
		return v.unchecked.Scan(ctx, recordPattern, params)
	}
	all := params
	all.After, all.LimitPerRecord = nil, 0
	return func(yield func(daybook.StoredValue, error) bool) {
		ties, record, count := 0, "", 0
		for value, err := range v.unchecked.Scan(ctx, recordPattern, all) {
			if err == nil && isBefore(&value, &params, &ties) {
				continue
			}
			if count++; value.RecordName != record {
				record, count = value.RecordName, 1
			}
			if err == nil && params.LimitPerRecord > 0 && count > params.LimitPerRecord {
				continue
			}
			if !yield(value, err) {
				return
			}
		}
	}
}

// isBefore reports whether a value comes before params.After. ties is the number of values so far
// that have its record and time.
func isBefore(v *daybook.StoredValue, params *daybook.QueryParams, ties *int) bool {
	place := params.After
	switch {
	case v.RecordName != place.RecordName:
		return v.RecordName < place.RecordName
	case v.StoredAt == place.StoredAt:
		*ties++
		return *ties <= place.Ties
	default:
		return (v.StoredAt > place.StoredAt) == (params.Order == daybook.NewestFirst)
	}
}

func validate(recordName string, value json.RawMessage) error {
	if err := daybook.ValidateRecordName(recordName); err != nil {
		return err
	}
	return daybook.ValidateValue(value)
}
