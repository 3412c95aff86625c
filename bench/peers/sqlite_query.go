// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"math"
	"strings"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/index"
)

// sqliteQuery is a SELECT of record_name, value_json and stored_at. Its rows come in the order that
// a result has. record_name is NULL if all rows have the same name.
type sqliteQuery struct {
	text strings.Builder
	args []any
	// filter is the pattern that the names have to match if the text selects more names; nil: it
	// does not.
	filter *index.Pattern
	// name is the name of the rows in which record_name is NULL.
	name string
}

// newSQLiteQuery writes the statement that makes the best use of the index.
func newSQLiteQuery(pattern string, params daybook.QueryParams, design sqliteDesign) (*sqliteQuery, error) {
	if err := params.Validate(); err != nil {
		return nil, err
	}
	compiled, err := index.Compile(daybook.Pattern{Text: pattern, Syntax: params.Syntax})
	if err != nil {
		return nil, err
	}
	q := &sqliteQuery{name: compiled.Prefix()}
	if params.Syntax == daybook.Topic && !compiled.Exact() {
		q.filter = compiled
	}
	glob := sqliteGlob(pattern, compiled.Prefix(), params.Syntax)
	switch {
	case compiled.Exact():
		q.ofRecord(params)
	case params.LimitPerRecord > 0 && design == aimdb:
		q.newestByWindow(glob, params)
	case params.LimitPerRecord > 0:
		q.newestOfEach(glob, params)
	case glob == "" && params.StartTime == nil && params.EndTime == nil:
		q.everything(params)
	default:
		q.rangeOfEach(glob, params)
	}
	return q, nil
}

// add appends text that has a ? for each argument.
func (q *sqliteQuery) add(text string, args ...any) {
	q.text.WriteString(text)
	q.args = append(q.args, args...)
}

// ofRecord reads one record, whose rows are next to each other in the index.
func (q *sqliteQuery) ofRecord(params daybook.QueryParams) {
	q.add(`SELECT NULL, value_json, stored_at FROM record_history WHERE record_name = ?`, q.name)
	q.addBounds(params)
	q.add(` ORDER BY ` + sqliteTimeOrder(params.Order))
	if params.LimitPerRecord > 0 {
		q.add(` LIMIT ?`, params.LimitPerRecord)
	}
}

// everything reads the index from the first name with the prefix to the last.
func (q *sqliteQuery) everything(params daybook.QueryParams) {
	q.add(`SELECT record_name, value_json, stored_at FROM record_history`)
	if q.name != "" {
		q.add(` WHERE record_name >= ? AND record_name < ?`, q.name, sqliteEnd(q.name))
	}
	q.add(` ORDER BY record_name, ` + sqliteTimeOrder(params.Order))
}

// rangeOfEach finds the names first, and seeks each one's range. A walk of the whole index would
// read the values outside of the range too.
func (q *sqliteQuery) rangeOfEach(glob string, params daybook.QueryParams) {
	q.addNames(glob)
	q.add(`SELECT record_name, value_json, stored_at FROM record_history WHERE record_name IN (SELECT name FROM names)`)
	q.addBounds(params)
	q.add(` ORDER BY record_name, ` + sqliteTimeOrder(params.Order))
}

// newestOfEach finds the names first, and reads the first rows of each one's part of the index.
// That takes as long as the result is large. newestByWindow numbers all rows, which takes as long
// as the history is large.
func (q *sqliteQuery) newestOfEach(glob string, params daybook.QueryParams) {
	q.addNames(glob)
	q.add(`SELECT record_name, value_json, stored_at FROM names CROSS JOIN record_history WHERE id IN (` +
		`SELECT id FROM record_history WHERE record_name = name`)
	q.addBounds(params)
	q.add(` ORDER BY `+sqliteTimeOrder(params.Order)+` LIMIT ?)`, params.LimitPerRecord)
	q.add(` ORDER BY record_name, ` + sqliteTimeOrder(params.Order))
}

// newestByWindow is AimDB's query. GLOB is added because LIKE ignores case. The plus before
// record_name keeps GLOB out of the query plan, so that the plan is the one of AimDB's own
// statement.
func (q *sqliteQuery) newestByWindow(glob string, params daybook.QueryParams) {
	order := sqliteTimeOrder(params.Order)
	q.add(`WITH ranked AS (SELECT id, record_name, value_json, stored_at, ` +
		`ROW_NUMBER() OVER (PARTITION BY record_name ORDER BY ` + order + `) AS rn FROM record_history`)
	if glob == "" {
		glob = sqliteLiteral.Replace(q.name) + "*"
	}
	q.add(` WHERE record_name LIKE ? ESCAPE '\' AND +record_name GLOB ?`, sqliteLike(q.name), glob)
	q.addBounds(params)
	q.add(`) SELECT record_name, value_json, stored_at FROM ranked WHERE rn <= ? ORDER BY record_name, `+order,
		params.LimitPerRecord)
}

// sqliteLike is a LIKE pattern that every name with the prefix matches.
func sqliteLike(prefix string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(prefix) + "%"
}

// addNames defines a table names of the names that have the prefix and match glob, if that is not
// empty. It seeks from one name to the next in the index, and so reads one row for each name.
// SELECT DISTINCT reads them all.
func (q *sqliteQuery) addNames(glob string) {
	q.add(`WITH RECURSIVE walk(name) AS (SELECT min(record_name) FROM record_history WHERE record_name >= ?`, q.name)
	q.add(` UNION ALL SELECT (SELECT min(record_name) FROM record_history WHERE record_name > name) FROM walk`)
	q.add(` WHERE name < ?), names AS (SELECT name FROM walk WHERE name < ?`, sqliteEnd(q.name), sqliteEnd(q.name))
	if glob != "" {
		q.add(` AND name GLOB ?`, glob)
	}
	q.add(`) `)
}

// addBounds adds the bounds of time. No stored timestamp is greater than math.MaxInt64, so a
// greater start excludes every value, and a greater end none.
func (q *sqliteQuery) addBounds(params daybook.QueryParams) {
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
}

func sqliteTimeOrder(order daybook.Order) string {
	if order == daybook.OldestFirst {
		return `stored_at, id`
	}
	return `stored_at DESC, id DESC`
}

// sqliteEnd is greater than every name with the prefix and less than every greater name, because no
// name has the byte 0xff.
func sqliteEnd(prefix string) string { return prefix + "\xff" }
