// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

var holdCases = []testCase{
	{"spares what was not taken", "Cleanup spares the matching values that were stored after the hold's At, whatever " +
		"their timestamps, and does not count them", holdSpares},
	{"goes forward", "AdvanceHold gives the values up to its place free, and never goes back", holdAdvances},
	{"up to its bytes", "a hold spares the values stored last, of MaxBytes together; it counts exactly those that " +
		"were deleted before they were taken", holdIsBounded},
	{"spares from Prune", "Prune spares held values from each of its limits; they count among the newest",
		holdAndPrune},
	{"among the values of a record", "the held values of a record stay in order, also where older and newer " +
		"values are deleted around them", holdAmongOthers},
	{"several holds", "a value is spared as long as one hold spares it, and each hold counts for itself", severalHolds},
	{"is set again", "SetHold with the same name and pattern changes the bounds, goes forward, and keeps the " +
		"count; with another pattern it begins anew", holdIsSetAgain},
	{"is released", "ReleaseHold removes a hold; a name without a hold is daybook.ErrNoHold", holdIsReleased},
	{"its numbers", "Holds returns all holds, by name, with the number and the size of the values that each spares",
		holdNumbers},
	{"impossible arguments", "a hold without a bound or a name, a malformed pattern and a forked cursor are refused, " +
		"and change nothing", impossibleHolds},
}

func (s *subject) holder() daybook.Holder { return abilityOf[daybook.Holder](s) }

// holdCalls returns a call of each method of daybook.Holder.
func holdCalls(ctx context.Context, s *subject) []call {
	b, ok := daybook.As[daybook.Holder](s.backend)
	if !ok {
		return nil
	}
	return []call{
		{"SetHold", func() error { return b.SetHold(ctx, daybook.Hold{Name: "new", MaxBytes: 1}) }},
		{"AdvanceHold", func() error { return b.AdvanceHold(ctx, "new", daybook.Cursor{}) }},
		{"ReleaseHold", func() error { return b.ReleaseHold(ctx, "new") }},
		{"Holds", func() error { _, err := b.Holds(ctx); return err }},
	}
}

// place returns the place of the last value that was stored.
func (s *subject) place() daybook.Cursor {
	s.Helper()
	_, place := s.changesAndPlace(daybook.ChangesParams{})
	return place
}

func (s *subject) setHold(h daybook.Hold) {
	s.Helper()
	if err := s.holder().SetHold(s.Context(), h); err != nil {
		s.Fatalf("SetHold(%+v): %v\nwhy: %s", h, err, s.why)
	}
}

func (s *subject) advanceHold(name string, at daybook.Cursor) {
	s.Helper()
	if err := s.holder().AdvanceHold(s.Context(), name, at); err != nil {
		s.Fatalf("AdvanceHold(%q, %v): %v\nwhy: %s", name, at, err, s.why)
	}
}

// heldRow is what Holds says about a hold.
type heldRow struct {
	Name                string
	Values, Bytes, Lost uint64
}

func (s *subject) wantHolds(want ...heldRow) []daybook.HoldInfo {
	s.Helper()
	infos, err := s.holder().Holds(s.Context())
	if err != nil {
		s.Fatalf("Holds: %v\nwhy: %s", err, s.why)
	}
	got := []heldRow{}
	for _, info := range infos {
		got = append(got, heldRow{info.Name, info.Values, info.Bytes, info.Lost})
	}
	if s.limits.EqualJSON {
		return infos
	}
	if diff := cmp.Diff(append([]heldRow{}, want...), got); diff != "" {
		s.wrong("Holds (-want +got):\n%s", diff)
	}
	return infos
}

func holdSpares(s *subject) {
	s.store(row{"a.x", "1", 50}, row{"b", "2", 50})
	s.setHold(daybook.Hold{Name: "cloud", Pattern: daybook.Pattern{Text: "a.#", Syntax: daybook.Topic},
		At: s.place(), MaxBytes: 1000})
	s.store(row{"a.x", "3", 40}, row{"b", "4", 60}, row{"a.x", "5", 60}, row{"a.y", "6", 0})
	s.cleanup(100, 3)
	s.want("*", daybook.QueryParams{}, row{"a.x", "5", 60}, row{"a.x", "3", 40}, row{"a.y", "6", 0})
	s.wantHolds(heldRow{"cloud", 3, 3, 0})
	s.cleanup(math.MaxUint64, 0)
}

func holdAdvances(s *subject) {
	s.setHold(daybook.Hold{Name: "cloud", MaxBytes: 1000})
	s.store(row{"a", "1", 1})
	first := s.place()
	s.store(row{"a", "2", 2}, row{"b", "3", 1})
	third := s.place()
	s.store(row{"a", "4", 4})
	s.cleanup(100, 0)
	s.advanceHold("cloud", first)
	s.cleanup(100, 1)
	s.advanceHold("cloud", third)
	s.advanceHold("cloud", first)
	s.advanceHold("cloud", daybook.Cursor{})
	if infos := s.wantHolds(heldRow{"cloud", 1, 1, 0}); len(infos) == 1 && infos[0].At != third {
		s.wrong("the hold is at %v; want %v", infos[0].At, third)
	}
	s.cleanup(100, 2)
	s.want("*", daybook.QueryParams{}, row{"a", "4", 4})
	s.wantHolds(heldRow{"cloud", 1, 1, 0})
}

