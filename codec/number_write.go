// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
)

// maxNumberLen is the room that write needs: for a sign, the digits of any uint64, a point, as many
// decimals as a valid style may ask for, and up to three bytes that writeDigits writes after them.
const maxNumberLen = 1 + 20 + 1 + maxNumberDigits + 3

var powersOfTen = func() (powers [maxNumberDigits + 1]int64) {
	powers[0] = 1
	for i := 1; i < len(powers); i++ {
		powers[i] = 10 * powers[i-1]
	}
	return powers
}()

// write writes the number mantissa / 10^maxDecimals to the start of dst, which must have
// maxNumberLen bytes, and returns the length of its text.
func (s numberStyle) write(dst []byte, mantissa int64) (length int) {
	v := uint64(mantissa)
	if mantissa < 0 {
		dst[0] = '-'
		v, length = -v, 1
	}
	switch {
	case s.maxDecimals == 0 && v < uint64(len(triples)):
		return length + writeUint(dst[length:], v, int(s.minDigits))
	case v < 1e6 && s.minDigits+s.maxDecimals <= 6:
		return length + s.writeSix(dst[length:], uint32(v))
	case v < 1e8 && s.minDigits+s.maxDecimals <= 8:
		return length + s.writeEight(dst[length:], v)
	case v < 1e16 && s.minDigits+s.maxDecimals <= 16 && s.maxDecimals <= 8:
		return length + s.writeSixteen(dst[length:], v)
	case s.maxDecimals == 0:
		return length + writeUint(dst[length:], v, int(s.minDigits))
	}
	if v >= minLong && s.minDigits+s.maxDecimals <= maxManyDigits {
		return length + s.writeMany(dst[length:], v)
	}
	integer, fraction := divide(v, uint64(powersOfTen[s.maxDecimals]))
	length += writeUint(dst[length:], integer, int(s.minDigits))
	decimals := int(s.maxDecimals)
	for decimals > int(s.minDecimals) && fraction%10 == 0 {
		fraction /= 10
		decimals--
	}
	if decimals == 0 {
		return length
	}
	dst[length] = '.'
	return length + 1 + writeDigits(dst[length+1:], fraction, decimals)
}

// asciiZeros is the text of eight digits that are 0.
const asciiZeros = 0x3030303030303030

// writeSix is write for a number without a sign that has up to six digits, and as many minimum
// digits.
func (s numberStyle) writeSix(dst []byte, v uint32) (length int) {
	high := v / 1000
	first, last := triples[high], triples[v-1000*high]
	digits := uint(last >> 24)
	if high > 0 {
		digits = uint(first>>24) + 3
	}
	digits = max(digits, uint(s.minDigits+s.maxDecimals))
	text := uint64(asciiZeros)>>48 | uint64(first&0xffffff)<<16 | uint64(last)<<40
	binary.LittleEndian.PutUint64(dst, text>>(8*(8-digits)&63))
	return s.writeDecimals(dst, text, digits)
}

// writeEight is write for a number without a sign that has up to eight digits, and as many minimum
// digits. It neither divides by a power of ten nor loops.
func (s numberStyle) writeEight(dst []byte, v uint64) (length int) {
	text := eightDigits(v)
	leadingZeros := uint(bits.TrailingZeros64(text^asciiZeros)) / 8
	digits := max(8-leadingZeros, uint(s.minDigits+s.maxDecimals))
	binary.LittleEndian.PutUint64(dst, text>>(8*(8-digits)&63))
	return s.writeDecimals(dst, text, digits)
}

// writeSixteen is writeEight for a number that has up to 16 digits, or more than eight minimum
// digits. At most eight of them are decimals.
func (s numberStyle) writeSixteen(dst []byte, v uint64) (length int) {
	high := v / 1e8
	text, last := eightDigits(high), eightDigits(v-high*1e8)
	leadingZeros := uint(bits.TrailingZeros64(text^asciiZeros)) / 8
	digits := max(16-leadingZeros, uint(s.minDigits+s.maxDecimals)) // at least 9
	binary.LittleEndian.PutUint64(dst, text>>(8*(16-digits)&63))
	binary.LittleEndian.PutUint64(dst[digits-8:], last)
	return s.writeDecimals(dst, last, digits)
}

// writeDecimals writes the point and the decimals of a number whose digits are in dst, and returns
// the length of its text. last is the last eight digits.
func (s numberStyle) writeDecimals(dst []byte, last uint64, digits uint) (length int) {
	decimals := uint(s.maxDecimals)
	if decimals == 0 {
		return int(digits)
	}
	point := digits - decimals
	binary.LittleEndian.PutUint64(dst[point+1:], last>>(8*(8-decimals)&63))
	dst[point] = '.'
	if s.maxDecimals > s.minDecimals {
		trailingZeros := uint(bits.LeadingZeros64(last^asciiZeros)) / 8
		if decimals = max(decimals, trailingZeros) - trailingZeros; decimals < uint(s.minDecimals) {
			decimals = uint(s.minDecimals)
		}
		if decimals == 0 {
			return int(point)
		}
	}
	return int(point + 1 + decimals)
}

