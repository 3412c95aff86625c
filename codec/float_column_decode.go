// SPDX-License-Identifier: Apache-2.0

package codec

import "math"

// floatUnit says which integer stands for a float in a column.
type floatUnit byte

const (
	// unitBits: the integer is the float's bits without the sign, shifted to the right by scale,
	// and negative for a negative float.
	unitBits floatUnit = iota
	// unitBinary: the float is the integer times 2^-scale.
	unitBinary
	// unitDecimal: the float is the integer divided by 10^scale, and then moved by the correction:
	// by as many neighbours.
	unitDecimal
	// unitDecimal32 is unitDecimal with floats of 32 bits.
	unitDecimal32
	floatUnits
)

// maxBinaryScale is the largest scale of unitBinary.
const maxBinaryScale = 200

// storedFloats is what a place of floats has beside the integers.
type storedFloats struct {
	form        *floatForm
	formIndex   byte
	unit        floatUnit
	scale       uint8
	corrections intColumn // only with the decimal units

	// Floats that are an integer from low to below high, divided by power, are written in style.
	style     numberStyle
	power     float64
	low, high int64
}

// maxShortDecimal is the number from which several decimals may be one float64. A smaller one with
// maxDecimals decimals is the shortest decimal of its float.
const maxShortDecimal = 1e15

// findStyle finds out which floats are mostly short decimals. Their digits need not be searched.
func (f *storedFloats) findStyle() {
	if f.unit != unitBinary && f.unit != unitDecimal || f.scale == 0 || f.scale > 15 {
		return
	}
	scale := int(f.scale)
	f.style = numberStyle{minDigits: 1, maxDecimals: f.scale, minDecimals: uint8(uintOf(f.form.point))}
	f.power, f.low, f.high = floatPowers[scale], 1, maxShortDecimal
	if scale+f.form.min > 0 {
		f.low = powersOfTen[scale+f.form.min]
	}
	if scale+f.form.max < 15 {
		f.high = powersOfTen[scale+f.form.max]
	}
}

// write writes a float's text to the start of dst, which must have maxNumberLen bytes, and returns
// its length.
func (f *storedFloats) write(dst []byte, float uint64) (length int) {
	if f.high > 0 {
		v := math.Float64frombits(float)
		integer := int64(math.RoundToEven(v * f.power))
		magnitude := max(integer, -integer)
		if f.low <= magnitude && magnitude < f.high && float64(integer)/f.power == v {
			return f.style.write(dst, integer)
		}
	}
	return f.form.writeFloat(dst, float)
}

func (u floatUnit) isDecimal() bool { return u == unitDecimal || u == unitDecimal32 }

// append appends everything of a place of floats that precedes its integers.
func (f *storedFloats) append(dst []byte) []byte {
	return append(dst, byte(placeFloats), f.formIndex, byte(f.unit), f.scale)
}

// floatPlace takes a place of floats off the front into p.
func (r *fieldReader) floatPlace(p *storedPlace, rows int) {
	data := r.bytes(4)
	if data == nil {
		return
	}
	if p.memory == nil {
		p.memory = new(storedFloats)
	}
	f := p.memory
	*f = storedFloats{formIndex: data[1], unit: floatUnit(data[2]), scale: data[3]}
	if int(f.formIndex) >= len(floatForms) || !f.scaleIsValid() {
		r.failed = true
		return
	}
	f.form = &floatForms[f.formIndex]
	f.findStyle()
	p.floats = f
	r.readIntColumn(&p.column, rows)
	if f.unit.isDecimal() {
		r.readIntColumn(&f.corrections, rows)
	}
}

func (f *storedFloats) scaleIsValid() bool {
	switch f.unit {
	case unitBits:
		return f.scale < 64
	case unitBinary:
		return f.scale <= maxBinaryScale
	case unitDecimal, unitDecimal32:
		return int(f.scale) < len(floatPowers)
	}
	return false
}

// toFloats replaces integers of the column by the bits of their floats. corrections are those of
// the integers. It returns false if one of the floats is not a number.
func (f *storedFloats) toFloats(integers, corrections []uint64) bool {
	valid := true
	switch f.unit {
	case unitBits:
		for i, v := range integers {
			sign := v & signBit
			if sign != 0 {
				v = -v
			}
			integers[i] = v<<f.scale | sign
			valid = valid && isFinite(integers[i])
		}
	case unitBinary:
		factor := math.Float64frombits(uint64(exponentBias-mantissaBits-int(f.scale)) << mantissaBits)
		for i, v := range integers {
			integers[i] = math.Float64bits(float64(int64(v)) * factor)
		}
	case unitDecimal:
		for i, v := range integers {
			float := math.Float64bits(float64(int64(v)) / floatPowers[f.scale])
			integers[i] = fromSigned(toSigned(float) + corrections[i])
			valid = valid && isFinite(integers[i])
		}
	case unitDecimal32:
		for i, v := range integers {
			float := math.Float32bits(float32(float64(int64(v)) / floatPowers[f.scale]))
			moved, ok := moved32(float, corrections[i])
			integers[i], valid = moved, valid && ok
		}
	}
	return valid
}

// toSigned returns the bits of a float as an integer that orders like the float. Neighbours differ
// by 1.
func toSigned(float uint64) uint64 {
	if float&signBit != 0 {
		return -(float &^ signBit)
	}
	return float
}

// fromSigned is the reverse of toSigned.
func fromSigned(v uint64) uint64 {
	if int64(v) < 0 {
		return -v | signBit
	}
	return v
}

func isFinite(float uint64) bool { return float>>mantissaBits&exponentMask != exponentMask }

const sign32, infinity32 = 1 << 31, 0x7f800000

// moved32 returns a float of 32 bits, moved by a number of neighbours, as a float of 64 bits. It
// returns false if that is not a number.
func moved32(float uint32, by uint64) (moved uint64, ok bool) {
	signed := toSigned32(float) + by
	magnitude := signed
	if int64(signed) < 0 {
		magnitude = -signed
	}
	if magnitude >= infinity32 {
		return 0, false
	}
	moved = math.Float64bits(float64(math.Float32frombits(uint32(magnitude))))
	if int64(signed) < 0 {
		moved |= signBit
	}
	return moved, true
}

// writeFloat writes a float's text to the start of dst, which must have maxNumberLen bytes, and
// returns its length.
func (f *floatForm) writeFloat(dst []byte, float uint64) (length int) {
	d := shortestDecimal(float)
	count := 16
	if d.digits >= 1e16 {
		count = 17
	}
	// All forms write these numbers in the same way, and most are like that.
	if first := d.exponent + count - 1; d.digits >= 1e15 && uint(first) < maxFullForms {
		if float&signBit != 0 {
			dst[0] = '-'
			dst, length = dst[1:], 1
		}
		writeManyDigits(dst[1:], d.digits, count)
		for i := range first + 1 {
			dst[i] = dst[i+1]
		}
		dst[first+1] = '.'
		return length + count + 1
	}
	return f.write(dst, float&signBit != 0, d)
}

// lengthOf returns the length of a float's text.
func (f *storedFloats) lengthOf(float uint64) int {
	var text [maxNumberLen]byte
	return f.write(text[:], float)
}
