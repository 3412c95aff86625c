// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"slices"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
)

// TestQueryPlans shows that each form of a query seeks in the index, and reads no row for nothing.
func TestQueryPlans(t *testing.T) {
	db := openTemporary(t, nil)
	ranged := daybook.Between(1, 2)
	for _, test := range []struct {
		name, pattern string
		params        daybook.QueryParams
	}{
		{"latest of one record", "a.b", daybook.Latest(1)},
		{"range of one record", "a.b", ranged},
		{"latest of many records", "a.*", daybook.Latest(1)},
		{"range of many records", "a.*", ranged},
		{"everything with a prefix", "a.*", daybook.QueryParams{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			q, err := newQuery(test.pattern, test.params)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := db.readers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+q.text.String(), q.args...)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var steps []string
			for rows.Next() {
				var id, parent, unused int
				var step string
				if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
					t.Fatal(err)
				}
				steps = append(steps, step)
			}
			scans := func(step string) bool { return strings.HasPrefix(step, "SCAN record_history") }
			seeks := func(step string) bool { return strings.HasPrefix(step, "SEARCH record_history USING") }
			if slices.ContainsFunc(steps, scans) || !slices.ContainsFunc(steps, seeks) {
				t.Errorf("the plan is %q", steps)
			}
		})
	}
}

// TestTranslateGlob shows the patterns that narrow the names in SQL.
func TestTranslateGlob(t *testing.T) {
	for _, test := range []struct {
		pattern, prefix, want string
		syntax                daybook.PatternSyntax
		reason                string
	}{
		{"*", "", "", daybook.Glob, "everything"},
		{"a.**", "a.", "", daybook.Glob, "the prefix is enough"},
		{`[\**`, "[*", "", daybook.Glob, "the prefix is enough, when translated"},
		{"a*b?", "a", "a*b?", daybook.Glob, "the same in both"},
		{`*[\?]\\\a`, "", `*[[][?]]\a`, daybook.Glob, "an escaped character becomes a class where it has to"},
		{"a.#.c", "a.", "a*.c", daybook.Topic, "a.c matches"},
		{"#.c", "", "*c", daybook.Topic, "c matches"},
		{"#.#.*.c", "", "***.c", daybook.Topic, "b.c matches"},
		{"a.#", "a", "", daybook.Topic, "a matches"},
		{"a.*.b*?", "a.", "a.*.b[*][?]", daybook.Topic, "wildcards are whole levels"},
	} {
		if got := translateGlob(test.pattern, test.prefix, test.syntax); got != test.want {
			t.Errorf("%s %q: got %q; want %q (%s)", test.syntax, test.pattern, got, test.want, test.reason)
		}
	}
}