// minLong is the integer from which writeMany is faster than two divisions.
const minLong = 1e12

// writeMany is write for a number of many digits, without a sign. It divides as little as it can.
func (s numberStyle) writeMany(dst []byte, v uint64) (length int) {
	digits := max(countDigits(v), int(s.minDigits+s.maxDecimals))
	writeManyDigits(dst[1:], v, digits)
	point := digits - int(s.maxDecimals)
	for i := range point {
		dst[i] = dst[i+1]
	}
	dst[point] = '.'
	length = digits + 1
	for length > point+1+int(s.minDecimals) && dst[length-1] == '0' {
		length--
	}
	if length == point+1 {
		return point
	}
	return length
}

// divide returns quotient and remainder. Most numbers are small, and dividing 32 bits takes a
// processor less time.
func divide(v, divisor uint64) (quotient, remainder uint64) {
	if v|divisor <= math.MaxUint32 {
		quotient := uint32(v) / uint32(divisor)
		return uint64(quotient), uint64(uint32(v) - quotient*uint32(divisor))
	}
	return v / divisor, v % divisor
}

// writeUint writes v with at least minDigits digits, and returns the number of digits. Like
// writeDigits it may write up to three bytes more.
func writeUint(dst []byte, v uint64, minDigits int) int {
	return writeDigits(dst, v, max(countDigits(v), minDigits))
}

// countDigits returns the number of decimal digits of v.
func countDigits(v uint64) int {
	if v < uint64(len(triples)) {
		return int(triples[v] >> 24)
	}
	digits := bits.Len64(v) * 1233 >> 12 // times log10(2)
	return digits + int(uintOf(v >= unsignedPowersOfTen[digits]))
}

// unsignedPowersOfTen are all powers of ten below 2^64.
var unsignedPowersOfTen = func() (powers [20]uint64) {
	powers[0] = 1
	for i := 1; i < len(powers); i++ {
		powers[i] = 10 * powers[i-1]
	}
	return powers
}()

// writeDigits writes v, which has at most that many digits, with leading zeros, and returns the
// number of digits. It may write up to three bytes more.
func writeDigits(dst []byte, v uint64, digits int) int {
	if v < uint64(len(triples)) && digits <= 3 {
		binary.LittleEndian.PutUint32(dst, triples[v]>>(8*(3-digits)))
		return digits
	}
	writeDigitsExactly(dst, v, digits)
	return digits
}

// writeDigitsExactly is writeDigits without the bytes more.
func writeDigitsExactly(dst []byte, v uint64, digits int) {
	if minManyDigits <= digits && digits <= maxManyDigits {
		writeManyDigits(dst, v, digits)
		return
	}
	for ; digits > 3; digits -= 3 {
		quotient, remainder := divide(v, 1000)
		writeTriple(dst[digits-3:], triples[remainder])
		v = quotient
	}
	switch triple := triples[v]; digits {
	case 3:
		writeTriple(dst, triple)
	case 2:
		binary.LittleEndian.PutUint16(dst, uint16(triple>>8))
	case 1:
		dst[0] = byte(triple >> 16)
	}
}

// The numbers of digits that writeManyDigits writes.
const (
	minManyDigits = 8
	maxManyDigits = 24
)

// writeManyDigits is writeDigitsExactly for many digits. It begins with the first digits, and
// overwrites what it wrote after them.
func writeManyDigits(dst []byte, v uint64, digits int) {
	const eight = 100_000_000
	rest := v / eight
	last := v - rest*eight
	if digits > 16 {
		first := rest / eight
		binary.LittleEndian.PutUint64(dst, eightDigits(first)>>(8*(24-digits)))
		binary.LittleEndian.PutUint64(dst[digits-16:], eightDigits(rest-first*eight))
	} else {
		binary.LittleEndian.PutUint64(dst, eightDigits(rest)>>(8*(16-digits)))
	}
	binary.LittleEndian.PutUint64(dst[digits-8:], eightDigits(last))
}

// eightDigits returns the text of a number below 10^8, with leading zeros and with the first digit
// in the lowest byte. It divides all pairs of digits at once, by multiplications.
func eightDigits(v uint64) uint64 {
	high := v / 10_000
	fours := high | (v-high*10_000)<<32
	hundreds := fours * 5243 >> 19 & 0x7f_0000007f
	twos := hundreds | (fours-100*hundreds)<<16
	tens := twos * 103 >> 10 & 0xf_000f_000f_000f
	return tens | (twos-10*tens)<<8 | 0x3030303030303030
}

func writeTriple(dst []byte, triple uint32) {
	_ = dst[2]
	binary.LittleEndian.PutUint16(dst, uint16(triple))
	dst[2] = byte(triple >> 16)
}

// triples are the texts of the numbers from 000 to 999, with the first digit in the lowest byte.
// The highest byte is the number of digits without leading zeros.
var triples = func() (triples [1000]uint32) {
	for i := range triples {
		digits := len(strconv.Itoa(i))
		triples[i] = uint32('0'+i/100) | uint32('0'+i/10%10)<<8 | uint32('0'+i%10)<<16 | uint32(digits)<<24
	}
	return triples
}()