func holdIsBounded(s *subject) {
	s.store(row{"a", "100", 9})
	s.setHold(daybook.Hold{Name: "cloud", Pattern: daybook.Pattern{Text: "a*"}, At: s.place(), MaxBytes: 7})
	s.store(row{"a", "101", 5}, row{"b", "102", 4}, row{"ab", "103", 9}, row{"a", "104", 1})
	s.wantHolds(heldRow{"cloud", 2, 6, 0})
	s.cleanup(6, 2) // 101 lies beyond the bound, and b is not held
	s.wantHolds(heldRow{"cloud", 2, 6, 1})
	s.want("*", daybook.QueryParams{}, row{"a", "100", 9}, row{"a", "104", 1}, row{"ab", "103", 9})
	s.store(row{"a", "105", 2}, row{"a", "10600000", 3}) // more than the bound alone
	s.wantHolds(heldRow{"cloud", 0, 0, 1})
	s.cleanup(100, 5) // 100 had been taken
	s.wantHolds(heldRow{"cloud", 0, 0, 5})
	s.store(row{"a", "1", 2})
	s.wantHolds(heldRow{"cloud", 1, 1, 5})
	s.cleanup(100, 0)
}

func holdAndPrune(s *subject) {
	if !pruner.of(s.backend) {
		return
	}
	s.store(row{"a", "10", 1}, row{"a", "20", 9})
	s.setHold(daybook.Hold{Name: "cloud", At: s.place(), MaxAge: time.Hour})
	s.store(row{"a", "30", 3}, row{"a", "40", 5})
	s.prune("*", daybook.PruneParams{MaxPerRecord: 1}, 1)
	s.want("*", daybook.QueryParams{}, row{"a", "20", 9}, row{"a", "40", 5}, row{"a", "30", 3})
	s.prune("*", daybook.PruneParams{MaxBytes: 3}, 0) // the oldest are held, and 20 is the newest
	s.prune("*", daybook.PruneParams{OlderThan: 100, KeepNewest: 1}, 0)
	s.prune("*", daybook.PruneParams{MaxBytes: 1}, 1)
	s.want("*", daybook.QueryParams{}, row{"a", "40", 5}, row{"a", "30", 3})
	s.want("*", daybook.Latest(1), row{"a", "40", 5})
	s.wantHolds(heldRow{"cloud", 2, 4, 0})
}

// holdAmongOthers deletes every other value of a long record, several times.
func holdAmongOthers(s *subject) {
	const values = 1200
	place := map[int]daybook.Cursor{}
	s.setHold(daybook.Hold{Name: "cloud", MaxBytes: 1 << 20})
	var want, batch []row
	for i := range values {
		at := uint64(i * 7919 % values / 3) // in a mixed order, three of a time
		batch = append(batch, row{"r", fmt.Sprint(i), at})
		if i == values/2 || i == values*3/4 || i == values-1 {
			s.storeTogether(batch...)
			place[i], batch = s.place(), nil
		}
	}
	for _, taken := range []int{values / 2, values * 3 / 4} {
		s.advanceHold("cloud", place[taken])
		before := s.query("r", daybook.QueryParams{Order: daybook.OldestFirst})
		want = want[:0]
		deleted := uint64(0)
		for _, v := range before {
			var number int
			_, _ = fmt.Sscan(string(v.Value), &number)
			if number <= taken && v.StoredAt < values/4 {
				deleted++
				continue
			}
			want = append(want, row{v.RecordName, string(v.Value), v.StoredAt})
		}
		s.cleanup(values/4, deleted)
		s.want("r", daybook.QueryParams{Order: daybook.OldestFirst}, want...)
	}
	s.wantHolds(heldRow{"cloud", values/4 - 1, (values/4-1)*4 - 99, 0})
}

func severalHolds(s *subject) {
	s.setHold(daybook.Hold{Name: "all", MaxBytes: 2})
	s.setHold(daybook.Hold{Name: "a", Pattern: daybook.Pattern{Text: "a"}, MaxBytes: 3})
	s.store(row{"a", "1", 1}, row{"b", "2", 2}, row{"a", "3", 3}, row{"b", "4", 4}, row{"a", "5", 5}, row{"b", "6", 6})
	s.wantHolds(heldRow{"a", 3, 3, 0}, heldRow{"all", 2, 2, 0})
	s.cleanup(100, 2)
	s.wantHolds(heldRow{"a", 3, 3, 0}, heldRow{"all", 2, 2, 2})
	s.advanceHold("a", s.place())
	s.cleanup(100, 2)
	s.wantHolds(heldRow{"a", 0, 0, 0}, heldRow{"all", 2, 2, 4})
	s.want("*", daybook.QueryParams{}, row{"a", "5", 5}, row{"b", "6", 6})
}

