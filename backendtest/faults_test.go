// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"encoding/json"
	"iter"
	"slices"

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
	{"compacts values", onStore(compact), []string{"values/byte for byte", "values/legal values"}},
	{"keeps the caller's slice", onStore(keepSlice), []string{"values/the caller's slice"}},
	{"keeps timestamps as floats", onStore(roundTimestamp), []string{"timestamps/around the powers of two"}},
	{"takes late timestamps for the latest", onStore(advanceTimestamp), []string{"ordering/the latest has the greatest timestamp"}},
	{"takes any name", onStore(anyName), []string{"names/illegal names"}},
	{"takes any value", onStore(anyValue), []string{"values/illegal values"}},
	{"trims names", onStore(trimName), []string{"names/legal names"}},
	{"loses a store beside another", onStore(loseUpdate), []string{"concurrency/parallel stores are all there"}},
	{"returns equal times first inserted first", onResult(firstInsertedFirst), []string{"equal times/by insertion"}},
	{"limits the result and not each record", onResult(limitAll), []string{"limits/the latest of each of two records"}},
	{"excludes the end of a range", onResult(excludeEnd), []string{"ranges/both ends are included"}},
	{"orders names as a dictionary does", onResult(dictionaryOrder), []string{"ordering/names bytewise"}},
	{"says that no match is an error", onResult(noMatchIsError), []string{"ordering/no match is an empty result"}},
	{"hands out what it keeps", func(m *Memory) daybook.Backend { return sharing{m} }, []string{"values/the result is the caller's"}},
	{"lets a topic's * cross dots", onPattern(starCrossesDots), []string{"topic/a star is one segment"}},
	{"stops a glob's * at dots", onPattern(starStopsAtDots), []string{"glob/a star crosses dots"}},
	{"has SQL's wildcards", onPattern(underscoreIsWildcard), []string{"glob/an underscore is no wildcard"}},
	{"takes a trailing backslash for one", onPattern(mendBackslash), []string{"errors/malformed patterns"}},
	{"takes letters of either case", onPattern(ignoreCase), []string{"glob/case", "topic/case"}},
	{"takes a byte for a character", onPattern(matchBytes), []string{"glob/question marks"}},
	{"has no escapes", onPattern(noEscapes), []string{"glob/escapes"}},
	{"matches names that begin as a pattern does", onPattern(matchBeginning), []string{"ordering/names that are prefixes of one another"}},
	{"wants at least one segment for a #", onPattern(hashIsSomething), []string{"topic/a hash is any number of segments"}},
	{"takes a * within a segment for a wildcard", onPattern(wildcardAnywhere), []string{"topic/a wildcard is a whole segment"}},
	{"has no empty segments", onPattern(dropEmptySegments), []string{"topic/empty segments"}},
	{"gives up on hostile patterns", onPattern(giveUp), []string{"glob/hostile patterns", "topic/hostile patterns"}},
	{"limits before it looks at the range", func(m *Memory) daybook.Backend { return limitFirst{m} }, []string{"limits/the latest within a range", "limits/counted from the front of the order"}},
	{"swaps the ends of a range", onParams(swapEnds), []string{"ranges/a start after the end is an empty result"}},
	{"has one order", onParams(newestFirst), []string{"ranges/the same range in both orders", "equal times/inserted between others"}},
	{"takes a negative limit for none", onParams(noNegativeLimit), []string{"errors/impossible parameters", "errors/in an empty backend"}},
	{"takes 0 for no time", onStore(advanceZero), []string{"timestamps/zero and the greatest"}},
	{"keeps 64 KiB of a value", onResult(cutLong), []string{"values/sizes below it"}},
	{"counts cleanup by records", onCleanup(countByRecord), []string{"cleanup/deletes older values and counts them", "cleanup/across records"}},
	{"cleans up olderThan itself", onCleanup(cleanUpTo), []string{"cleanup/deletes older values and counts them"}},
	{"cleans up in two steps", onCleanup(countFirst), []string{"concurrency/parallel cleanups"}},
	{"prunes what is excepted", onPrune(exceptNothing), []string{"prune/spares exceptions"}},
	{"reads the topics that are excepted as globs", onPrune(exceptAsGlob), []string{"prune/spares exceptions"}},
	{"prunes by no size", onPrune(anySize), []string{"prune/by size"}},
	{"prunes by a size that it reaches", onPrune(sizeBelow), []string{"prune/by size"}},
	{"tells every watcher of everything", onWatch(watchEverything), []string{"watch/what matches, in order"}},
	{"has room for more than a watcher's buffer", onWatch(watchPatiently), []string{"watch/a slow watcher"}},
	{"tells no watcher what it missed", func(m *Memory) daybook.Backend { return silent{m} }, []string{"watch/a slow watcher"}},
	{"spares nothing from pruning", onPrune(spareNothing), []string{"prune/by age and by count", "prune/by pattern"}},
	{"cleans up by writing back what stays", onCleanup(writeBack), []string{"concurrency/stores during cleanups"}},
	{"forgets what an interrupted cleanup deleted", onCleanup(forgetInterrupted), []string{"cleanup/interrupted"}},
	{"refuses what is older than a cleanup", func(m *Memory) daybook.Backend { return &floored{Memory: m} }, []string{"cleanup/older values after it"}},
	{"prunes other records too", onPrune(pruneAll), []string{"prune/by pattern"}},
	{"takes impossible parameters of Prune", onPrune(takeImpossible), []string{"prune/impossible parameters"}},
	{"stores batches backwards", onBatch(backwards), []string{"batches/in the given order", "batches/between stores"}},
	{"stores a thousand values of a batch", onBatch(thousand), []string{"batches/a large batch"}},
	{"wants something in a batch", onBatch(notEmpty), []string{"batches/an empty batch"}},
	{"stores a batch up to its fault", func(m *Memory) daybook.Backend { return halfBatches{m} }, []string{"batches/all or nothing"}},
	{"shows a batch while it is stored", func(m *Memory) daybook.Backend { return slowBatches{m} }, []string{"batches/seen whole or not at all"}},
	{"reads on in a scan", func(m *Memory) daybook.Backend { return rescanning{m} }, []string{"scan/is a snapshot"}},
	{"scans without the limit", func(m *Memory) daybook.Backend { return unlimitedScan{m} }, []string{"scan/equals query"}},
	{"scans when it is asked and not in the loop", func(m *Memory) daybook.Backend { return eagerScan{m} }, []string{"scan/begins with the loop"}},
	{"reuses what it has yielded", func(m *Memory) daybook.Backend { return reusing{m} }, []string{"scan/what it yields may be kept"}},
	{"goes on after an error", func(m *Memory) daybook.Backend { return talkative{m} }, []string{"errors/malformed patterns"}},
	{"lists records that are gone", func(m *Memory) daybook.Backend { return &ghosts{Memory: m} }, []string{"records/a record without values does not exist"}},
	{"lists records in the order of their age", onRecords(byAge), []string{"records/by pattern"}},
	{"counts a record's bytes without its spaces", onRecords(fewerBytes), []string{"records/count, bytes and times"}},
	{"orders changes by their timestamps", onChanges(byTimestamp), []string{"changes/in the order of storing", "changes/after a number"}},
	{"orders changes by record", onChanges(byRecord), []string{"changes/in the order of storing"}},
	{"yields the change at the place, too", onChanges(fromPlace), []string{"changes/after a number"}},
	{"numbers the values that it has", onChanges(renumber), []string{"changes/without deleted values"}},
	{"numbers changes from the place on", onChanges(countFromPlace), []string{"changes/without deleted values"}},
	{"gives a batch one number", func(m *Memory) daybook.Backend { return &numberBatches{Memory: m} }, []string{"changes/in the order of storing", "changes/after a number"}},
	{"yields changes that its loop stores", func(m *Memory) daybook.Backend { return endless{m} }, []string{"changes/ends with the last value before it began"}},
	{"collects changes before the loop", func(m *Memory) daybook.Backend { return eagerChanges{m} }, []string{"changes/begins with the loop", "closing/an iteration that starts late"}},
	{"yields changes in the memory where it keeps them", func(m *Memory) daybook.Backend { return sharedChanges{m} }, []string{"changes/what it yields may be kept"}},
	{"reuses the memory of a change", func(m *Memory) daybook.Backend { return recycling{m} }, []string{"changes/what it yields may be kept"}},
	{"numbers changes otherwise than Watch", onChanges(lateNumbers), []string{"changes/the numbers of Watch"}},
	{"ends cancelled changes without an error", inattentive, []string{"changes/cancelled within", "contexts/cancelled before"}},
	{"is closed once", func(m *Memory) daybook.Backend { return &closedOnce{Memory: m} }, []string{"closing/closing twice"}},
	{"has no ear for its context", func(m *Memory) daybook.Backend { return deaf{m} }, []string{"contexts/cancelled before", "contexts/past its deadline"}},
	{"works on after Close", func(m *Memory) daybook.Backend { return immortal{m} }, []string{"closing/every method after it"}},
	{"forgets when it is initialized", func(m *Memory) daybook.Backend { return forgetful{m} }, []string{"initialize/again"}},
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

