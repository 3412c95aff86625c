// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"encoding/json"
	"iter"
	"slices"

	"github.com/daybook-db/daybook"
)

// Each type in this file changes the arguments or the results of one method of Memory. The files
// mutant_*_test.go have the changes.

// faultyStore replaces Store.
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

// faultyResult changes the results of Query.
type faultyResult struct {
	*Memory
	change func(found []daybook.StoredValue, params daybook.QueryParams) ([]daybook.StoredValue, error)
}

func (f faultyResult) Query(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) ([]daybook.StoredValue, error) {
	found, err := f.Memory.Query(ctx, recordPattern, params)
	if err != nil {
		return nil, err
	}
	return f.change(found, params)
}

func onResult(
	change func([]daybook.StoredValue, daybook.QueryParams) ([]daybook.StoredValue, error),
) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyResult{m, change} }
}

// faultyParams changes the parameters of Query.
type faultyParams struct {
	*Memory
	change func(params *daybook.QueryParams)
}

func (f faultyParams) Query(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) ([]daybook.StoredValue, error) {
	f.change(&params)
	return f.Memory.Query(ctx, recordPattern, params)
}

func onParams(change func(*daybook.QueryParams)) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyParams{m, change} }
}

// faultyBatch changes the argument of StoreBatch.
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

// faultyRecords changes the results of Records.
type faultyRecords struct {
	*Memory
	change func(infos []daybook.RecordInfo)
}

func (f faultyRecords) Records(
	ctx context.Context, recordPattern string, syntax daybook.PatternSyntax,
) iter.Seq2[daybook.RecordInfo, error] {
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

// faultyPattern replaces the pattern matching of Query.
type faultyPattern struct {
	*Memory
	matches func(pattern, name string, syntax daybook.PatternSyntax) (bool, error)
}

func (f faultyPattern) Query(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) ([]daybook.StoredValue, error) {
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

func onPattern(
	matches func(pattern, name string, syntax daybook.PatternSyntax) (bool, error),
) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyPattern{m, matches} }
}
