// SPDX-License-Identifier: Apache-2.0

package codec

import "encoding/binary"

// Readings of one device are often as long as one another: the same text, and numbers of as many digits. Those are
// written a column at a time: the first value, as many copies of it as there are values, and over those the digits of
// one place after the other.

// uniform returns how long each of the values is that are wanted; 0 if they are not all as long.
func (w *written) uniform() (length int) {
	for i := range w.places {
		p := &w.places[i]
		if p.length = p.style.uniform(p.numbers); p.length == 0 {
			return 0
		}
		length += len(w.pieces[i]) + p.length
	}
	return length + len(w.pieces[len(w.places)])
}

// uniform returns how many bytes put takes for each of the numbers, of which there must be one; 0 if they differ.
func (s style) uniform(mantissas []uint64) (length int) {
	least := int64(mantissas[0])
	greatest := least
	for _, m := range mantissas {
		least, greatest = min(least, int64(m)), max(greatest, int64(m))
	}
	length = s.length(least)
	if s.mostDecimals != s.leastDecimals || (least < 0) != (greatest < 0) || s.length(greatest) != length {
		return 0
	}
	return length
}

// putUniform writes values that are all of one length over dst, which is exactly as long as they are together, but for
// room for a number behind them.
func (w *written) putUniform(dst []byte, length int) {
	w.putNext(dst, 0)
	values := dst[:len(dst)-mostNumber]
	for done := length; done < len(values); done *= 2 {
		copy(values[done:], values[:done])
	}
	at := 0
	for i := range w.places {
		at += len(w.pieces[i])
		w.places[i].putDigits(values, at, length)
		at += w.places[i].length
	}
}

// putDigits writes the place's numbers into values of one length: the first to a place, each other one so many bytes
// behind the one before. A sign and a point are there already.
func (p *place) putDigits(values []byte, at, stride int) {
	digits, decimals := p.length, int(p.style.mostDecimals)
	negative := int64(p.numbers[0]) < 0
	if negative {
		digits--
		at++
	}
	if decimals > 0 {
		digits -= 1 + decimals
	}
	by, behind := uint64(powersOfTen[decimals]), at+digits+1
	for _, v := range p.numbers {
		if negative {
			v = -v
		}
		if decimals > 0 {
			var fraction uint64
			v, fraction = divide(v, by)
			putExactly(values[behind:], fraction, decimals)
			behind += stride
		}
		putExactly(values[at:], v, digits)
		at += stride
	}
}

// putExactly writes v with so many digits, of which it has no more, and nothing behind them.
func putExactly(dst []byte, v uint64, digits int) {
	for ; digits > 3; digits -= 3 {
		quotient, remainder := divide(v, 1000)
		putTriple(dst[digits-3:], triples[remainder])
		v = quotient
	}
	switch triple := triples[v]; digits {
	case 3:
		putTriple(dst, triple)
	case 2:
		binary.LittleEndian.PutUint16(dst, uint16(triple>>8))
	case 1:
		dst[0] = byte(triple >> 16)
	}
}

func putTriple(dst []byte, triple uint32) {
	_ = dst[2]
	binary.LittleEndian.PutUint16(dst, uint16(triple))
	dst[2] = byte(triple >> 16)
}
