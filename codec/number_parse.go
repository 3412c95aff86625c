// SPDX-License-Identifier: Apache-2.0

package codec

// maxNumberDigits is the number of decimal digits that always fit into an int64.
const maxNumberDigits = 18

// number is a number in a text: the decimal mantissa / 10^decimals, or a float if forms is not 0.
type number struct {
	mantissa     int64   // of a float, its bits; the rest does not count
	digits       uint8   // number of digits before the point
	decimals     uint8   // number of digits after it
	leadingZero  bool    // the first of several digits before the point is a zero
	trailingZero bool    // the last digit after the point is a zero
	forms        formSet // the forms in which a float is written like that
}

// numberLimit says what a number at some place of a text does not have.
type numberLimit uint8

const (
	unlimited       numberLimit = iota
	withoutExponent             // its exponent, if it has one, is a number of its own
	integerOnly                 // nor has it a fraction
)

// parse parses the number at the start of text: an optional sign, digits, and a fraction and an
// exponent unless the limit says otherwise. It returns the length of the number; 0 if there is none
// that could be written again exactly as it was.
func (n *number) parse(text []byte, limit numberLimit) (length int) {
	i := 0
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		i = 1
	}
	start, v := i, int64(0)
	for ; i < len(text) && isDigit(text[i]) && i-start <= maxNumberDigits; i++ {
		v = 10*v + int64(text[i]-'0')
	}
	digits, decimals, trailingZero := i-start, 0, false
	if limit != integerOnly && i+1 < len(text) && text[i] == '.' && isDigit(text[i+1]) {
		point := i
		for i++; i < len(text) && isDigit(text[i]) && i-start <= maxNumberDigits+1; i++ {
			v = 10*v + int64(text[i]-'0')
		}
		decimals, trailingZero = i-point-1, text[i-1] == '0'
	}
	tooLong := digits+decimals > maxNumberDigits
	if tooLong && uint64(v) >= maxFloatDigits && uint64(v)%10 != 0 {
		return 0 // nor is it a float: the longest has fewer digits
	}
	if tooLong || i < len(text) && text[i]|0x20 == 'e' {
		if length := n.parseFloat(text, limit); length > 0 {
			return length
		}
	}
	if digits == 0 || tooLong || negative && v == 0 {
		return 0
	}
	if negative {
		v = -v
	}
	n.mantissa, n.digits, n.decimals = v, uint8(digits), uint8(decimals)
	n.leadingZero, n.trailingZero, n.forms = digits > 1 && text[start] == '0', trailingZero, 0
	return i
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// splitAtNumbers cuts text at its numbers, none of which has more than the limit allows. It appends
// the numbers to found, and the text between them to pieces, which is one piece more than there are
// numbers.
func splitAtNumbers(text []byte, limit numberLimit, pieces [][]byte, found []number) ([][]byte, []number) {
	piece := 0 // where the current piece starts
	for i := 0; i < len(text); {
		if !isDigit(text[i]) {
			i++
			continue
		}
		var n number
		start, limit := numberStart(text, piece, i), limit
		if numberIsIntegerOnly(text, i) {
			limit = integerOnly
		}
		length := n.parse(text[start:], limit)
		if length == 0 && start < i { // minus zero: the sign belongs to the text
			start = i
			length = n.parse(text[start:], limit)
		}
		if length == 0 { // too many digits: they belong to the text
			for i < len(text) && isDigit(text[i]) {
				i++
			}
			continue
		}
		pieces, found = append(pieces, text[piece:start]), append(found, n)
		i = start + length
		piece = i
	}
	return append(pieces, text[piece:]), found
}

// numberStart returns where the number starts whose first digit has the index i: at its sign, if
// there is one after the start of the piece. A hyphen in a word is not a sign.
func numberStart(text []byte, piece, i int) int {
	if i == piece || text[i-1] != '-' {
		return i
	}
	if i-1 > piece && isWordByte(text[i-2]) {
		return i
	}
	return i - 1
}

func isWordByte(b byte) bool { return isDigit(b) || 'a' <= b|0x20 && b|0x20 <= 'z' || b >= 0x80 }

// numberIsIntegerOnly reports whether the number whose first digit has the index i cannot have a
// fraction, as in an address or a version: a point precedes the number, or two points would be in
// it.
func numberIsIntegerOnly(text []byte, i int) bool {
	if i > 0 && text[i-1] == '.' {
		return true
	}
	if i = skipDigits(text, i); i == len(text) || text[i] != '.' {
		return false
	}
	i = skipDigits(text, i+1)
	return i < len(text) && text[i] == '.'
}

// skipDigits returns the index of the first byte from i on that is not a digit.
func skipDigits(text []byte, i int) int {
	for i < len(text) && isDigit(text[i]) {
		i++
	}
	return i
}

// hasOtherExponents reports whether pieces of text have numbers with exponents that no float form
// writes, such as those of printf with a fixed number of decimals.
func hasOtherExponents(pieces [][]byte) bool {
	for place := range len(pieces) - 1 {
		before := pieces[place]
		if endsAtExponent(pieces, place) && (len(before) == 0 || !isWordByte(before[len(before)-1])) {
			return true
		}
	}
	return false
}

// endsAtExponent reports whether the text after a place looks like an exponent.
func endsAtExponent(pieces [][]byte, place int) bool {
	after := pieces[place+1]
	return place+2 < len(pieces) && 1 <= len(after) && len(after) <= 2 && after[0]|0x20 == 'e' &&
		(len(after) == 1 || after[1] == '+' || after[1] == '-')
}
