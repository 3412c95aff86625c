// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

// TestSemantics shows what every backend promises, in the package documentation's order. Each subtest runs
// with the values in the head, in the tree, and in both.
func TestSemantics(t *testing.T) {
	tests := []struct {
		name string
		run  func(t *testing.T, s *semantics)
	}{
		{"the latest of each of two records", testLatestOfTwoRecords},
		{"results are ordered by name, then time", testResultOrder},
		{"equal times are ordered by insertion", testEqualTimes},
		{"nothing overwrites", testNothingOverwrites},
		{"a range includes both ends", testInclusiveRange},
		{"a start after the end is an empty result", testEmptyRange},
		{"the limit counts from the front of the order", testLimitFromFront},
		{"a backfill older than everything", testBackfill},
		{"timestamps 0 and 2^64-1", testExtremeTimestamps},
		{"the latest has the greatest timestamp, not the last insertion", testLatestIsGreatest},
		{"cleanup deletes what is older, and counts it", testCleanupCount},
		{"a record without values does not exist", testEmptyRecordIsGone},
		{"values come back byte for byte", testByteForByte},
		{"an underscore is no wildcard", testUnderscore},
		{"a glob star crosses separators", testGlobStar},
		{"glob question marks and escapes", testGlobOthers},
		{"a topic star is one segment", testTopicStar},
		{"a topic hash is any number of segments", testTopicHash},
		{"a topic wildcard is a whole segment", testTopicLiteral},
		{"matching is case-sensitive", testCase},
		{"names that are prefixes of one another", testPrefixNames},
		{"a batch is stored in its order", testBatchOrder},
		{"prune by pattern, age and count", testPrune},
	}
	for _, test := range tests {
		for _, where := range []string{"head", "tree", "both"} {
			t.Run(test.name+"/"+where, func(t *testing.T) {
				db := mustOpen(t, t.TempDir(), &Options{Durability: OS, ChunkValues: 2})
				test.run(t, &semantics{DB: db, t: t, where: where})
			})
		}
	}
}

// semantics is a store that puts what it is given where the subtest wants it.
type semantics struct {
	*DB
	t      *testing.T
	where  string
	stored int
}

// store stores rows one by one.
func (s *semantics) store(values ...row) {
	s.t.Helper()
	for _, v := range values {
		mustStore(s.t, s.DB, v.Name, v.Value, v.At)
		if s.stored++; s.where == "tree" || s.where == "both" && s.stored%2 == 1 {
			if err := s.Checkpoint(ctx); err != nil {
				s.t.Fatalf("Checkpoint: %v", err)
			}
		}
	}
}

func (s *semantics) want(pattern string, params daybook.QueryParams, want ...row) {
	s.t.Helper()
	wantRows(s.t, mustQuery(s.t, s.DB, pattern, params), want...)
}

// names stores one value under each name, and wantNames says which of them a pattern matches.
func (s *semantics) names(names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.store(row{name, "1", 1})
	}
}

func (s *semantics) wantNames(pattern string, syntax daybook.PatternSyntax, want ...string) {
	s.t.Helper()
	got := []string{}
	for _, r := range mustQuery(s.t, s.DB, pattern, daybook.QueryParams{Syntax: syntax}) {
		got = append(got, r.Name)
	}
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		s.t.Errorf("names that %s %q matches (-want +got):\n%s", syntax, pattern, diff)
	}
}

func testLatestOfTwoRecords(t *testing.T, s *semantics) {
	s.store(row{"temp.a", "1", 10}, row{"temp.b", "2", 20}, row{"temp.a", "3", 30}, row{"temp.b", "4", 40}, row{"hum.a", "5", 50})
	s.want("temp.*", daybook.Latest(1), row{"temp.a", "3", 30}, row{"temp.b", "4", 40})
}

func testResultOrder(t *testing.T, s *semantics) {
	s.store(row{"b", "1", 2}, row{"a", "2", 1}, row{"b", "3", 1}, row{"a", "4", 2}, row{"B", "5", 1}, row{"ä", "6", 1})
	s.want("*", daybook.QueryParams{}, row{"B", "5", 1}, row{"a", "4", 2}, row{"a", "2", 1}, row{"b", "1", 2}, row{"b", "3", 1}, row{"ä", "6", 1})
	s.want("*", daybook.QueryParams{Order: daybook.OldestFirst},
		row{"B", "5", 1}, row{"a", "2", 1}, row{"a", "4", 2}, row{"b", "3", 1}, row{"b", "1", 2}, row{"ä", "6", 1})
}

