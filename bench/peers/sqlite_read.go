// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"database/sql"
	"errors"
	"iter"

	"github.com/daybook-db/daybook"
)

// Query collects what Scan yields.
func (s *sqliteStore) Query(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) ([]daybook.StoredValue, error) {
	var values []daybook.StoredValue
	err := s.read(ctx, recordPattern, params, func(v daybook.StoredValue) bool {
		values = append(values, v)
		return true
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// Scan yields the rows of one SELECT as SQLite finds them. The loop may store, because the writer
// does not wait for readers.
func (s *sqliteStore) Scan(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) iter.Seq2[daybook.StoredValue, error] {
	return func(yield func(daybook.StoredValue, error) bool) {
		err := s.read(ctx, recordPattern, params, func(v daybook.StoredValue) bool { return yield(v, nil) })
		if err != nil && !errors.Is(err, errLoopEnded) {
			yield(daybook.StoredValue{}, err)
		}
	}
}

// errLoopEnded is returned by read when yield returns false.
var errLoopEnded = errors.New("the loop ended")

func (s *sqliteStore) read(
	ctx context.Context, recordPattern string, params daybook.QueryParams, yield func(daybook.StoredValue) bool,
) error {
	query, err := newSQLiteQuery(recordPattern, params, s.design)
	if err != nil {
		return err
	}
	if err := s.gate.enter(ctx); err != nil {
		return err
	}
	defer s.gate.leave()
	statement, err := s.prepared(ctx, query.text.String())
	if err != nil {
		return err
	}
	rows, err := statement.QueryContext(ctx, query.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	return query.decode(rows, yield)
}

// prepared returns a prepared statement. There are few, because a query's text has only its form,
// and not its arguments.
func (s *sqliteStore) prepared(ctx context.Context, text string) (*sql.Stmt, error) {
	if statement, ok := s.queries.Load(text); ok {
		return statement.(*sql.Stmt), nil
	}
	statement, err := s.readers.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if first, loaded := s.queries.LoadOrStore(text, statement); loaded {
		statement.Close()
		return first.(*sql.Stmt), nil
	}
	return statement, nil
}

// decode yields the rows whose names pass the filter. It scans into variables of type any, which
// take the string that the driver has made without another copy.
func (q *sqliteQuery) decode(rows *sql.Rows, yield func(daybook.StoredValue) bool) error {
	var name, value, storedAt any
	var values arena
	columns := []any{&name, &value, &storedAt}
	current, matches := q.name, q.filter == nil || q.filter.Match(q.name)
	for rows.Next() {
		if err := rows.Scan(columns...); err != nil {
			return err
		}
		if name, ok := name.(string); ok && name != current {
			current, matches = name, q.filter == nil || q.filter.Match(name)
		}
		if !matches {
			continue
		}
		row := daybook.StoredValue{RecordName: current, StoredAt: uint64(storedAt.(int64))}
		row.Value = values.copy([]byte(value.(string)))
		if !yield(row) {
			return errLoopEnded
		}
	}
	return rows.Err()
}
