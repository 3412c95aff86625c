// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"encoding/json"
	"iter"
	"strings"

	"github.com/daybook-db/daybook"
)

// fault is a way to be wrong that a backend might take.
type fault struct {
	name  string // what the backend does: "a backend that ..."
	wrap  func(*Memory) daybook.Backend
	fails []string // subtests that must find it
}

var faults = []fault{
	{"overwrites equal timestamps", onStore(overwrite), []string{"equal times/nothing overwrites", "concurrency/parallel stores of one record"}},
	{"compacts values", onStore(compact), []string{"values/they come back as they were stored", "values/legal values"}},
	{"keeps the caller's slice", onStore(keepSlice), []string{"values/the caller's slice"}},
	{"keeps timestamps as floats", onStore(roundTimestamp), []string{"timestamps/around the powers of two"}},
	{"takes late timestamps for the latest", onStore(advanceTimestamp), []string{"ordering/the latest has the greatest timestamp"}},
	{"takes any name", onStore(anyName), []string{"names/illegal names"}},
	{"takes any value", onStore(anyValue), []string{"values/illegal values"}},
	{"trims names", onStore(trimName), []string{"names/legal names"}},
	{"loses a store beside another", onStore(loseUpdate), []string{"concurrency/parallel stores are all there"}},
	{"returns equal times first inserted first", onResult(firstInsertedFirst), []string{"equal times/ordered by insertion"}},
	{"limits the result and not each record", onResult(limitAll), []string{"limits/the latest of each of two records"}},
	{"excludes the end of a range", onResult(excludeEnd), []string{"ranges/both ends are included"}},
	{"orders names as a dictionary does", onResult(dictionaryOrder), []string{"ordering/names are ordered bytewise"}},
	{"says that no match is an error", onResult(noMatchIsError), []string{"ordering/no match is an empty result"}},
	{"hands out what it keeps", func(m *Memory) daybook.Backend { return sharing{m} }, []string{"values/the result is the caller's"}},
	{"lets a topic's * cross dots", onPattern(starCrossesDots), []string{"topic/a star is one segment"}},
	{"stops a glob's * at dots", onPattern(starStopsAtDots), []string{"glob/a star crosses separators"}},
	{"has SQL's wildcards", onPattern(underscoreIsWildcard), []string{"glob/an underscore is no wildcard"}},
	{"takes a trailing backslash for one", onPattern(mendBackslash), []string{"errors/malformed patterns"}},
	{"counts cleanup by records", func(m *Memory) daybook.Backend { return miscounting{m} }, []string{"cleanup/deletes what is older and counts it", "cleanup/across records"}},
	{"cleans up olderThan itself", func(m *Memory) daybook.Backend { return overeager{m} }, []string{"cleanup/deletes what is older and counts it"}},
	{"cleans up in two steps", func(m *Memory) daybook.Backend { return countingFirst{m} }, []string{"concurrency/parallel cleanups"}},
	{"spares nothing from pruning", func(m *Memory) daybook.Backend { return unsparing{m} }, []string{"prune/by age and by count", "prune/by pattern"}},
	{"stores a batch up to its fault", func(m *Memory) daybook.Backend { return halfBatches{m} }, []string{"batches/all or nothing"}},
	{"shows a batch while it is stored", func(m *Memory) daybook.Backend { return slowBatches{m} }, []string{"batches/seen whole or not at all"}},
	{"reads on in a scan", func(m *Memory) daybook.Backend { return rescanning{m} }, []string{"scan/is a snapshot"}},
	{"scans without the limit", func(m *Memory) daybook.Backend { return unlimitedScan{m} }, []string{"scan/equals query"}},
	{"goes on after an error", func(m *Memory) daybook.Backend { return talkative{m} }, []string{"errors/malformed patterns"}},
	{"lists records that are gone", func(m *Memory) daybook.Backend { return &ghosts{Memory: m} }, []string{"records/a record without values does not exist"}},
	{"has no ear for its context", func(m *Memory) daybook.Backend { return deaf{m} }, []string{"contexts/cancelled before", "contexts/past its deadline"}},
	{"works on after Close", func(m *Memory) daybook.Backend { return immortal{m} }, []string{"closing/every method is turned away"}},
	{"forgets when it is initialized", func(m *Memory) daybook.Backend { return forgetful{m} }, []string{"initialize/is idempotent"}},
	{"gives bare errors", func(m *Memory) daybook.Backend { return terse{m} }, []string{"names/illegal names"}},
}

