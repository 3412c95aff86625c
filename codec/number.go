// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
)

// mostDigits is how many decimal digits surely fit in an int64.
const mostDigits = 18

var powersOfTen = func() (powers [mostDigits + 1]int64) {
	powers[0] = 1
	for i := 1; i < len(powers); i++ {
		powers[i] = 10 * powers[i-1]
	}
	return powers
}()

// number is a decimal number in a text: mantissa / 10^decimals.
type number struct {
	mantissa     int64
	digits       uint8 // before the point
	decimals     uint8 // behind it
	leadingZero  bool  // of more than one digit before the point
	trailingZero bool  // behind the point
}

// parse takes a number off the front of text: a sign, digits and, unless it is to be whole, a fraction, and returns
// how long it is: 0 where there is none that can be written again as it was from its value.
func (n *number) parse(text []byte, whole bool) (length int) {
	i := 0
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		i = 1
	}
	start, v := i, int64(0)
	for ; i < len(text) && isDigit(text[i]) && i-start <= mostDigits; i++ {
		v = 10*v + int64(text[i]-'0')
	}
	digits, decimals, trailingZero := i-start, 0, false
	if !whole && i+1 < len(text) && text[i] == '.' && isDigit(text[i+1]) {
		point := i
		for i++; i < len(text) && isDigit(text[i]) && i-start <= mostDigits+1; i++ {
			v = 10*v + int64(text[i]-'0')
		}
		decimals, trailingZero = i-point-1, text[i-1] == '0'
	}
	if digits == 0 || digits+decimals > mostDigits || negative && v == 0 {
		return 0
	}
	if negative {
		v = -v
	}
	n.mantissa, n.digits, n.decimals = v, uint8(digits), uint8(decimals)
	n.leadingZero, n.trailingZero = digits > 1 && text[start] == '0', trailingZero
	return i
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// style is how the numbers in one place of a template are written: with at least so many digits before the
// point, which zeros in front make up; with at most so many behind it, where zeros at the end are left out
// until the least remain. JSON encoders write numbers like that, whether they keep the zeros or not.
type style struct{ leastDigits, mostDecimals, leastDecimals uint8 }

// valid reports whether a decoded style is one.
func (s style) valid() bool {
	return s.leastDigits >= 1 && s.leastDigits <= mostDigits && s.leastDecimals <= s.mostDecimals && s.mostDecimals <= mostDigits
}

// mostNumber is how much room a number must have: for a sign, the digits of any uint64, a point, as many decimals as a
// style may ask for, and what putDigits writes behind them.
const mostNumber = 1 + 20 + 1 + mostDigits + 3

// put writes a number, mantissa / 10^mostDecimals, to the front of dst, which has room for mostNumber bytes, and
// returns how many it took.
func (s style) put(dst []byte, mantissa int64) (length int) {
	v := uint64(mantissa)
	if mantissa < 0 {
		dst[0] = '-'
		v, length = -v, 1
	}
	if s.mostDecimals == 0 {
		return length + putUint(dst[length:], v, int(s.leastDigits))
	}
	whole, fraction := divide(v, uint64(powersOfTen[s.mostDecimals]))
	length += putUint(dst[length:], whole, int(s.leastDigits))
	decimals := int(s.mostDecimals)
	for decimals > int(s.leastDecimals) && fraction%10 == 0 {
		fraction /= 10
		decimals--
	}
	if decimals == 0 {
		return length
	}
	dst[length] = '.'
	return length + 1 + putDigits(dst[length+1:], fraction, decimals)
}

// divide returns quotient and remainder. Most numbers are small, and those take a processor less.
func divide(v, by uint64) (quotient, remainder uint64) {
	if v|by <= math.MaxUint32 {
		quotient := uint32(v) / uint32(by)
		return uint64(quotient), uint64(uint32(v) - quotient*uint32(by))
	}
	return v / by, v % by
}

// putUint writes v with at least so many digits, one at least, and returns how many it took.
func putUint(dst []byte, v uint64, least int) int {
	return putDigits(dst, v, max(countDigits(v), least))
}

// countDigits is how many decimal digits v has.
func countDigits(v uint64) int {
	if v < uint64(len(triples)) {
		return int(triples[v] >> 24)
	}
	digits := 4
	for v /= 1000; v >= 10; v /= 10 {
		digits++
	}
	return digits
}

// putDigits writes v with so many digits, of which it has no more, and returns how many those are. It may write three
// bytes more.
func putDigits(dst []byte, v uint64, digits int) int {
	if v < uint64(len(triples)) && digits <= 3 {
		binary.LittleEndian.PutUint32(dst, triples[v]>>(8*(3-digits)))
		return digits
	}
	putExactly(dst, v, digits)
	return digits
}

// triples are the numbers from 000 to 999 as text, the first digit in the lowest byte, and in the highest how many
// digits they have without the zeros in front.
var triples = func() (triples [1000]uint32) {
	for i := range triples {
		digits := len(strconv.Itoa(i))
		triples[i] = uint32('0'+i/100) | uint32('0'+i/10%10)<<8 | uint32('0'+i%10)<<16 | uint32(digits)<<24
	}
	return triples
}()

