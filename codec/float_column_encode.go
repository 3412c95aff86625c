// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"math"
	"math/bits"
	"slices"
)

const (
	// floatMark stands in a numberColumn in place of the number of decimals: the mantissa is the
	// bits of a float64.
	floatMark = 0xff
	// minFloatDigits is the number of digits from which decimals may take more bits than floats.
	minFloatDigits = 12
	// minSavingOfFloats is the part of the bytes of decimals that floats must save, because it
	// takes longer to write them.
	minSavingOfFloats = 8
	// floatSample is the number of floats that show whether a column may consist of decimals.
	floatSample = 16
	// Floats are encoded as decimals if a decimal and its correction have, on average, at most
	// maxDecimalBits, or maxDecimal32Bits for floats of 32 bits.
	maxDecimalBits   = 44
	maxDecimal32Bits = 22
)

// floatEncoder encodes columns of floats. It is reused for one column after another.
type floatEncoder struct {
	floats                []uint64 // bits
	integers, corrections []uint64
	shortest, next        []byte // encoded places
	noise                 int    // bytes of those places in the body whose floats hardly repeat
}

// isWorthwhile reports whether the numbers of a column may be shorter as floats than as decimals.
func (c *numberColumn) isWorthwhileAsFloats() bool {
	return c.floats > 0 || c.maxDecimals > 0 && c.maxDigits+c.maxDecimals >= minFloatDigits
}

// encode returns a place of floats with the numbers of a column, in the memory of the encoder. It
// returns nil if not all of them are written as one form writes them.
func (e *floatEncoder) encode(c *numberColumn) []byte {
	forms, ok := e.readFloats(c)
	if !ok {
		return nil
	}
	stored := storedFloats{formIndex: byte(forms.first())}
	e.shortest = e.shortest[:0]
	e.tryBits(stored)
	e.tryBinary(stored)
	if scale, unit, ok := e.findDecimals(); ok {
		stored.unit, stored.scale = unit, scale
		e.tryDecimals(stored)
	}
	return e.shortest
}

// keep counts a place of the last floats as a part of the body, with a number of bytes.
func (e *floatEncoder) keep(bytes int) {
	var recent [64]uint64
	repeated := 0
	for _, float := range e.floats {
		at := &recent[float*0x9e3779b97f4a7c15>>58]
		if *at == float {
			repeated++
		}
		*at = float
	}
	if 4*repeated < len(e.floats) {
		e.noise += bytes
	}
}

// isMostOf reports whether most of a body is floats that hardly repeat.
func (e *floatEncoder) isMostOf(body []byte) bool { return 2*e.noise > len(body) }

// readFloats reads the numbers of a column as floats, and returns the forms that fit all of them.
func (e *floatEncoder) readFloats(c *numberColumn) (forms formSet, ok bool) {
	if forms = allForms; c.floats > 0 {
		forms = c.forms
	}
	if c.maxPadded > 0 {
		return 0, false
	}
	e.floats = slices.Grow(e.floats[:0], len(c.mantissas))
	for i, mantissa := range c.mantissas {
		if c.decimals[i] == floatMark {
			if mantissa == signBit { // no integer stands for minus zero
				return 0, false
			}
			e.floats = append(e.floats, mantissa)
			continue
		}
		sign, decimals := mantissa&signBit, int(c.decimals[i])
		if sign != 0 {
			mantissa = -mantissa
		}
		d := decimalFloat{mantissa, -decimals}.withoutZeros()
		if d.digits == 0 {
			d.exponent = 0
		}
		float, ok := d.float()
		if forms &= d.formsOf(decimals); forms == 0 || !ok {
			return 0, false
		}
		e.floats = append(e.floats, float|sign)
	}
	return forms, forms != 0
}

// keepShorter keeps e.next if nothing shorter was encoded before.
func (e *floatEncoder) keepShorter() {
	if len(e.shortest) == 0 || len(e.next) < len(e.shortest) {
		e.shortest, e.next = e.next, e.shortest
	}
}

// tryBits encodes the bits of the floats without the lowest bits that all of them do not use.
func (e *floatEncoder) tryBits(stored storedFloats) {
	all := uint64(0)
	for _, float := range e.floats {
		all |= float
	}
	stored.unit, stored.scale = unitBits, 0
	if all &^= signBit; all != 0 {
		stored.scale = uint8(bits.TrailingZeros64(all))
	}
	e.integers = slices.Grow(e.integers[:0], len(e.floats))
	for _, float := range e.floats {
		v := float &^ signBit >> stored.scale
		if float&signBit != 0 {
			v = -v
		}
		e.integers = append(e.integers, v)
	}
	e.next = appendIntColumn(stored.append(e.next[:0]), e.integers)
	e.keepShorter()
}

