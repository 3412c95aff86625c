// SPDX-License-Identifier: Apache-2.0

package codec

// numberStyle says how the numbers at one place of a template are written: with at least minDigits
// digits before the point, filled up with leading zeros; and with at most maxDecimals digits after
// it, of which trailing zeros are left out until minDecimals remain. JSON encoders write numbers
// like that, whether they keep trailing zeros or not.
type numberStyle struct{ minDigits, maxDecimals, minDecimals uint8 }

// append appends the encoding of the style.
func (s numberStyle) append(dst []byte) []byte {
	return append(dst, s.minDigits, s.maxDecimals, s.minDecimals)
}

// numberStyle takes a style off the front. It may not be valid.
func (r *fieldReader) numberStyle() numberStyle {
	if data := r.bytes(3); data != nil {
		return numberStyle{minDigits: data[0], maxDecimals: data[1], minDecimals: data[2]}
	}
	return numberStyle{}
}

// isValid reports whether a decoded style is possible.
func (s numberStyle) isValid() bool {
	return 1 <= s.minDigits && s.minDigits <= maxNumberDigits &&
		s.minDecimals <= s.maxDecimals && s.maxDecimals <= maxNumberDigits
}

// length returns the number of bytes that write writes.
func (s numberStyle) length(mantissa int64) int {
	v, length := uint64(mantissa), 0
	if mantissa < 0 {
		v, length = -v, 1
	}
	fraction := uint64(0)
	if s.maxDecimals > 0 {
		v, fraction = divide(v, uint64(powersOfTen[s.maxDecimals]))
	}
	length += max(countDigits(v), int(s.minDigits))
	decimals := s.maxDecimals
	for ; decimals > s.minDecimals && fraction%10 == 0; decimals-- {
		fraction /= 10
	}
	if decimals > 0 {
		length += 1 + int(decimals)
	}
	return length
}

// totalLen returns the number of bytes that write writes for all numbers together. Mostly all have
// as many digits, except for the trailing zeros that are left out.
func (s numberStyle) totalLen(mantissas []uint64) (total uint64) {
	if len(mantissas) == 0 {
		return 0
	}
	padded := s
	padded.minDecimals = s.maxDecimals
	length := padded.uniformLen(mantissas)
	if length == 0 {
		for _, m := range mantissas {
			total += uint64(s.length(int64(m)))
		}
		return total
	}
	total = uint64(length) * uint64(len(mantissas))
	for _, m := range mantissas {
		total -= uint64(s.trimmed(int64(m)))
	}
	return total
}

// trimmed returns the number of bytes that write leaves out at the end: trailing zeros, and the
// point if no decimal remains.
func (s numberStyle) trimmed(mantissa int64) (n int) {
	decimals := s.maxDecimals
	for ; decimals > s.minDecimals && mantissa%10 == 0; decimals-- {
		mantissa /= 10
		n++
	}
	if n > 0 && decimals == 0 {
		n++
	}
	return n
}

// number returns the number that parse would find in the text that write writes.
func (s numberStyle) number(mantissa int64) number {
	n := number{mantissa: mantissa, decimals: s.maxDecimals}
	for ; n.decimals > s.minDecimals && n.mantissa%10 == 0; n.decimals-- {
		n.mantissa /= 10
	}
	n.trailingZero = n.decimals > 0 && n.mantissa%10 == 0
	v := uint64(n.mantissa)
	if n.mantissa < 0 {
		v = -v
	}
	n.digits = uint8(max(countDigits(v)-int(n.decimals), 1))
	if n.digits < s.minDigits {
		n.digits, n.leadingZero = s.minDigits, true
	}
	return n
}

// numberColumn is the numbers at one place of a template, one of each value.
type numberColumn struct {
	mantissas []uint64 // int64s
	decimals  []uint8

	minDigits, maxDigits     uint8 // before the point
	minDecimals, maxDecimals uint8
	maxPadded                uint8 // largest number of digits before the point, of numbers with a leading zero
	maxZeroEnded             uint8 // largest number of decimals, of numbers with a trailing zero

	floats int     // number of floats, whose mantissa is their bits, and whose decimals are floatMark
	forms  formSet // forms in which all floats are written as they were, if there are any
}

// reset drops the numbers and keeps their memory.
func (c *numberColumn) reset() {
	*c = numberColumn{mantissas: c.mantissas[:0], decimals: c.decimals[:0]}
}

func (c *numberColumn) add(n *number) {
	if n.forms != 0 {
		c.addFloat(uint64(n.mantissa), n.forms)
		return
	}
	if len(c.mantissas) == c.floats {
		c.minDigits, c.minDecimals = n.digits, n.decimals
	}
	c.mantissas = append(c.mantissas, uint64(n.mantissa))
	c.decimals = append(c.decimals, n.decimals)
	c.minDigits, c.maxDigits = min(c.minDigits, n.digits), max(c.maxDigits, n.digits)
	c.minDecimals, c.maxDecimals = min(c.minDecimals, n.decimals), max(c.maxDecimals, n.decimals)
	if n.leadingZero {
		c.maxPadded = max(c.maxPadded, n.digits)
	}
	if n.trailingZero {
		c.maxZeroEnded = max(c.maxZeroEnded, n.decimals)
	}
}

// addFloat adds a float that is written in any of some forms.
func (c *numberColumn) addFloat(float uint64, forms formSet) {
	if c.floats == 0 {
		c.forms = allForms
	}
	c.floats++
	c.forms &= forms
	c.mantissas, c.decimals = append(c.mantissas, float), append(c.decimals, floatMark)
}

// addPlace adds the wanted numbers of a stored place.
func (c *numberColumn) addPlace(p *storedPlace) {
	for _, mantissa := range p.mantissas {
		if p.floats != nil {
			c.addFloat(mantissa, 1<<p.floats.formIndex)
			continue
		}
		n := p.style.number(int64(mantissa))
		c.add(&n)
	}
}

// appendShortest appends the place of a template that has the column's numbers: as decimals or as
// floats. It returns false if neither writes each number as it was.
func (c *numberColumn) appendShortest(dst []byte, e *floatEncoder) (result []byte, ok bool) {
	var floats []byte
	if c.isWorthwhileAsFloats() {
		floats = e.encode(c)
	}
	start := len(dst)
	if style, ok := c.align(); ok {
		dst = appendIntColumn(style.append(dst), c.mantissas)
		length := len(dst) - start
		if len(floats) == 0 {
			return dst, true
		}
		if length-length/minSavingOfFloats <= len(floats) {
			e.keep(length)
			return dst, true
		}
	}
	if len(floats) == 0 {
		return dst[:start], false
	}
	e.keep(len(floats))
	return append(dst[:start], floats...), true
}

// align gives all numbers the same number of decimals, and returns the style in which each number
// is written as it was. It returns false if there is no such style.
func (c *numberColumn) align() (numberStyle, bool) {
	s := numberStyle{minDigits: 1, maxDecimals: c.maxDecimals, minDecimals: c.minDecimals}
	if c.maxPadded > 0 {
		s.minDigits = c.maxPadded
	}
	if c.floats > 0 {
		return numberStyle{}, false
	}
	if c.minDigits < s.minDigits || c.maxZeroEnded > c.minDecimals || c.maxDigits+c.maxDecimals > maxNumberDigits {
		return numberStyle{}, false
	}
	if c.maxDecimals != c.minDecimals {
		for i, decimals := range c.decimals {
			c.mantissas[i] *= uint64(powersOfTen[c.maxDecimals-decimals])
		}
	}
	return s, true
}
