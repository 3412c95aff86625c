// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"fmt"
	"math"
	"slices"

	"github.com/daybook-db/daybook"
)

var pruneCases = []testCase{
	{"by pattern", "Prune deletes from the records that match the pattern, and from no others", pruneByPattern},
	{"by age and by count",
		"age and count apply independently, a zero limit deletes nothing, and the returned number is exact",
		pruneByAgeAndCount},
	{"newer than a time",
		"NewerThan deletes the values with a greater timestamp, with OlderThan only those between; " +
			"KeepNewest, MaxPerRecord and MaxBytes count the values that remain",
		pruneNewerThan},
	{"newer than a time, of equal times",
		"all values of a timestamp stay or are deleted by NewerThan; the newest remaining value is the latest then",
		pruneNewerThanTies},
	{"older, and stored up to a place",
		"StoredThrough spares from OlderThan the values that were stored after the place, whatever their timestamps; " +
			"they count among the newest",
		pruneStoredThrough},
	{"by size",
		"the oldest values of all matching records are deleted until the rest holds at most " +
			"MaxBytes; of equal timestamps the first inserted are deleted first, and KeepNewest spares",
		pruneBySize},
	{"spares exceptions",
		"Prune deletes nothing from records that match a pattern of Except, in either syntax",
		pruneExcept},
	{"keeps the newest of equal timestamps",
		"of values with equal timestamps, the last inserted is the newest",
		pruneEqualTimes},
	{"impossible parameters",
		"impossible parameters are daybook.ErrInvalidParams, and change nothing",
		pruneImpossible},
}

func (s *subject) prune(pattern string, params daybook.PruneParams, want uint64) {
	s.Helper()
	got, err := abilityOf[daybook.Pruner](s).Prune(s.Context(), pattern, params)
	s.wantCount(fmt.Sprintf("Prune(%q, %+v)", pattern, params), got, err, want)
}

func pruneByPattern(s *subject) {
	for at := range uint64(6) {
		s.store(row{"a.x", fmt.Sprint(at), at}, row{"b.x", fmt.Sprint(at), at}, row{"b.x.deep", fmt.Sprint(at), at})
	}
	deep := []row{
		{"b.x.deep", "5", 5}, {"b.x.deep", "4", 4}, {"b.x.deep", "3", 3},
		{"b.x.deep", "2", 2}, {"b.x.deep", "1", 1}, {"b.x.deep", "0", 0},
	}
	s.prune("nothing*", daybook.PruneParams{OlderThan: math.MaxUint64}, 0)
	s.prune("a.*", daybook.PruneParams{OlderThan: 2}, 2)
	s.prune("a.*", daybook.PruneParams{OlderThan: 100, KeepNewest: 3}, 1)
	s.prune("b.*", daybook.PruneParams{MaxPerRecord: 1, Syntax: daybook.Topic}, 5)
	kept := append([]row{{"a.x", "5", 5}, {"a.x", "4", 4}, {"a.x", "3", 3}, {"b.x", "5", 5}}, deep...)
	s.want("*", daybook.QueryParams{}, kept...)
	s.prune("b.#", daybook.PruneParams{OlderThan: 100, Syntax: daybook.Topic}, 7)
	s.want("*", daybook.QueryParams{}, row{"a.x", "5", 5}, row{"a.x", "4", 4}, row{"a.x", "3", 3})
}