// length is how many bytes put takes.
func (s style) length(mantissa int64) int {
	v, length := uint64(mantissa), 0
	if mantissa < 0 {
		v, length = -v, 1
	}
	fraction := uint64(0)
	if s.mostDecimals > 0 {
		v, fraction = divide(v, uint64(powersOfTen[s.mostDecimals]))
	}
	length += max(countDigits(v), int(s.leastDigits))
	decimals := s.mostDecimals
	for ; decimals > s.leastDecimals && fraction%10 == 0; decimals-- {
		fraction /= 10
	}
	if decimals > 0 {
		length += 1 + int(decimals)
	}
	return length
}

// number is a number that put would write like that.
func (s style) number(mantissa int64) number {
	n := number{mantissa: mantissa, decimals: s.mostDecimals}
	for ; n.decimals > s.leastDecimals && n.mantissa%10 == 0; n.decimals-- {
		n.mantissa /= 10
	}
	n.trailingZero = n.decimals > 0 && n.mantissa%10 == 0
	v := n.mantissa / powersOfTen[n.decimals]
	n.digits = 1
	for ; v >= 10 || v <= -10; v /= 10 {
		n.digits++
	}
	if n.digits < s.leastDigits {
		n.digits, n.leadingZero = s.leastDigits, true
	}
	return n
}

// numbers are those in one place of a template, value after value.
type numbers struct {
	mantissas []uint64 // as int64s
	decimals  []uint8

	most, least   uint8 // digits before the point
	zeroPadded    uint8 // most digits of those with a zero in front
	mostDecimals  uint8
	leastDecimals uint8
	zeroEnded     uint8 // most decimals of those with a zero at the end
}

func (c *numbers) reset() { *c = numbers{mantissas: c.mantissas[:0], decimals: c.decimals[:0]} }

func (c *numbers) add(n *number) {
	if len(c.mantissas) == 0 {
		c.least, c.leastDecimals = n.digits, n.decimals
	}
	c.mantissas = append(c.mantissas, uint64(n.mantissa))
	c.decimals = append(c.decimals, n.decimals)
	c.most, c.least = max(c.most, n.digits), min(c.least, n.digits)
	c.mostDecimals, c.leastDecimals = max(c.mostDecimals, n.decimals), min(c.leastDecimals, n.decimals)
	if n.leadingZero {
		c.zeroPadded = max(c.zeroPadded, n.digits)
	}
	if n.trailingZero {
		c.zeroEnded = max(c.zeroEnded, n.decimals)
	}
}

// addAll adds the numbers of a column.
func (c *numbers) addAll(s style, mantissas []uint64) {
	for _, mantissa := range mantissas {
		n := s.number(int64(mantissa))
		c.add(&n)
	}
}

// align brings all mantissas to the same number of decimals, and returns the style in which every number is
// written as it was; false if there is none.
func (c *numbers) align() (style, bool) {
	s := style{leastDigits: 1, mostDecimals: c.mostDecimals, leastDecimals: c.leastDecimals}
	if c.zeroPadded > 0 {
		s.leastDigits = c.zeroPadded
	}
	if c.least < s.leastDigits || c.zeroEnded > c.leastDecimals || c.most+c.mostDecimals > mostDigits {
		return style{}, false
	}
	if c.mostDecimals != c.leastDecimals {
		for i, d := range c.decimals {
			c.mantissas[i] *= uint64(powersOfTen[c.mostDecimals-d])
		}
	}
	return s, true
}

// split cuts text at its numbers: n of them, between n+1 pieces of text. A number is whole where a point
// stands before it, or behind its fraction, as in an address or a version.
func split(text []byte, pieces [][]byte, found []number) ([][]byte, []number) {
	piece := 0 // where the current one starts
	for i := 0; i < len(text); {
		if !isDigit(text[i]) {
			i++
			continue
		}
		var n number
		start, whole := signed(text, piece, i), isWhole(text, i)
		length := n.parse(text[start:], whole)
		if length == 0 && start < i { // minus zero: the sign is text
			start = i
			length = n.parse(text[start:], whole)
		}
		if length == 0 { // too long: it is text
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

// signed is where the number starts whose first digit is at i: at its sign, which is not a hyphen in a word,
// and not before the piece.
func signed(text []byte, piece, i int) int {
	if i == piece || text[i-1] != '-' {
		return i
	}
	if i-1 > piece && isWord(text[i-2]) {
		return i
	}
	return i - 1
}

func isWord(b byte) bool { return isDigit(b) || 'a' <= b|0x20 && b|0x20 <= 'z' || b >= 0x80 }

func isWhole(text []byte, i int) bool {
	if i > 0 && text[i-1] == '.' {
		return true
	}
	rest := bytes.TrimLeft(text[i:], "0123456789")
	if len(rest) == 0 || rest[0] != '.' {
		return false
	}
	rest = bytes.TrimLeft(rest[1:], "0123456789")
	return len(rest) > 0 && rest[0] == '.'
}
