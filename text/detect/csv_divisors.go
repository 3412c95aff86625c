// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"slices"
	"strings"
)

// ErrDivisors is returned for a file with divisors or factors of its columns before the header, as
// heat pumps of NIBE write them. They are not applied.
var ErrDivisors = errors.New("it has divisors or factors of the columns, which are not applied")

// namesOfDivisors begin a row of them.
var namesOfDivisors = strings.Fields("divisor divisors divisoren divider dividers factor factors faktor faktoren " +
	"multiplier multipliers scale scaling skalierung gain")

// checkDivisors refuses a file with a row of divisors before its values.
func (d *csvDetection) checkDivisors() error {
	for _, row := range d.table.rows {
		if len(d.data) == 0 || row.line >= d.data[0].line {
			break
		}
		words := wordsOf(row.cells[0])
		if len(words) == 0 || !slices.Contains(namesOfDivisors, words[0]) {
			continue
		}
		isFactor := func(cell string) bool { return anyNumber.MatchString(cell) && cell != "1" }
		if slices.ContainsFunc(row.cells[1:], isFactor) {
			return d.lineError(row.line, ErrDivisors)
		}
	}
	return nil
}