func pruneBySize(s *subject) {
	// Each value takes 4 bytes. The times of a.x are 0, 10, 20 and so on; of a.y 5, 15, 25 and so
	// on; of b 7, 7 and 1000.
	for at := range uint64(5) {
		s.store(row{"a.x", "1000", 10 * at}, row{"a.y", "2000", 10*at + 5})
	}
	s.store(row{"b", "3000", 7}, row{"b", "3001", 7}, row{"b", "3002", 1000})
	s.prune("*", daybook.PruneParams{}, 0)
	s.prune("*", daybook.PruneParams{MaxBytes: 13 * 4}, 0)
	s.prune("*", daybook.PruneParams{MaxBytes: 13*4 - 1}, 1) // of a.x, at 0
	s.prune("a.*", daybook.PruneParams{MaxBytes: 7 * 4}, 2)  // of a.y, at 5, and of a.x, at 10
	s.prune("*", daybook.PruneParams{MaxBytes: 9 * 4}, 1)    // of b, the first one at 7
	s.want("b", daybook.QueryParams{}, row{"b", "3002", 1000}, row{"b", "3001", 7})
	s.prune("*", daybook.PruneParams{MaxBytes: 1, KeepNewest: 2}, 3) // all except two of each record
	s.prune("a.#", daybook.PruneParams{MaxBytes: 8, Syntax: daybook.Topic, MaxPerRecord: 1}, 2)
	s.want("*", daybook.QueryParams{},
		row{"a.x", "1000", 40}, row{"a.y", "2000", 45}, row{"b", "3002", 1000}, row{"b", "3001", 7})
	s.prune("*", daybook.PruneParams{MaxBytes: 3}, 4)
	s.store(row{"c.y", "4000", 7}, row{"c.x", "4001", 7}, row{"c.y", "4002", 7}, row{"c.x", "4003", 7})
	s.prune("c.*", daybook.PruneParams{MaxBytes: 4*4 - 1}, 1) // the first inserted, whatever its record
	s.prune("c.*", daybook.PruneParams{MaxBytes: 2 * 4}, 1)
	s.want("*", daybook.QueryParams{}, row{"c.x", "4003", 7}, row{"c.y", "4002", 7})
}

func pruneExcept(s *subject) {
	names := []string{"a", "a.b", "a.b.c", "b"}
	for _, name := range names {
		s.store(row{name, "1", 1}, row{name, "2", 2})
	}
	except := func(patterns ...daybook.Pattern) daybook.PruneParams {
		return daybook.PruneParams{OlderThan: 2, Except: patterns}
	}
	s.prune("a", except(daybook.Pattern{Text: "a"}), 0)
	s.prune("*", except(daybook.Pattern{Text: "*"}), 0)
	s.prune("*", except(daybook.Pattern{Text: "a.*", Syntax: daybook.Topic}, daybook.Pattern{Text: "?"}), 1) // of a.b.c
	asGlob := []daybook.Pattern{{Text: "a.b*"}}
	s.prune("a.#", daybook.PruneParams{MaxPerRecord: 1, Syntax: daybook.Topic, Except: asGlob}, 1)
	s.want("*", daybook.QueryParams{}, row{"a", "2", 2}, row{"a.b", "2", 2}, row{"a.b", "1", 1}, row{"a.b.c", "2", 2},
		row{"b", "2", 2}, row{"b", "1", 1})
	_, err := abilityOf[daybook.Pruner](s).Prune(s.Context(), "*", except(daybook.Pattern{Text: ""}))
	s.wantError("Prune with an empty pattern in Except", err, daybook.ErrInvalidPattern)
	_, err = abilityOf[daybook.Pruner](s).Prune(s.Context(), "*", except(daybook.Pattern{Text: "a", Syntax: 7}))
	s.wantError("Prune with an unknown syntax in Except", err, daybook.ErrInvalidParams)
	s.want("b", daybook.QueryParams{}, row{"b", "2", 2}, row{"b", "1", 1})
}

func pruneByAgeAndCount(s *subject) {
	tests := []struct {
		params daybook.PruneParams
		kept   int
		reason string // why the row is here
	}{
		{daybook.PruneParams{}, 10, "no limit deletes nothing"},
		{daybook.PruneParams{KeepNewest: 5}, 10, "KeepNewest alone deletes nothing"},
		{daybook.PruneParams{OlderThan: 4}, 6, "by age: a value of time 4 is kept"},
		{daybook.PruneParams{MaxPerRecord: 3}, 3, "by count"},
		{daybook.PruneParams{MaxPerRecord: 10}, 10, "the limit is the number of values"},
		{daybook.PruneParams{MaxPerRecord: math.MaxInt}, 10, "the limit is above the number of values"},
		{daybook.PruneParams{OlderThan: 4, MaxPerRecord: 8}, 6, "age deletes more than count"},
		{daybook.PruneParams{OlderThan: 4, MaxPerRecord: 2}, 2, "count deletes more than age"},
		{daybook.PruneParams{OlderThan: 9, KeepNewest: 3}, 3, "KeepNewest spares three from age"},
		{daybook.PruneParams{OlderThan: 4, KeepNewest: 3}, 6, "KeepNewest spares values that age keeps"},
		{daybook.PruneParams{OlderThan: 100, KeepNewest: 2, MaxPerRecord: 5}, 2, "KeepNewest spares two from age"},
		{daybook.PruneParams{OlderThan: 2, KeepNewest: 5, MaxPerRecord: 5}, 5, "KeepNewest spares none from count"},
		{daybook.PruneParams{OlderThan: 100}, 0, "by age, everything"},
	}
	for i, test := range tests {
		var want []row
		name := fmt.Sprintf("record.%d", i)
		for at := range uint64(10) {
			r := row{name, fmt.Sprint(at), at}
			s.store(r)
			want = append(want, r)
		}
		slices.Reverse(want)
		s.prune(name, test.params, uint64(10-test.kept))
		if got := s.rows(s.query(name, daybook.QueryParams{})); !slices.Equal(s.comparable(want[:test.kept]), got) {
			s.wrong("Prune(%+v) keeps %v; want %v (%s)", test.params, got, want[:test.kept], test.reason)
		}
	}
}

