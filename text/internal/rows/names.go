// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// MaxCells is how many cells a row may have.
const MaxCells = 1 << 16

var (
	errTooManyCells  = fmt.Errorf("the row has more than %d cells", MaxCells)
	errHeaderNotUTF8 = errors.New("its name in the header is not valid UTF-8")
)

// Names returns different names for the columns of a header. A column without a name is called
// column_N, counted from 1, and a name that was there before gets a number: Year, Year_2.
//
// renamed are the places of the columns that got such a number. The error is an *Error with a
// column.
func Names(header []string) (names []string, renamed []int, err error) {
	taken := make(map[string]bool, len(header))
	names = slices.Clone(header)
	var again []int // places of columns whose name is that of another
	for i, name := range header {
		switch {
		case !utf8.ValidString(name):
			return nil, nil, &Error{Column: i + 1, Err: errHeaderNotUTF8}
		case taken[name]:
			again = append(again, i)
		case name != "":
			taken[name] = true
		}
	}
	for i, name := range header {
		if name == "" {
			names[i] = fmt.Sprintf("column_%d", i+1)
			if taken[names[i]] {
				again = append(again, i)
			}
			taken[names[i]] = true
		}
	}
	last := make(map[string]int, len(again)) // the last number after each name
	for _, i := range again {
		name := names[i]
		for n := max(last[name], 1) + 1; taken[names[i]]; n++ {
			names[i], last[name] = fmt.Sprintf("%s_%d", name, n), n
		}
		taken[names[i]] = true
	}
	return names, again, nil
}