// faultyParams asks Memory for something else.
type faultyParams struct {
	*Memory
	change func(params *daybook.QueryParams)
}

func (f faultyParams) Query(ctx context.Context, recordPattern string, params daybook.QueryParams) ([]daybook.StoredValue, error) {
	f.change(&params)
	return f.Memory.Query(ctx, recordPattern, params)
}

func onParams(change func(*daybook.QueryParams)) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyParams{m, change} }
}

// faultyBatch does Memory.StoreBatch wrongly.
type faultyBatch struct {
	*Memory
	change func(values []daybook.StoredValue) ([]daybook.StoredValue, error)
}

func (f faultyBatch) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	changed, err := f.change(slices.Clone(values))
	if err != nil {
		return err
	}
	return f.Memory.StoreBatch(ctx, changed)
}

func onBatch(change func([]daybook.StoredValue) ([]daybook.StoredValue, error)) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyBatch{m, change} }
}

// faultyRecords lists something else than what Memory does.
type faultyRecords struct {
	*Memory
	change func(infos []daybook.RecordInfo)
}

func (f faultyRecords) Records(ctx context.Context, recordPattern string, syntax daybook.PatternSyntax) iter.Seq2[daybook.RecordInfo, error] {
	return func(yield func(daybook.RecordInfo, error) bool) {
		var infos []daybook.RecordInfo
		var err error
		for info, failed := range f.Memory.Records(ctx, recordPattern, syntax) {
			if err = failed; err == nil {
				infos = append(infos, info)
			}
		}
		f.change(infos)
		yieldAll(ctx, infos, err, yield)
	}
}

func onRecords(change func([]daybook.RecordInfo)) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyRecords{m, change} }
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
