// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/daybook-db/daybook"
)

// Query implements [daybook.Backend].
func (db *DB) Query(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) ([]daybook.StoredValue, error) {
	var values []daybook.StoredValue
	err := db.read(ctx, recordPattern, params, func(v daybook.StoredValue) bool {
		values = append(values, v)
		return true
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// Scan implements [daybook.Scanner]. It yields the rows as SQLite finds them. The loop may store.
func (db *DB) Scan(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) iter.Seq2[daybook.StoredValue, error] {
	return func(yield func(daybook.StoredValue, error) bool) {
		err := db.read(ctx, recordPattern, params, func(v daybook.StoredValue) bool { return yield(v, nil) })
		if err != nil && !errors.Is(err, errLoopEnded) {
			yield(daybook.StoredValue{}, err)
		}
	}
}

// errLoopEnded is returned by read when yield returns false.
var errLoopEnded = errors.New("the loop ended")

// read calls yield with the values of a query until there are no more or yield returns false.
func (db *DB) read(
	ctx context.Context, recordPattern string, params daybook.QueryParams, yield func(daybook.StoredValue) bool,
) error {
	q, err := newQuery(recordPattern, params)
	if err != nil {
		return err
	}
	if err := db.gate.enter(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	statement, err := db.prepared(ctx, q.text.String())
	if err != nil {
		return readError(ctx, err)
	}
	rows, err := statement.QueryContext(ctx, q.args...)
	if err != nil {
		return readError(ctx, err)
	}
	defer rows.Close()
	return readError(ctx, q.decode(rows, yield))
}

// readError returns the context's error if the context ended, because SQLite's error would only say
// that the read was interrupted.
func readError(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, errLoopEnded) {
		return err
	}
	if cancelled := ctx.Err(); cancelled != nil {
		return cancelled
	}
	return translate(err)
}

// prepared returns a prepared statement. There are few, because a query's text has only its form,
// and not its arguments.
func (db *DB) prepared(ctx context.Context, text string) (*sql.Stmt, error) {
	if statement, ok := db.queries.Load(text); ok {
		return statement.(*sql.Stmt), nil
	}
	statement, err := db.readers.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if first, loaded := db.queries.LoadOrStore(text, statement); loaded {
		return first.(*sql.Stmt), statement.Close()
	}
	return statement, nil
}

// decode yields the rows whose names match.
func (q *query) decode(rows *sql.Rows, yield func(daybook.StoredValue) bool) error {
	var raw sql.RawBytes // a name, valid until the next row
	name, matches := "", false
	ties, remaining := q.after.Ties, 0
	for rows.Next() {
		var value []byte
		var storedAt int64
		if err := rows.Scan(&raw, &value, &storedAt); err != nil {
			return fmt.Errorf("%w: a value of record %q after %q: %w", daybook.ErrCorrupt, raw, name, err)
		}
		if string(raw) != name {
			name = string(raw)
			matches = q.names.Match(name)
			remaining = cmp.Or(q.maxPerRecord, math.MaxInt)
		}
		if storedAt < 0 {
			return fmt.Errorf("%w: a value of record %q has the timestamp %d", daybook.ErrCorrupt, name, storedAt)
		}
		if !matches || remaining == 0 {
			continue
		}
		if ties > 0 && name == q.after.RecordName && uint64(storedAt) == q.after.StoredAt {
			ties--
			continue
		}
		remaining--
		if !yield(daybook.StoredValue{RecordName: name, Value: value, StoredAt: uint64(storedAt)}) {
			return errLoopEnded
		}
	}
	return rows.Err()
}