func testEqualTimes(t *testing.T, s *semantics) {
	s.store(row{"r", "1", 7}, row{"r", "2", 7}, row{"r", "3", 7}, row{"r", "4", 7}, row{"r", "5", 7})
	s.want("r", daybook.QueryParams{}, row{"r", "5", 7}, row{"r", "4", 7}, row{"r", "3", 7}, row{"r", "2", 7}, row{"r", "1", 7})
	s.want("r", daybook.QueryParams{Order: daybook.OldestFirst, LimitPerRecord: 2}, row{"r", "1", 7}, row{"r", "2", 7})
	s.want("r", daybook.Latest(1), row{"r", "5", 7})
}

func testNothingOverwrites(t *testing.T, s *semantics) {
	s.store(row{"r", `"same"`, 7}, row{"r", `"same"`, 7})
	s.want("r", daybook.QueryParams{}, row{"r", `"same"`, 7}, row{"r", `"same"`, 7})
}

func testInclusiveRange(t *testing.T, s *semantics) {
	s.store(row{"r", "1", 10}, row{"r", "2", 20}, row{"r", "3", 30}, row{"r", "4", 40})
	s.want("r", daybook.Between(20, 30), row{"r", "3", 30}, row{"r", "2", 20})
	s.want("r", daybook.Since(30), row{"r", "4", 40}, row{"r", "3", 30})
	s.want("r", daybook.Between(11, 19))
}

func testEmptyRange(t *testing.T, s *semantics) {
	s.store(row{"r", "1", 10})
	s.want("r", daybook.Between(11, 9))
}

func testLimitFromFront(t *testing.T, s *semantics) {
	s.store(row{"r", "1", 1}, row{"r", "2", 2}, row{"r", "3", 3}, row{"r", "4", 4}, row{"r", "5", 5})
	end := uint64(4)
	s.want("r", daybook.QueryParams{LimitPerRecord: 2, EndTime: &end}, row{"r", "4", 4}, row{"r", "3", 3})
	s.want("r", daybook.QueryParams{LimitPerRecord: 2, EndTime: &end, Order: daybook.OldestFirst}, row{"r", "1", 1}, row{"r", "2", 2})
}

func testBackfill(t *testing.T, s *semantics) {
	s.store(row{"r", "1", 100}, row{"r", "2", 200}, row{"r", "3", 50}, row{"r", "4", 40}, row{"r", "5", 150})
	s.want("r", daybook.QueryParams{Order: daybook.OldestFirst},
		row{"r", "4", 40}, row{"r", "3", 50}, row{"r", "1", 100}, row{"r", "5", 150}, row{"r", "2", 200})
	s.want("r", daybook.Latest(1), row{"r", "2", 200})
}

func testExtremeTimestamps(t *testing.T, s *semantics) {
	s.store(row{"r", "1", math.MaxUint64}, row{"r", "2", 0}, row{"r", "3", 1}, row{"r", "4", math.MaxUint64})
	s.want("r", daybook.QueryParams{}, row{"r", "4", math.MaxUint64}, row{"r", "1", math.MaxUint64}, row{"r", "3", 1}, row{"r", "2", 0})
	s.want("r", daybook.Between(0, 0), row{"r", "2", 0})
	s.want("r", daybook.Since(math.MaxUint64), row{"r", "4", math.MaxUint64}, row{"r", "1", math.MaxUint64})
}

func testLatestIsGreatest(t *testing.T, s *semantics) {
	s.store(row{"r", `"future"`, 4_102_444_800_000}, row{"r", `"now"`, 1_750_000_000_000})
	s.want("r", daybook.Latest(1), row{"r", `"future"`, 4_102_444_800_000})
}

func testCleanupCount(t *testing.T, s *semantics) {
	s.store(row{"r", "1", 10}, row{"r", "2", 20}, row{"r", "3", 30})
	if deleted, err := s.Cleanup(ctx, 30); err != nil || deleted != 2 {
		t.Errorf("Cleanup(30) = %d, %v; want 2: what is stored at 30 stays", deleted, err)
	}
	s.want("*", daybook.QueryParams{}, row{"r", "3", 30})
	if deleted, err := s.Cleanup(ctx, 30); err != nil || deleted != 0 {
		t.Errorf("Cleanup(30) again = %d, %v; want 0", deleted, err)
	}
}

func testEmptyRecordIsGone(t *testing.T, s *semantics) {
	s.store(row{"gone", "1", 10}, row{"stays", "2", 20})
	if _, err := s.Cleanup(ctx, 20); err != nil {
		t.Fatal(err)
	}
	var got []daybook.RecordInfo
	for info, err := range s.Records(ctx, "*", daybook.Glob) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info)
	}
	if diff := cmp.Diff([]daybook.RecordInfo{{RecordName: "stays", Count: 1, Bytes: 1, Oldest: 20, Newest: 20}}, got); diff != "" {
		t.Errorf("Records (-want +got):\n%s", diff)
	}
}

