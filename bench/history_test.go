// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"slices"
	"testing"

	"github.com/daybook-db/daybook"
)

// arrived returns the values of a history by record, in the order in which they arrive.
func arrived(h History) map[string][]daybook.StoredValue {
	records := map[string][]daybook.StoredValue{}
	for batch := range h.Batches() {
		for _, v := range batch {
			records[v.RecordName] = append(records[v.RecordName], v)
		}
	}
	return records
}

// TestTimes shows the order that each kind of times promises.
func TestTimes(t *testing.T) {
	for _, tt := range []struct {
		times    Times
		sorted   bool    // whether each record is in order
		late     float64 // the share of values that arrive after a later one
		backward uint64  // the greatest step back in time
		weeks    uint64  // before Start that the first value was taken
		reason   string
	}{
		{InOrder, true, 0, 0, 0, "a tick after another"},
		{Jittered, true, 0, 0, 0, "a value does not leave its tick"},
		{Late, false, 1.0 / lateShare, maxLate + Interval, 0, "at most five minutes and a tick"},
		{Backfilled, false, 0.25, 3*week + 400*Interval, 6, "the last quarter is three weeks before the half"},
	} {
		t.Run(tt.times.String(), func(t *testing.T) {
			h := History{Shape: Metrics, Times: tt.times, Records: 30, Ticks: 800, Seed: 1}
			var late, values int
			var backward uint64
			for _, record := range arrived(h) {
				var newest uint64
				for i, v := range record {
					if v.StoredAt < newest {
						late, backward = late+1, max(backward, newest-v.StoredAt)
					}
					newest, values = max(newest, v.StoredAt), values+1
					if tick := v.StoredAt / Interval; tt.sorted && tick != Start/Interval+uint64(i) {
						t.Fatalf("value %d is of tick %d", i, tick-Start/Interval)
					}
				}
				if first := Start - tt.weeks*week; tt.times != Late && record[0].StoredAt/Interval != first/Interval {
					t.Fatalf("the first value is at %d; want %d", record[0].StoredAt, first)
				}
			}
			share := float64(late) / float64(values)
			if values != h.Values() || share < 0.8*tt.late || share > tt.late || backward > tt.backward {
				t.Errorf("%s: %d values, %.3f late by up to %d ms; want %.3f and up to %d ms",
					tt.reason, values, share, backward, tt.late, tt.backward)
			}
		})
	}
}

// TestTimesKeepValues shows that the same values arrive whatever their times and batches are.
func TestTimesKeepValues(t *testing.T) {
	want := arrived(History{Shape: Telematics, Records: 5, Ticks: 40, Seed: 2})
	for _, h := range []History{
		{Shape: Telematics, Times: Backfilled, Records: 5, Ticks: 40, Seed: 2},
		{Shape: Telematics, Times: Late, Records: 5, Ticks: 40, Seed: 2, Batch: 7},
	} {
		for name, got := range arrived(h) {
			equal := slices.EqualFunc(got, want[name], func(a, b daybook.StoredValue) bool {
				return bytes.Equal(a.Value, b.Value)
			})
			if !equal {
				t.Errorf("%+v: the values of %s are not those of other times", h, name)
			}
		}
	}
}

// TestBatches shows the sizes of batches.
func TestBatches(t *testing.T) {
	for _, tt := range []struct {
		batch  int
		want   []int
		reason string
	}{
		{0, []int{6, 6, 6}, "a tick each"},
		{4, []int{4, 4, 4, 4, 2}, "smaller than a tick"},
		{1, slices.Repeat([]int{1}, 18), "single values"},
		{10, []int{10, 8}, "larger than a tick"},
		{100_000, []int{18}, "larger than the history"},
	} {
		var got []int
		for batch := range (History{Shape: Switches, Records: 6, Ticks: 3, Batch: tt.batch}).Batches() {
			got = append(got, len(batch))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%d, %s: got batches of %v; want %v", tt.batch, tt.reason, got, tt.want)
		}
	}
}
