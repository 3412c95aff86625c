// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"math"
	"math/bits"
)

const (
	mantissaBits  = 52
	exponentBias  = 1023 + mantissaBits // of a float64 as an integer times a power of 2
	exponentMask  = 0x7ff
	hiddenBit     = 1 << mantissaBits
	signBit       = 1 << 63
	minPower128   = -292 // powers of ten that the decimals of a float64 need
	maxPower128   = 324
	powerLimbs    = 14 // 64 bits each: hold 5^324, and 2^896 / 5^292 with more than 128 bits
	maxFloatExact = 1 << 53
)

// decimalFloat is a number in decimal: digits * 10^exponent. digits does not end in a zero, unless
// it is 0.
type decimalFloat struct {
	digits   uint64
	exponent int
}

// shortestDecimal returns the shortest decimal that is read back as the float64 with these bits,
// which must be finite, without its sign. Of several, it is the nearest one. This is the algorithm
// Schubfach of Raffaello Giulietti.
func shortestDecimal(float uint64) decimalFloat {
	fraction, biased := float&(hiddenBit-1), int(float>>mantissaBits&exponentMask)
	c, q := fraction|hiddenBit, biased-exponentBias
	if biased == 0 {
		if fraction == 0 {
			return decimalFloat{}
		}
		c, q = fraction, 1-exponentBias
	} else if -mantissaBits <= q && q <= 0 && bits.TrailingZeros64(c) >= -q {
		return decimalFloat{c >> -q, 0}.withoutZeros()
	}
	odd, closer := c&1, uint64(0) // closer: the neighbour below is nearer than the one above
	logOfCloser := 0
	if fraction == 0 && biased > 1 {
		closer, logOfCloser = 1, 524031
	}
	k := (q*1262611 - logOfCloser) >> 22        // floor(log10(2^q)), or of 3/4 of it
	h := uint(q + (-k*1741647)>>19 + 1)         // floor(log2(10^-k))
	power := &powers128[-k-minPower128]         // 10^-k
	low := power.times((4*c-2+closer)<<h) + odd // the bounds belong to an even number only
	middle := power.times(4 * c << h)
	high := power.times((4*c+2)<<h) - odd

	s := middle / 4
	if tens := s / 10; tens > 0 {
		down, up := low <= 40*tens, 40*tens+40 <= high
		if down != up {
			return decimalFloat{tens + uintOf(up), k + 1}.withoutZeros()
		}
	}
	down, up := low <= 4*s, 4*s+4 <= high
	if down != up {
		return decimalFloat{s + uintOf(up), k}.withoutZeros()
	}
	half := 4*s + 2
	return decimalFloat{s + uintOf(middle > half || middle == half && s&1 != 0), k}.withoutZeros()
}

func uintOf(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func (d decimalFloat) withoutZeros() decimalFloat {
	if d.digits%10 != 0 {
		return d
	}
	for d.digits >= 1e8 && d.digits%1e4 == 0 {
		d.digits /= 1e4
		d.exponent += 4
	}
	for d.digits%10 == 0 && d.digits != 0 {
		d.digits /= 10
		d.exponent++
	}
	return d
}

// float returns the bits of a float64 whose shortest decimal is d, without a sign. It returns false
// if there is none.
func (d decimalFloat) float() (float uint64, ok bool) {
	if d.digits < 1e15 && -22 <= d.exponent && d.exponent <= 0 { // all such decimals differ as floats
		return math.Float64bits(float64(d.digits) / floatPowers[-d.exponent]), true
	}
	if d.digits == 0 || d.exponent < minPower128 || d.exponent > 308 {
		return 0, false
	}
	power, zeros := &powers128[d.exponent-minPower128], bits.LeadingZeros64(d.digits)
	high, low := bits.Mul64(power.high, d.digits<<zeros)
	carried, _ := bits.Mul64(power.low, d.digits<<zeros)
	low, carry := bits.Add64(low, carried, 0)
	high += carry
	// The number is high * 2^exponent, with 63 or 64 bits.
	exponent := (d.exponent*1741647)>>19 + 1 - zeros
	if high>>63 == 0 {
		high, exponent = high<<1|low>>63, exponent-1
		low <<= 1
	}
	rounded := high >> 11
	if rest := high & 0x7ff; rest > 0x400 || rest == 0x400 && (low > 0 || rounded&1 == 1) {
		rounded++
	}
	biased := exponent + 11 + exponentBias
	if biased <= 0 || biased >= exponentMask-1 {
		return 0, false // too small or too large to bother
	}
	float = uint64(biased)<<mantissaBits + rounded - hiddenBit
	return float, shortestDecimal(float) == d
}

var floatPowers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// power128 is a power of ten: 128 bits, of which the first is set. It is rounded up.
type power128 struct{ high, low uint64 }

// times returns the upper 64 bits of the product of 192 bits. The lowest bit is set if there is a
// remainder.
func (p *power128) times(v uint64) uint64 {
	high, low := bits.Mul64(p.high, v)
	carried, _ := bits.Mul64(p.low, v)
	low, carry := bits.Add64(low, carried, 0)
	return high + carry | uintOf(low > 1)
}

// powers128 holds the powers of ten from minPower128 to maxPower128.
var powers128 = func() *[maxPower128 - minPower128 + 1]power128 {
	var powers [maxPower128 - minPower128 + 1]power128
	var five [powerLimbs]uint64 // 5^i, which differs from 10^i by a power of 2
	five[0] = 1
	for i := 0; i <= maxPower128; i++ {
		powers[i-minPower128] = leadingBits(&five)
		carry := uint64(0)
		for limb := range five {
			high, low := bits.Mul64(five[limb], 5)
			five[limb], carry = low+carry, high+uintOf(low+carry < low)
		}
	}
	var inverse [powerLimbs]uint64 // 2^895 / 5^i
	inverse[powerLimbs-1] = signBit
	for i := 1; i <= -minPower128; i++ {
		remainder := uint64(0)
		for limb := powerLimbs - 1; limb >= 0; limb-- {
			inverse[limb], remainder = bits.Div64(remainder, inverse[limb], 5)
		}
		powers[-i-minPower128] = leadingBits(&inverse)
	}
	return &powers
}()

// leadingBits returns the first 128 bits of a number, from the highest one that is set, rounded up.
func leadingBits(limbs *[powerLimbs]uint64) power128 {
	top := powerLimbs - 1
	for limbs[top] == 0 {
		top--
	}
	limb := func(i int) uint64 {
		if i < 0 {
			return 0
		}
		return limbs[i]
	}
	zeros := bits.LeadingZeros64(limbs[top])
	shifted := func(i int) uint64 { return limb(i)<<zeros | limb(i-1)>>(64-zeros) }
	p := power128{shifted(top), shifted(top - 1)}
	rest := shifted(top - 2)
	for i := top - 3; i >= 0; i-- {
		rest |= limb(i)
	}
	if rest != 0 {
		low, carry := bits.Add64(p.low, 1, 0)
		p.low, p.high = low, p.high+carry
	}
	return p
}
