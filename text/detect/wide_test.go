// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/daybook-db/daybook/text"
)

// TestHoursInColumns wants a table refused that has a row for each day and a column for each hour,
// unless a person said that its days are the time.
func TestHoursInColumns(t *testing.T) {
	const date, midnight, morning = "2026-01-02", "2026-01-02T00:00:00Z", "2026-01-02 07:30"
	tests := []struct {
		format string // of a name
		from   int
		count  int
		day    string
		want   bool
	}{
		{"h%d", 0, 24, date, true},
		{"Hour %d", 1, 24, date, true},
		{"HE%02d", 1, 24, date, true},
		{"%02d:00", 0, 24, date, true},
		{"%d:00:00", 0, 24, midnight, true},
		{"%02d:00 - 00:59", 0, 24, date, true},
		{"%dh", 0, 24, date, true},
		{"%d Uhr", 0, 23, date, true},
		{"Stunde %d", 1, 25, date, true},
		{"Period %d", 1, 48, date, true},
		{"%d", 1, 24, date, true},
		{"%02d", 0, 24, "2026-01-02 00:00:00", true},
		{"h%d", 0, 12, date, false},
		{"ch%d", 0, 24, date, false},
		{"V%d", 1, 24, date, false},
		{"h%d", 0, 24, morning, false},
		{"%02d:00", 0, 24, "2026-01-02T07:30:00Z", false},
	}
	for _, test := range tests {
		names, cells, members := []string{"day"}, []string{test.day}, []string{fmt.Sprintf(`"day":%q`, test.day)}
		for i := range test.count {
			name := fmt.Sprintf(test.format, test.from+i)
			names, cells = append(names, name), append(cells, "1.5")
			members = append(members, fmt.Sprintf(`%q:1.5`, name))
		}
		row := strings.Join(cells, ",") + "\n"
		table := strings.ReplaceAll(strings.Join(names, ",")+"\n"+row+row, "day,", "date,")
		object := strings.ReplaceAll("{"+strings.Join(members, ",")+"}\n", `"day"`, `"date"`)
		for _, file := range []string{table, object + object} {
			for _, said := range [][]string{nil, {"date"}} {
				_, err := Detect(Sample{[]byte(file), true}, Hints{Reader: text.ReadOptions{Name: "x", Time: said}})
				want := test.want && said == nil
				if errors.Is(err, ErrHoursInColumns) != want || !want && err != nil {
					t.Errorf("%s of %s, time %q: error %v; want one: %v", test.format, test.day, said, err, want)
				}
			}
		}
	}
}