// faultyStore does Memory.Store wrongly.
type faultyStore struct {
	*Memory
	store func(ctx context.Context, m *Memory, v daybook.StoredValue) error
}

func (f faultyStore) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	return f.store(ctx, f.Memory, daybook.StoredValue{RecordName: recordName, Value: value, StoredAt: timestamp})
}

func onStore(store func(context.Context, *Memory, daybook.StoredValue) error) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyStore{m, store} }
}

// faultyResult returns something else than what Memory.Query finds.
type faultyResult struct {
	*Memory
	change func(found []daybook.StoredValue, params daybook.QueryParams) ([]daybook.StoredValue, error)
}

func (f faultyResult) Query(ctx context.Context, recordPattern string, params daybook.QueryParams) ([]daybook.StoredValue, error) {
	found, err := f.Memory.Query(ctx, recordPattern, params)
	if err != nil {
		return nil, err
	}
	return f.change(found, params)
}

func onResult(change func([]daybook.StoredValue, daybook.QueryParams) ([]daybook.StoredValue, error)) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyResult{m, change} }
}

// faultyPattern asks Memory for everything, and picks by a matcher of its own.
type faultyPattern struct {
	*Memory
	matches func(pattern, name string, syntax daybook.PatternSyntax) (bool, error)
}

func (f faultyPattern) Query(ctx context.Context, recordPattern string, params daybook.QueryParams) ([]daybook.StoredValue, error) {
	everything, syntax := params, params.Syntax
	everything.Syntax = daybook.Glob
	if err := params.Validate(); err != nil {
		return nil, err
	}
	if _, err := f.matches(recordPattern, "a", syntax); err != nil {
		return nil, err
	}
	var values []daybook.StoredValue
	found, err := f.Memory.Query(ctx, "*", everything)
	for _, v := range found {
		if matches, _ := f.matches(recordPattern, v.RecordName, syntax); matches {
			values = append(values, v)
		}
	}
	return values, err
}

func onPattern(matches func(pattern, name string, syntax daybook.PatternSyntax) (bool, error)) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyPattern{m, matches} }
}

// correctly matches as Memory does.
func correctly(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	matches, err := compile(pattern, syntax)
	return err == nil && matches(name), err
}

func starCrossesDots(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	if syntax == daybook.Topic && strings.HasSuffix(pattern, ".*") {
		return correctly(pattern, name, daybook.Glob)
	}
	return correctly(pattern, name, syntax)
}

func starStopsAtDots(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	matches, err := correctly(pattern, name, syntax)
	return matches && (syntax == daybook.Topic || strings.Count(pattern, ".") == strings.Count(name, ".")), err
}

func underscoreIsWildcard(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	return correctly(strings.NewReplacer("_", "?", "%", "*").Replace(pattern), name, syntax)
}

func mendBackslash(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	if matches, err := correctly(pattern, name, syntax); err == nil {
		return matches, nil
	}
	return correctly(pattern+`\`, name, syntax)
}

// talkative yields its error twice.
type talkative struct{ *Memory }

func (t talkative) Scan(ctx context.Context, recordPattern string, params daybook.QueryParams) iter.Seq2[daybook.StoredValue, error] {
	return func(yield func(daybook.StoredValue, error) bool) {
		for v, err := range t.Memory.Scan(ctx, recordPattern, params) {
			if !yield(v, err) || err != nil && !yield(v, err) {
				return
			}
		}
	}
}
