// SPDX-License-Identifier: Apache-2.0

package codec

// floatText is a number as a text has it, without trailing zeros.
type floatText struct {
	decimalFloat
	negative bool
	padded   bool // a zero precedes other digits before the point
	decimals int  // number of digits after the point
	letter   byte // before the exponent; 0 if there is none
	length   int  // of the text
}

// parseFloat parses a number at the start of text that parse cannot hold as a decimal: one with an
// exponent, or with too many digits. The number must be written in one of the forms, and have no
// limit. It returns the length of the number, 0 if there is none.
func (n *number) parseFloat(text []byte, limit numberLimit) (length int) {
	var f floatText
	if limit != unlimited || !f.scan(text) || f.digits == 0 || f.length < len(text) && isWordByte(text[f.length]) {
		return 0
	}
	forms := f.forms(text[:f.length])
	if forms == 0 {
		return 0
	}
	float, ok := f.float()
	if !ok {
		return 0
	}
	if f.negative {
		float |= signBit
	}
	*n = number{mantissa: int64(float), forms: forms}
	return f.length
}

// forms returns the forms in which the number is written like text.
func (f *floatText) forms(text []byte) (forms formSet) {
	if f.letter == 0 {
		if f.padded {
			return 0
		}
		return f.formsOf(f.decimals)
	}
	for i := range floatForms {
		if form := &floatForms[i]; form.exponent == f.letter {
			var again [maxNumberLen]byte
			if length := form.write(again[:], f.negative, f.decimalFloat); string(again[:length]) == string(text) {
				forms |= 1 << i
			}
		}
	}
	return forms
}

// scan reads the number at the start of text, which has up to 17 digits from the first that is not
// 0 to the last. It returns false if there is none.
func (f *floatText) scan(text []byte) bool {
	i := 0
	if f.negative = len(text) > 0 && text[0] == '-'; f.negative {
		i = 1
	}
	start, zeros, point := i, 0, -1
	for ; i < len(text) && (isDigit(text[i]) || text[i] == '.' && point < 0); i++ {
		c := text[i]
		if c == '.' {
			if i+1 == len(text) || !isDigit(text[i+1]) {
				break
			}
			point = i
			continue
		}
		if c == '0' {
			zeros++
			continue
		}
		if f.digits != 0 {
			for ; zeros > 0 && f.digits < maxFloatDigits; zeros-- {
				f.digits *= 10
			}
		}
		f.digits = 10*f.digits + uint64(c-'0')
		if zeros = 0; f.digits >= maxFloatDigits || i > maxFloatLen {
			return false
		}
	}
	f.padded = i > start+1 && text[start] == '0' && point != start+1
	if f.exponent = zeros; point >= 0 {
		f.decimals = i - point - 1
		f.exponent -= f.decimals
	}
	f.length = i
	return i > start && f.scanExponent(text) && f.length <= maxFloatLen
}

// maxFloatDigits is above the digits of the shortest decimal of a float64.
const maxFloatDigits = 1e17

// scanExponent reads the exponent after the digits, if there is one.
func (f *floatText) scanExponent(text []byte) bool {
	i := f.length
	if i == len(text) || text[i]|0x20 != 'e' {
		return true
	}
	f.letter = text[i]
	i++
	minus := i < len(text) && text[i] == '-'
	if i < len(text) && (minus || text[i] == '+') {
		i++
	}
	first, exponent := i, 0
	for ; i < len(text) && isDigit(text[i]) && i < first+4; i++ {
		exponent = 10*exponent + int(text[i]-'0')
	}
	if minus {
		exponent = -exponent
	}
	f.exponent += exponent
	f.length = i
	return i > first
}