func holdIsSetAgain(s *subject) {
	h := daybook.Hold{Name: "cloud", MaxBytes: 1}
	s.setHold(h)
	s.store(row{"a", "1", 1}, row{"a", "2", 2}, row{"a", "3", 3})
	place := s.place()
	s.cleanup(100, 2)
	h.MaxBytes = 2
	s.setHold(h)
	s.store(row{"a", "4", 4})
	s.wantHolds(heldRow{"cloud", 2, 2, 2})
	h.At = place
	s.setHold(h)
	s.wantHolds(heldRow{"cloud", 1, 1, 2})
	h.At = daybook.Cursor{}
	s.setHold(h)
	s.wantHolds(heldRow{"cloud", 1, 1, 2})
	h.Pattern.Text = "a"
	s.setHold(h)
	s.wantHolds(heldRow{"cloud", 2, 2, 0})
}

func holdIsReleased(s *subject) {
	s.setHold(daybook.Hold{Name: "cloud", MaxBytes: 100})
	s.store(row{"a", "1", 1})
	s.cleanup(100, 0)
	if err := s.holder().ReleaseHold(s.Context(), "cloud"); err != nil {
		s.wrong("ReleaseHold: %v", err)
	}
	s.wantHolds()
	s.cleanup(100, 1)
	s.wantError("ReleaseHold of no hold", s.holder().ReleaseHold(s.Context(), "cloud"), daybook.ErrNoHold)
	s.wantError("AdvanceHold of no hold", s.holder().AdvanceHold(s.Context(), "cloud", daybook.Cursor{}),
		daybook.ErrNoHold)
}

func holdNumbers(s *subject) {
	s.wantHolds()
	second := daybook.Hold{Name: "b", Pattern: daybook.Pattern{Text: "x.#", Syntax: daybook.Topic},
		MaxBytes: 1 << 40, MaxAge: 24 * time.Hour}
	s.setHold(second)
	s.store(row{"x", "1", 1}, row{"x.y", `"long"`, 1}, row{"y", "2", 1})
	first := daybook.Hold{Name: "a", Pattern: daybook.Pattern{Text: "*y"}, At: s.place(), MaxBytes: 20}
	s.setHold(first)
	s.store(row{"x.y", "333", 7}, row{"z", "4", 2})
	infos := s.wantHolds(heldRow{"a", 1, 3, 0}, heldRow{"b", 3, 10, 0})
	for i, want := range []daybook.Hold{first, second} {
		if i < len(infos) && infos[i].Hold != want {
			s.wrong("Holds[%d] is %+v; want %+v", i, infos[i].Hold, want)
		}
	}
}

func impossibleHolds(s *subject) {
	other := daybook.Cursor{Epoch: [16]byte{9, 9, 9}, Sequence: 1}
	s.store(row{"a", "1", 1})
	beyond := s.place()
	beyond.Sequence++
	tests := []struct {
		hold   daybook.Hold
		want   error
		reason string // why the row is here
	}{
		{daybook.Hold{Name: "n"}, daybook.ErrInvalidParams, "no bound"},
		{daybook.Hold{MaxBytes: 1}, daybook.ErrInvalidParams, "no name"},
		{daybook.Hold{Name: strings.Repeat("n", 129), MaxBytes: 1}, daybook.ErrInvalidParams, "a long name"},
		{daybook.Hold{Name: "n", MaxBytes: 1, MaxAge: -1}, daybook.ErrInvalidParams, "a negative age"},
		{daybook.Hold{Name: "n", MaxBytes: 1, Pattern: daybook.Pattern{Text: `a\`}}, daybook.ErrInvalidPattern,
			"a malformed pattern"},
		{daybook.Hold{Name: "n", MaxBytes: 1, Pattern: daybook.Pattern{Text: "a", Syntax: 7}},
			daybook.ErrInvalidParams, "an unknown syntax"},
		{daybook.Hold{Name: "n", MaxBytes: 1, At: other}, daybook.ErrForked, "a cursor of another history"},
		{daybook.Hold{Name: "n", MaxBytes: 1, At: beyond}, daybook.ErrForked, "a place after the last value"},
	}
	for _, test := range tests {
		s.wantError(fmt.Sprintf("SetHold with %s", test.reason), s.holder().SetHold(s.Context(), test.hold), test.want)
	}
	s.wantHolds()
	s.setHold(daybook.Hold{Name: "cloud", MaxBytes: 100})
	for _, at := range []daybook.Cursor{other, beyond} {
		var forked *daybook.ForkedError
		if err := s.holder().AdvanceHold(s.Context(), "cloud", at); !errors.As(err, &forked) {
			s.wrong("AdvanceHold to %v: got error %v; want a *daybook.ForkedError", at, err)
		}
	}
	s.wantHolds(heldRow{"cloud", 1, 1, 0})
}
