// SPDX-License-Identifier: Apache-2.0

package codec

// The values of one device are often equally long: the same text, with numbers of as many digits.
// Such values are written place by place instead of value by value. The first value is written,
// copied until there are as many as wanted, and then the digits at each place are overwritten in
// all copies.

// uniformLen returns the length of each of the wanted values; 0 if their lengths differ.
func (s *storedTemplate) uniformLen() (length int) {
	for i := range s.merged {
		place := &s.places[s.merged[i].column]
		if place.floats != nil { // their texts have as many digits as each of them needs
			return 0
		}
		if place.length = place.style.uniformLen(place.mantissas); place.length == 0 {
			return 0
		}
		length += int(s.merged[i].piece.length) + place.length
	}
	return length + int(s.last.length)
}

// uniformLen returns the length of each number as text; 0 if their lengths differ. There must be at
// least one number.
func (s numberStyle) uniformLen(mantissas []uint64) (length int) {
	lowest := int64(mantissas[0])
	highest := lowest
	for _, m := range mantissas {
		lowest, highest = min(lowest, int64(m)), max(highest, int64(m))
	}
	length = s.length(lowest)
	if s.maxDecimals != s.minDecimals || (lowest < 0) != (highest < 0) || s.length(highest) != length {
		return 0
	}
	return length
}

// writeUniformValues gives the buffer's rows their values, each of which has the given length. It
// returns false if that contradicts the header.
func (t *templateBody) writeUniformValues(b *Buffer, length int) bool {
	end, maxLen := b.Len()*length, int(b.Header.ValueBytes)
	if end > maxLen || b.Len() == b.Header.Count && end < maxLen {
		return false
	}
	t.templates[0].writeUniform(b.body[:end+memberSlack], length, &t.texts)
	b.text = b.body
	for i := range b.starts {
		b.starts[i] = i * length
	}
	return true
}

// writeUniform writes all wanted values to dst, each of which has the given length. dst is longer
// than all of them together by memberSlack.
func (s *storedTemplate) writeUniform(dst []byte, length int, texts *pieceArena) {
	s.writeNext(dst, 0, texts)
	values := dst[:len(dst)-memberSlack]
	for done := length; done < len(values); done *= 2 {
		copy(values[done:], values[:done])
	}
	at := 0
	for _, merged := range s.merged {
		place := &s.places[merged.column]
		at += int(merged.piece.length)
		place.overwriteDigits(values, at, length)
		at += place.length
	}
}

// overwriteDigits writes the place's numbers into copies of the first value: the first number at
// the index at, and each further one stride bytes later. The copies already have the sign and the
// point.
func (p *storedPlace) overwriteDigits(values []byte, at, stride int) {
	digits, decimals := p.length, int(p.style.maxDecimals)
	negative := int64(p.mantissas[0]) < 0
	if negative {
		digits--
		at++
	}
	if decimals > 0 {
		digits -= 1 + decimals
	}
	divisor, decimalsAt := uint64(powersOfTen[decimals]), at+digits+1
	for _, v := range p.mantissas {
		if negative {
			v = -v
		}
		if decimals > 0 {
			var fraction uint64
			v, fraction = divide(v, divisor)
			writeDigitsExactly(values[decimalsAt:], fraction, decimals)
			decimalsAt += stride
		}
		writeDigitsExactly(values[at:], v, digits)
		at += stride
	}
}