func pruneNewerThan(s *subject) {
	tests := []struct {
		params daybook.PruneParams
		kept   []uint64 // of the times 0 to 9
		reason string   // why the row is here
	}{
		{daybook.PruneParams{NewerThan: 6}, []uint64{6, 5, 4, 3, 2, 1, 0}, "a value of time 6 is kept"},
		{daybook.PruneParams{NewerThan: 9}, []uint64{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, "no value is newer"},
		{daybook.PruneParams{NewerThan: math.MaxUint64}, []uint64{9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
			"no value can be newer"},
		{daybook.PruneParams{NewerThan: 2, OlderThan: 7}, []uint64{9, 8, 7, 2, 1, 0}, "both ends are kept"},
		{daybook.PruneParams{NewerThan: 2, OlderThan: 4}, []uint64{9, 8, 7, 6, 5, 4, 2, 1, 0},
			"one timestamp is between"},
		{daybook.PruneParams{NewerThan: 7, OlderThan: math.MaxUint64}, []uint64{7, 6, 5, 4, 3, 2, 1, 0},
			"the end is after all values"},
		{daybook.PruneParams{NewerThan: 2, KeepNewest: 5}, []uint64{2, 1, 0}, "KeepNewest spares none from NewerThan"},
		{daybook.PruneParams{NewerThan: 2, OlderThan: 7, KeepNewest: 9}, []uint64{9, 8, 7, 2, 1, 0},
			"KeepNewest spares none from the time between"},
		{daybook.PruneParams{NewerThan: 6, MaxPerRecord: 3}, []uint64{6, 5, 4}, "MaxPerRecord counts what remains"},
		{daybook.PruneParams{NewerThan: 2, OlderThan: 7, MaxPerRecord: 4}, []uint64{9, 8, 7, 2},
			"MaxPerRecord counts the values on both sides"},
		{daybook.PruneParams{NewerThan: 6, MaxBytes: 2}, []uint64{6, 5}, "MaxBytes counts what remains"},
		{daybook.PruneParams{NewerThan: 6, MaxBytes: 2, KeepNewest: 4}, []uint64{6, 5, 4, 3},
			"KeepNewest spares the newest that remain from MaxBytes"},
	}
	for i, test := range tests {
		name := fmt.Sprintf("record.%d", i)
		for at := range uint64(10) {
			s.store(row{name, fmt.Sprint(at), at})
		}
		var want []row
		for _, at := range test.kept {
			want = append(want, row{name, fmt.Sprint(at), at})
		}
		s.prune(name, test.params, uint64(10-len(want)))
		if got := s.rows(s.query(name, daybook.QueryParams{})); !slices.Equal(s.comparable(want), got) {
			s.wrong("Prune(%+v) keeps %v; want %v (%s)", test.params, got, want, test.reason)
		}
	}
	s.store(row{"future", "1", 50}, row{"future", "2", 51})
	s.prune("*", daybook.PruneParams{NewerThan: 20}, 2)
	s.want("future", daybook.QueryParams{})
}

func pruneStoredThrough(s *subject) {
	if !changeSource.of(s.backend) {
		return
	}
	s.store(row{"a", "1", 10}, row{"a", "2", 30}, row{"b", "3", 20}, row{"c", "4", 5})
	place := s.place()
	s.store(row{"a", "5", 15}, row{"a", "6", 10}, row{"b", "7", 40}, row{"d", "8", 1})
	through := func(olderThan uint64, keepNewest int) daybook.PruneParams {
		return daybook.PruneParams{OlderThan: olderThan, StoredThrough: &place, KeepNewest: keepNewest}
	}
	s.prune("*", daybook.PruneParams{OlderThan: 100, StoredThrough: &daybook.Cursor{}}, 0) // the beginning
	s.prune("*", through(5, 0), 0)
	s.prune("a", through(11, 0), 1)
	s.want("a", daybook.QueryParams{}, row{"a", "2", 30}, row{"a", "5", 15}, row{"a", "6", 10})
	s.prune("a", through(100, 1), 0) // spares the newest value, which was stored first of them
	s.prune("b", through(100, 1), 1)
	s.prune("*", through(math.MaxUint64, 0), 2)
	s.want("*", daybook.QueryParams{},
		row{"a", "5", 15}, row{"a", "6", 10}, row{"b", "7", 40}, row{"d", "8", 1})
	last := s.place()
	s.prune("*", daybook.PruneParams{OlderThan: 100, StoredThrough: &last}, 4)
	s.store(row{"r", `"before"`, 5})
	forked := daybook.Cursor{Epoch: [16]byte{0xff}, Sequence: 1}
	_, err := abilityOf[daybook.Pruner](s).Prune(s.Context(), "*",
		daybook.PruneParams{OlderThan: 100, StoredThrough: &forked})
	s.wantError("Prune through a cursor of another history", err, daybook.ErrForked)
	s.want("*", daybook.QueryParams{}, row{"r", `"before"`, 5})
}

func pruneNewerThanTies(s *subject) {
	s.store(row{"r", "1", 5}, row{"r", "2", 7}, row{"r", "3", 5}, row{"r", "4", 7}, row{"r", "5", 6})
	s.prune("r", daybook.PruneParams{NewerThan: 6}, 2)
	s.want("r", daybook.Latest(1), row{"r", "5", 6})
	s.prune("r", daybook.PruneParams{NewerThan: 5}, 1)
	s.want("r", daybook.Latest(1), row{"r", "3", 5})
	s.store(row{"r", "6", 7}, row{"r", "7", 5})
	s.prune("r", daybook.PruneParams{NewerThan: 4, OlderThan: 6}, 3)
	s.want("r", daybook.QueryParams{}, row{"r", "6", 7})
}

func pruneEqualTimes(s *subject) {
	s.store(row{"r", "1", 5}, row{"r", "2", 5}, row{"r", "3", 5}, row{"r", "4", 1}, row{"r", "5", 5})
	s.prune("r", daybook.PruneParams{MaxPerRecord: 3}, 2)
	s.want("r", daybook.QueryParams{}, row{"r", "5", 5}, row{"r", "3", 5}, row{"r", "2", 5})
	s.prune("r", daybook.PruneParams{OlderThan: 6, KeepNewest: 2}, 1)
	s.want("r", daybook.QueryParams{}, row{"r", "5", 5}, row{"r", "3", 5})
}

func pruneImpossible(s *subject) {
	place := daybook.Cursor{Epoch: [16]byte{1}, Sequence: 1}
	tests := []struct {
		name   string
		params daybook.PruneParams
	}{
		{"negative MaxPerRecord", daybook.PruneParams{OlderThan: 10, MaxPerRecord: -1}},
		{"negative KeepNewest", daybook.PruneParams{OlderThan: 10, KeepNewest: -1}},
		{"KeepNewest above MaxPerRecord", daybook.PruneParams{OlderThan: 10, MaxPerRecord: 1, KeepNewest: 2}},
		{"OlderThan before NewerThan", daybook.PruneParams{OlderThan: 4, NewerThan: 6}},
		{"nothing between NewerThan and OlderThan", daybook.PruneParams{OlderThan: 5, NewerThan: 4}},
		{"StoredThrough without OlderThan", daybook.PruneParams{StoredThrough: &place}},
		{"StoredThrough with NewerThan", daybook.PruneParams{OlderThan: 10, StoredThrough: &place, NewerThan: 1}},
		{"StoredThrough with MaxPerRecord", daybook.PruneParams{OlderThan: 10, StoredThrough: &place, MaxPerRecord: 1}},
		{"StoredThrough with MaxBytes", daybook.PruneParams{OlderThan: 10, StoredThrough: &place, MaxBytes: 1}},
		{"unknown syntax", daybook.PruneParams{OlderThan: 10, Syntax: 7}},
	}
	s.store(row{"r", `"before"`, 5})
	for _, test := range tests {
		_, err := abilityOf[daybook.Pruner](s).Prune(s.Context(), "*", test.params)
		s.wantError("Prune with "+test.name, err, daybook.ErrInvalidParams)
	}
	s.want("*", daybook.QueryParams{}, row{"r", `"before"`, 5})
}
