// SPDX-License-Identifier: Apache-2.0

package daybook_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daybook-db/daybook"
)

func TestTimestamp(t *testing.T) {
	for _, test := range []struct {
		name   string
		time   time.Time
		want   uint64
		reason string
	}{
		{"zero time", time.Time{}, 0, "before 1970"},
		{"1 ns before 1970", time.Unix(0, -1), 0, "a timestamp is not negative"},
		{"1970", time.Unix(0, 0), 0, "the first timestamp"},
		{"rounded down", time.Unix(1, 1_999_999), 1001, "a value is not from the future"},
		{"in a time zone", time.Date(2026, 11, 29, 1, 0, 0, 0, time.FixedZone("", 3600)), 1_795_910_400_000,
			"the zone makes no difference"},
		{"last millisecond", time.Unix(math.MaxUint64/1000, 615_000_000), math.MaxUint64, "the last timestamp"},
		{"a millisecond later", time.Unix(math.MaxUint64/1000, 616_000_000), math.MaxUint64, "it must not wrap"},
		{"a second later", time.Unix(math.MaxUint64/1000+1, 0), math.MaxUint64, "it must not wrap"},
		{"the last time", time.Unix(1<<62, 0), math.MaxUint64, "it must not wrap"},
	} {
		if got := daybook.Timestamp(test.time); got != test.want {
			t.Errorf("%s: got %d; want %d (%s)", test.name, got, test.want, test.reason)
		}
	}
}

func TestTimesOfTimestamps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timestamp := rapid.Uint64().Draw(t, "timestamp")
		at := daybook.Time(timestamp)
		if got := daybook.Timestamp(at); got != timestamp || at.Location() != time.UTC {
			t.Fatalf("%v: got %d; want %d, in UTC", at, got, timestamp)
		}
		value := daybook.StoredValue{StoredAt: timestamp}
		typed := daybook.Typed[int]{StoredAt: timestamp}
		oldest, newest := daybook.RecordInfo{Oldest: timestamp, Newest: timestamp + 1}.Times()
		if value.Time() != at || typed.Time() != at || oldest != at || newest != daybook.Time(timestamp+1) {
			t.Fatalf("got %v, %v, %v and %v; want %v", value.Time(), typed.Time(), oldest, newest, at)
		}
	})
}

func TestAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC of 2000-01-01
		now := daybook.Now()
		for _, test := range []struct {
			ago    time.Duration
			want   uint64
			reason string
		}{
			{0, now, "now"},
			{time.Hour, now - 3_600_000, "the past"},
			{-time.Second, now + 1000, "the future"},
			{40 * 365 * 24 * time.Hour, 0, "before 1970: no underflow"},
			{math.MaxInt64, 0, "292 years"},
			{math.MinInt64, now + math.MaxInt64/1_000_000, "292 years ahead, which -d does not hold"},
		} {
			if got := daybook.Ago(test.ago); got != test.want {
				t.Errorf("%v: got %d; want %d (%s)", test.ago, got, test.want, test.reason)
			}
		}
	})
}

func TestQueryParamsMethods(t *testing.T) {
	start, end := uint64(5), uint64(9)
	got := daybook.Latest(3).Since(start).Until(end).OldestFirst().Topic()
	want := daybook.QueryParams{LimitPerRecord: 3, StartTime: &start, EndTime: &end,
		Order: daybook.OldestFirst, Syntax: daybook.Topic}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(daybook.QueryParams{EndTime: &end}, daybook.Until(end)); diff != "" {
		t.Errorf("Until (-want +got):\n%s", diff)
	}
	base := daybook.Since(1)
	if earlier := base.Since(0); *base.StartTime != 1 || *earlier.StartTime != 0 {
		t.Errorf("got %d and %d; want 1 and 0: a method changes a copy", *base.StartTime, *earlier.StartTime)
	}
}

func TestBounds(t *testing.T) {
	for _, test := range []struct {
		params     daybook.QueryParams
		start, end uint64
	}{
		{daybook.QueryParams{}, 0, math.MaxUint64},
		{daybook.Since(3), 3, math.MaxUint64},
		{daybook.Until(3), 0, 3},
		{daybook.Between(4, 2), 4, 2},
	} {
		if start, end := test.params.Bounds(); start != test.start || end != test.end {
			t.Errorf("%+v: got %d to %d; want %d to %d", test.params, start, end, test.start, test.end)
		}
	}
}
