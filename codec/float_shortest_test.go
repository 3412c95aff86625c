// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// checkShortest compares the shortest decimal of a float64 with that of strconv.
func checkShortest(t rapid.TB, float uint64) {
	t.Helper()
	float &^= signBit
	if float>>mantissaBits == exponentMask {
		return
	}
	got := shortestDecimal(float)
	text := strconv.FormatUint(got.digits, 10) + "e" + strconv.Itoa(got.exponent)
	want := strconv.FormatFloat(math.Float64frombits(float), 'e', -1, 64)
	back, err := strconv.ParseFloat(text, 64)
	normal := strconv.FormatFloat(back, 'e', -1, 64)
	digits := uint64(0)
	for _, c := range want {
		if c == 'e' {
			break
		}
		if c != '.' {
			digits = 10*digits + uint64(c-'0')
		}
	}
	if err != nil || normal != want || digits != got.digits {
		t.Fatalf("%x is %s; want %s", float, text, want)
	}
	if float>>mantissaBits > 150 && float>>mantissaBits < exponentMask-2 || float == 0 {
		if again, ok := got.float(); again != float || !ok {
			t.Fatalf("%s is read as %x, %v; want %x", text, again, ok, float)
		}
	}
}

func TestShortestDecimal(t *testing.T) {
	for power := -330; power < 310; power++ {
		v := math.Float64bits(math.Pow(10, float64(power)))
		for d := range uint64(7) {
			checkShortest(t, v+d-3)
		}
	}
	for exponent := range uint64(exponentMask) {
		for d := range uint64(5) {
			checkShortest(t, exponent<<mantissaBits+d-2)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		checkShortest(t, random.Uint64())
		checkShortest(t, math.Float64bits(float64(float32(random.NormFloat64()))))
		checkShortest(t, math.Float64bits(float64(random.IntN(1e6))/1000))
		checkShortest(t, math.Float64bits(float64(random.Uint64()>>random.IntN(64))))
	}
	rapid.Check(t, func(t *rapid.T) { checkShortest(t, math.Float64bits(rapid.Float64().Draw(t, "float"))) })
}

func BenchmarkShortest(b *testing.B) {
	var floats []uint64
	random := rand.New(rand.NewPCG(1, 2))
	for range 1024 {
		floats = append(floats, math.Float64bits(float64(float32(4+4*random.Float64()))))
	}
	b.Run("schubfach", func(b *testing.B) {
		for i := range b.N {
			shortestDecimal(floats[i%1024])
		}
	})
	b.Run("parse", func(b *testing.B) {
		var ds []decimalFloat
		for _, f := range floats {
			ds = append(ds, shortestDecimal(f))
		}
		for i := range b.N {
			ds[i%1024].float()
		}
	})
	b.Run("strconv", func(b *testing.B) {
		var text [40]byte
		for i := range b.N {
			strconv.AppendFloat(text[:0], math.Float64frombits(floats[i%1024]), 'f', -1, 64)
		}
	})
	b.Run("strconvparse", func(b *testing.B) {
		var ds []string
		for _, f := range floats {
			ds = append(ds, strconv.FormatFloat(math.Float64frombits(f), 'f', -1, 64))
		}
		for i := range b.N {
			strconv.ParseFloat(ds[i%1024], 64)
		}
	})
}
