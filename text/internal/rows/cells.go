// SPDX-License-Identifier: Apache-2.0

package rows

import "bytes"

// IsMissing reports whether a cell stands for no value: it is empty, NaN, null or N/A, in small or
// large letters. The quotes of a cell may keep blanks alone: Windows writes " " where it has not
// measured.
func IsMissing(cell []byte) bool {
	if len(cell) == 0 || cell[0] == ' ' {
		return len(bytes.TrimLeft(cell, " ")) == 0
	}
	if cell[0]|0x20 != 'n' {
		return false
	}
	switch len(cell) {
	case 3:
		return bytes.EqualFold(cell, []byte("nan")) || bytes.EqualFold(cell, []byte("n/a"))
	case 4:
		return bytes.EqualFold(cell, []byte("null"))
	}
	return false
}

// IsNumber reports whether a cell is a number, and not a name made of digits. The identifier of a
// CAN frame may be 1E5, and no float holds each whole number of 16 digits.
func IsNumber(cell []byte) bool {
	const maxDigits = 15
	cell = bytes.TrimPrefix(cell, []byte("-"))
	whole := leadingDigits(cell)
	if whole == 0 || cell[0] == '0' && whole > 1 {
		return false
	}
	if whole == len(cell) {
		return whole <= maxDigits
	}
	fraction := cell[whole+1:]
	return cell[whole] == '.' && len(fraction) > 0 && leadingDigits(fraction) == len(fraction)
}

// leadingDigits returns the number of digits that text starts with.
func leadingDigits(text []byte) int {
	for i, b := range text {
		if b < '0' || b > '9' {
			return i
		}
	}
	return len(text)
}

// IsCommaNumber reports whether a cell is a number with a decimal comma, or without a fraction.
func IsCommaNumber(cell []byte) bool {
	number, ok := AppendCommaNumber(nil, cell)
	return ok && IsNumber(number)
}

// AppendCommaNumber appends a number with a decimal comma, such as 21,5 or 1.234,50, as it is in
// JSON, and reports whether the cell has this form. Points stand only between groups of thousands.
// The result may be no number for another reason.
func AppendCommaNumber(line, cell []byte) ([]byte, bool) {
	whole, fraction, hasFraction := bytes.Cut(cell, []byte(","))
	sign := len(whole) - len(bytes.TrimPrefix(whole, []byte("-")))
	line = append(line, whole[:sign]...)
	groups := 0
	for group := range bytes.SplitSeq(whole[sign:], []byte(".")) {
		if leadingDigits(group) != len(group) || groups > 0 && len(group) != 3 {
			return line, false
		}
		line = append(line, group...)
		groups++
	}
	if first := bytes.IndexByte(whole, '.') - sign; groups > 1 && (first < 1 || first > 3 || whole[sign] == '0') {
		return line, false
	}
	if hasFraction {
		line = append(append(line, '.'), fraction...)
	}
	return line, true
}