// tryBinary encodes the floats as multiples of a power of 2, unless that takes too many bits.
func (e *floatEncoder) tryBinary(stored storedFloats) {
	lowest, highest := 0, -maxBinaryScale // exponents of the lowest bit of all floats, and above the highest
	for _, float := range e.floats {
		if float&^signBit == 0 {
			continue
		}
		biased := int(float >> mantissaBits & exponentMask)
		if biased == 0 {
			return
		}
		lowest = min(lowest, biased-exponentBias+bits.TrailingZeros64(float|hiddenBit))
		highest = max(highest, biased-exponentBias+mantissaBits+1)
	}
	if highest-lowest > mantissaBits || lowest < -maxBinaryScale {
		return
	}
	stored.unit, stored.scale = unitBinary, uint8(-lowest)
	e.integers = e.integers[:0]
	for _, float := range e.floats {
		e.integers = append(e.integers, uint64(int64(math.Ldexp(math.Float64frombits(float), -lowest))))
	}
	e.next = appendIntColumn(stored.append(e.next[:0]), e.integers)
	e.keepShorter()
}

// findDecimals finds the number of decimals with which a sample of the floats takes the fewest
// bits.
func (e *floatEncoder) findDecimals() (scale uint8, unit floatUnit, ok bool) {
	unit, maxBits := unitDecimal32, maxDecimal32Bits
	for _, float := range e.floats {
		if _, is32 := to32(float); !is32 {
			unit, maxBits = unitDecimal, maxDecimalBits
			break
		}
	}
	step := max(1, len(e.floats)/floatSample)
	sampled := (len(e.floats) + step - 1) / step
	fewest := maxBits*sampled + 1
	for s := range uint8(maxNumberDigits) {
		total, ofIntegers := 0, 0
		for i := 0; i < len(e.floats) && total < fewest; i += step {
			integer, move, ok := toDecimal(e.floats[i], unit, s)
			if !ok {
				integer = signBit
			}
			length := signedLen(integer)
			total, ofIntegers = total+length+signedLen(move), ofIntegers+length
		}
		if total < fewest {
			scale, fewest = s, total
		}
		if ofIntegers >= fewest { // with more decimals the integers are no shorter
			break
		}
	}
	return scale, unit, fewest <= maxBits*sampled
}

// signedLen returns the number of bits of a signed integer without its sign.
func signedLen(v uint64) int {
	if int64(v) < 0 {
		v = -v
	}
	return bits.Len64(v)
}

// tryDecimals encodes the floats as decimals and corrections.
func (e *floatEncoder) tryDecimals(stored storedFloats) {
	e.integers, e.corrections = e.integers[:0], slices.Grow(e.corrections[:0], len(e.floats))
	for _, float := range e.floats {
		integer, move, ok := toDecimal(float, stored.unit, stored.scale)
		if !ok {
			return
		}
		e.integers, e.corrections = append(e.integers, integer), append(e.corrections, move)
	}
	e.next = appendIntColumn(stored.append(e.next[:0]), e.integers)
	e.next = appendIntColumn(e.next, e.corrections)
	e.keepShorter()
}

// to32 returns the bits of a float64 as a float of 32 bits, if it is one.
func to32(float uint64) (float32Bits uint32, ok bool) {
	v := math.Float64frombits(float)
	return math.Float32bits(float32(v)), float64(float32(v)) == v
}

// toDecimal returns the integer and the correction that stand for a float in a decimal unit.
func toDecimal(float uint64, unit floatUnit, scale uint8) (integer, move uint64, ok bool) {
	scaled := math.Round(math.Float64frombits(float) * floatPowers[scale])
	if math.Abs(scaled) > maxFloatExact {
		return 0, 0, false
	}
	near := scaled / floatPowers[scale]
	if unit == unitDecimal {
		return uint64(int64(scaled)), toSigned(float) - toSigned(math.Float64bits(near)), true
	}
	float32Bits, ok := to32(float)
	return uint64(int64(scaled)), toSigned32(float32Bits) - toSigned32(math.Float32bits(float32(near))), ok
}

// toSigned32 is toSigned for a float of 32 bits.
func toSigned32(float uint32) uint64 {
	if float&sign32 != 0 {
		return -uint64(float &^ sign32)
	}
	return uint64(float)
}
