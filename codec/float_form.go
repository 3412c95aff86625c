// SPDX-License-Identifier: Apache-2.0

package codec

// floatForm says how a program writes the shortest decimal of a float64 as text. With d the decimal
// exponent of its first digit, it is written in full if min <= d < max, and otherwise as a number
// from 1 to below 10 with an exponent.
type floatForm struct {
	min, max      int
	point         bool // a whole number ends in ".0"
	exponentPoint bool // so does a whole number before an exponent
	exponent      byte // the letter before it
	plus          bool // an exponent has a sign, also above zero
	twoDigits     bool // an exponent has at least two digits
}

// floatForms are the forms that are known. Their indexes are stored. A form can only be added.
var floatForms = [...]floatForm{
	{min: -6, max: 21, exponent: 'e', plus: true},                               // JavaScript and Go
	{min: -4, max: 16, point: true, exponent: 'e', plus: true, twoDigits: true}, // Python
	{min: -5, max: 16, point: true, exponent: 'e'},                              // Rust
	{min: -4, max: 15, point: true, exponent: 'e', plus: true, twoDigits: true}, // nlohmann's C++
	{min: -3, max: 7, point: true, exponentPoint: true, exponent: 'E'},          // Java
	{min: -4, max: 15, exponent: 'E', plus: true, twoDigits: true},              // C#
}

// formSet is a set of floatForms.
type formSet uint8

const (
	allForms   formSet = 1<<len(floatForms) - 1
	pointForms formSet = 1<<1 | 1<<2 | 1<<3 | 1<<4 // a whole number ends in ".0"

	// All forms write a number in full whose first digit has an exponent from minFullForms to below
	// maxFullForms.
	minFullForms, maxFullForms = -3, 7

	// maxFloatLen is the length of the longest text of a float64 in any form.
	maxFloatLen = 26
)

// first returns the index of the first form in the set, which must not be empty.
func (s formSet) first() (form int) {
	for s&1 == 0 {
		s >>= 1
		form++
	}
	return form
}

// write writes a number to the start of dst, which must have maxNumberLen bytes, and returns the
// length of its text.
func (f *floatForm) write(dst []byte, negative bool, d decimalFloat) (length int) {
	if negative {
		dst[0] = '-'
		length = 1
	}
	count := countDigits(d.digits)
	first := d.exponent + count - 1
	switch {
	case first < f.min && d.digits != 0 || first >= f.max:
		return f.writeExponent(dst, length, d, count)
	case d.exponent >= 0:
		length += writeDigits(dst[length:], d.digits, count)
		for range d.exponent {
			dst[length] = '0'
			length++
		}
		if f.point {
			length += copy(dst[length:], ".0")
		}
		return length
	case first < 0:
		length += copy(dst[length:], "0.")
		return length + writeDigits(dst[length:], d.digits, -d.exponent)
	}
	writeDigits(dst[length+1:], d.digits, count)
	for range first + 1 {
		dst[length] = dst[length+1]
		length++
	}
	dst[length] = '.'
	return length + 1 - d.exponent
}

// writeExponent writes the rest of a number with an exponent after the bytes up to length. count is
// the number of the digits.
func (f *floatForm) writeExponent(dst []byte, length int, d decimalFloat, count int) int {
	writeDigits(dst[length+1:], d.digits, count)
	dst[length] = dst[length+1]
	length++
	if count > 1 {
		dst[length] = '.'
		length += count
	} else if f.exponentPoint {
		length += copy(dst[length:], ".0")
	}
	dst[length] = f.exponent
	length++
	exponent := d.exponent + count - 1
	if exponent < 0 {
		dst[length] = '-'
		length, exponent = length+1, -exponent
	} else if f.plus {
		dst[length] = '+'
		length++
	}
	minDigits := 1
	if f.twoDigits {
		minDigits = 2
	}
	return length + writeUint(dst[length:], uint64(exponent), minDigits)
}

// formsOf returns the forms in which a number is written in full, with the given number of digits
// after the point. The number must have no leading zeros. The number of digits is 0 or 1 for a
// whole number, and otherwise does not count trailing zeros.
func (d decimalFloat) formsOf(decimals int) formSet {
	whole := d.exponent >= 0
	if whole && decimals > 1 || !whole && decimals != -d.exponent {
		return 0
	}
	forms := allForms
	if whole && decimals == 0 {
		forms &^= pointForms
	} else if whole {
		forms = pointForms
	}
	first := d.exponent + countDigits(d.digits) - 1
	if d.digits == 0 || minFullForms <= first && first < maxFullForms {
		return forms
	}
	for i := range floatForms {
		if first < floatForms[i].min || first >= floatForms[i].max {
			forms &^= 1 << i
		}
	}
	return forms
}
