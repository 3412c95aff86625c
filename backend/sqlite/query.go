// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"math"
	"strings"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/index"
)

// query is a SELECT of record_name, value_json and stored_at. Its rows come in the order that a
// result has.
type query struct {
	text strings.Builder
	args []any
	// names is what a row's name has to match. The text may select more.
	names *index.Pattern
	// after is the place before which rows are left out, and maxPerRecord the number of the rows of
	// each record after it; 0: all. The text may select more.
	after        daybook.Place
	maxPerRecord int
}

// newQuery writes the statement that makes the best use of the index.
func newQuery(recordPattern string, params daybook.QueryParams) (*query, error) {
	if err := params.Validate(); err != nil {
		return nil, err
	}
	names, err := index.Compile(daybook.Pattern{Text: recordPattern, Syntax: params.Syntax})
	if err != nil {
		return nil, err
	}
	q := &query{names: names, maxPerRecord: params.LimitPerRecord}
	if !params.After.IsBeginning() {
		q.after = *params.After
	}
	glob := translateGlob(recordPattern, names.Prefix(), params.Syntax)
	switch {
	case names.Exact():
		q.selectRecord(params)
	case params.LimitPerRecord > 0:
		q.selectFirstOfEach(glob, params)
	case glob == "" && params.StartTime == nil && params.EndTime == nil:
		q.selectAll(params)
	default:
		q.selectRangeOfEach(glob, params)
	}
	return q, nil
}

// add appends text that has a ? for each argument.
func (q *query) add(text string, args ...any) {
	q.text.WriteString(text)
	q.args = append(q.args, args...)
}

// selectRecord reads one record, whose rows are next to each other in the index.
func (q *query) selectRecord(params daybook.QueryParams) {
	q.add(`SELECT record_name, value_json, stored_at FROM record_history WHERE record_name = ?`, q.names.Prefix())
	q.addBounds(params)
	q.add(` ORDER BY ` + timeOrder(params.Order))
	if params.LimitPerRecord > 0 {
		q.add(` LIMIT ?`, q.maxRows())
	}
}

// maxRows returns the maximum number of rows of a record that are read. The ties of the place are
// left out when they have been read.
func (q *query) maxRows() int {
	return q.maxPerRecord + min(q.after.Ties, math.MaxInt-q.maxPerRecord)
}

// selectAll reads the index from the first name with the prefix to the last.
func (q *query) selectAll(params daybook.QueryParams) {
	q.add(`SELECT record_name, value_json, stored_at FROM record_history`)
	if from := q.from(); from != "" {
		q.add(` WHERE record_name >= ? AND record_name < ?`, from, prefixEnd(q.names.Prefix()))
		q.addPlace(params.Order)
	}
	q.add(` ORDER BY record_name, ` + timeOrder(params.Order))
}

// selectRangeOfEach finds the names first, and seeks each one's range. A walk of the whole index
// would read the values outside of the range too.
func (q *query) selectRangeOfEach(glob string, params daybook.QueryParams) {
	q.withNames(glob)
	q.add(`SELECT record_name, value_json, stored_at FROM record_history WHERE record_name IN (SELECT name FROM names)`)
	q.addBounds(params)
	q.add(` ORDER BY record_name, ` + timeOrder(params.Order))
}

// selectFirstOfEach finds the names first, and reads the first rows of each one's part of the
// index. That takes as long as the result is large. AimDB's own statement numbers all rows with a
// window function, which takes as long as the history is large.
func (q *query) selectFirstOfEach(glob string, params daybook.QueryParams) {
	q.withNames(glob)
	q.add(`SELECT record_name, value_json, stored_at FROM names CROSS JOIN record_history WHERE id IN (` +
		`SELECT id FROM record_history WHERE record_name = name`)
	q.addBounds(params)
	q.add(` ORDER BY `+timeOrder(params.Order)+` LIMIT ?)`, q.maxRows())
	q.add(` ORDER BY record_name, ` + timeOrder(params.Order))
}

// withNames defines a table names of the names that have the prefix and match glob, if that is not
// empty. It seeks from one name to the next in the index, and so reads one row for each name.
// SELECT DISTINCT reads them all.
func (q *query) withNames(glob string) {
	end := prefixEnd(q.names.Prefix())
	q.add(`WITH RECURSIVE walk(name) AS (SELECT min(record_name) FROM record_history WHERE record_name >= ?`, q.from())
	q.add(` UNION ALL SELECT (SELECT min(record_name) FROM record_history WHERE record_name > name) FROM walk`)
	q.add(` WHERE name < ?), names AS (SELECT name FROM walk WHERE name < ?`, end, end)
	if glob != "" {
		q.add(` AND name GLOB ?`, glob)
	}
	q.add(`) `)
}

// addBounds adds the bounds of time. No stored timestamp is greater than math.MaxInt64, so a
// greater start excludes every value, and a greater end none.
func (q *query) addBounds(params daybook.QueryParams) {
	if start := params.StartTime; start != nil {
		if *start > math.MaxInt64 {
			q.add(` AND FALSE`)
		} else {
			q.add(` AND stored_at >= ?`, int64(*start))
		}
	}
	if end := params.EndTime; end != nil && *end <= math.MaxInt64 {
		q.add(` AND stored_at <= ?`, int64(*end))
	}
	q.addPlace(params.Order)
}

// from returns the least name of a record that is read.
func (q *query) from() string { return max(q.names.Prefix(), q.after.RecordName) }

// addPlace leaves out the rows before the place, except those with its timestamp.
func (q *query) addPlace(order daybook.Order) {
	if q.after.RecordName == "" {
		return
	}
	name, at := q.after.RecordName, int64(min(q.after.StoredAt, math.MaxInt64))
	switch {
	case order == daybook.NewestFirst:
		q.add(` AND (record_name > ? OR record_name = ? AND stored_at <= ?)`, name, name, at)
	case q.after.StoredAt > math.MaxInt64: // no row is that late
		q.add(` AND record_name > ?`, name)
	default:
		q.add(` AND (record_name > ? OR record_name = ? AND stored_at >= ?)`, name, name, at)
	}
}

func timeOrder(order daybook.Order) string {
	if order == daybook.OldestFirst {
		return `stored_at, id`
	}
	return `stored_at DESC, id DESC`
}

// prefixEnd is greater than every name with the prefix and less than every greater name, because no
// name has the byte 0xff.
func prefixEnd(prefix string) string { return prefix + "\xff" }