func testByteForByte(t *testing.T, s *semantics) {
	value := " {\"b\" : 1.50,\t\"a\":[ 1e3 ,\"\\u00e9é\"],\n\"b\":2} "
	s.store(row{"r", value, 1})
	s.want("r", daybook.QueryParams{}, row{"r", value, 1})
}

func testUnderscore(t *testing.T, s *semantics) {
	s.names("test_record", "testXrecord")
	s.wantNames("test_record", daybook.Glob, "test_record")
	s.wantNames("test_*", daybook.Glob, "test_record")
	s.wantNames("test%", daybook.Glob)
}

func testGlobStar(t *testing.T, s *semantics) {
	s.names("a.b", "a.b.c", "a/b::c", "b.a")
	s.wantNames("a*", daybook.Glob, "a.b", "a.b.c", "a/b::c")
	s.wantNames("*c", daybook.Glob, "a.b.c", "a/b::c")
	s.wantNames("*", daybook.Glob, "a.b", "a.b.c", "a/b::c", "b.a")
}

func testGlobOthers(t *testing.T, s *semantics) {
	s.names("a*", "ab", "aé", "abc")
	s.wantNames("a?", daybook.Glob, "a*", "ab", "aé")
	s.wantNames(`a\*`, daybook.Glob, "a*")
}

func testTopicStar(t *testing.T, s *semantics) {
	s.names("sensors", "sensors.a", "sensors.secret.deep")
	s.wantNames("sensors.*", daybook.Topic, "sensors.a")
	s.wantNames("*", daybook.Topic, "sensors")
	s.wantNames("*.*.deep", daybook.Topic, "sensors.secret.deep")
}

func testTopicHash(t *testing.T, s *semantics) {
	s.names("a.b.b.c", "a.b.c", "a.c", "a.x", "sensors", "sensors.a", "sensors.a.b", "sensors_extra.x")
	s.wantNames("sensors.#", daybook.Topic, "sensors", "sensors.a", "sensors.a.b")
	s.wantNames("a.#.c", daybook.Topic, "a.b.b.c", "a.b.c", "a.c")
	s.wantNames("#.c", daybook.Topic, "a.b.b.c", "a.b.c", "a.c")
}

func testTopicLiteral(t *testing.T, s *semantics) {
	s.names("sensors*", "sensors.a", "sensorsX", "a.b#")
	s.wantNames("sensors*", daybook.Topic, "sensors*")
	s.wantNames("a.b#", daybook.Topic, "a.b#")
}

func testCase(t *testing.T, s *semantics) {
	s.names("Temp", "temp")
	s.wantNames("temp*", daybook.Glob, "temp")
	s.wantNames("Temp", daybook.Topic, "Temp")
}

func testPrefixNames(t *testing.T, s *semantics) {
	s.store(row{"a", "1", math.MaxUint64}, row{"a\x01", "2", 0}, row{"aa", "3", 0}, row{"a", "4", 0}, row{"a.", "5", 5})
	s.want("a", daybook.QueryParams{}, row{"a", "1", math.MaxUint64}, row{"a", "4", 0})
	s.want("a", daybook.Since(1), row{"a", "1", math.MaxUint64})
	s.want("a\x01", daybook.Latest(1), row{"a\x01", "2", 0})
}

func testBatchOrder(t *testing.T, s *semantics) {
	var batch []daybook.StoredValue
	var want []row
	for i := range 5 {
		batch = append(batch, daybook.StoredValue{RecordName: "r", Value: json.RawMessage(fmt.Sprint(i)), StoredAt: 1})
		want = append([]row{{"r", fmt.Sprint(i), 1}}, want...)
	}
	if err := s.StoreBatch(ctx, batch); err != nil {
		t.Fatal(err)
	}
	s.want("r", daybook.QueryParams{}, want...)
}

func testPrune(t *testing.T, s *semantics) {
	for at := range uint64(6) {
		s.store(row{"a.x", fmt.Sprint(at), at}, row{"b.x", fmt.Sprint(at), at})
	}
	prune := func(pattern string, params daybook.PruneParams, want uint64) {
		t.Helper()
		if deleted, err := s.Prune(ctx, pattern, params); err != nil || deleted != want {
			t.Errorf("Prune(%q, %+v) = %d, %v; want %d", pattern, params, deleted, err, want)
		}
	}
	prune("a.*", daybook.PruneParams{OlderThan: 2}, 2)
	prune("a.*", daybook.PruneParams{OlderThan: 100, KeepNewest: 3}, 1)
	prune("b.#", daybook.PruneParams{MaxPerRecord: 1, Syntax: daybook.Topic}, 5)
	s.want("*", daybook.QueryParams{}, row{"a.x", "5", 5}, row{"a.x", "4", 4}, row{"a.x", "3", 3}, row{"b.x", "5", 5})
}
