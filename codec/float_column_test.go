// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// formTexts write a float as the program does that each of floatForms is named after. They know
// nothing of floatForms.
var formTexts = [len(floatForms)]func(v float64) string{
	func(v float64) string { // JavaScript and Go
		if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
			mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
			return mantissa + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	},
	func(v float64) string { // Python
		if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e16) {
			return strconv.FormatFloat(v, 'e', -1, 64)
		}
		return withPoint(strconv.FormatFloat(v, 'f', -1, 64))
	},
	func(v float64) string { // Rust
		if a := math.Abs(v); a != 0 && (a < 1e-5 || a >= 1e16) {
			mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
			number, _ := strconv.Atoi(exponent)
			return mantissa + "e" + strconv.Itoa(number)
		}
		return withPoint(strconv.FormatFloat(v, 'f', -1, 64))
	},
	func(v float64) string { // nlohmann's C++
		if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e15) {
			return strconv.FormatFloat(v, 'e', -1, 64)
		}
		return withPoint(strconv.FormatFloat(v, 'f', -1, 64))
	},
	func(v float64) string { // Java
		if a := math.Abs(v); a != 0 && (a < 1e-3 || a >= 1e7) {
			mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
			number, _ := strconv.Atoi(exponent)
			return withPoint(mantissa) + "E" + strconv.Itoa(number)
		}
		return withPoint(strconv.FormatFloat(v, 'f', -1, 64))
	},
	func(v float64) string { // C#
		if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e15) {
			return strconv.FormatFloat(v, 'E', -1, 64)
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	},
}

func withPoint(text string) string {
	if strings.Contains(text, ".") {
		return text
	}
	return text + ".0"
}

// TestFloatForms compares the text of floats with what programs write.
func TestFloatForms(t *testing.T) {
	check := func(t rapid.TB, v float64) {
		if v == 0 && math.Signbit(v) || math.IsInf(v, 0) || math.IsNaN(v) {
			return
		}
		for i, text := range formTexts {
			want := text(v)
			var got [maxNumberLen]byte
			length := floatForms[i].writeFloat(got[:], math.Float64bits(v))
			if string(got[:length]) != want || length > maxFloatLen {
				t.Fatalf("form %d writes %q; want %q", i, got[:length], want)
			}
			checkParsedFloat(t, want, v, i)
		}
	}
	for exponent := -330; exponent <= 308; exponent++ {
		v, _ := strconv.ParseFloat(fmt.Sprintf("1e%d", exponent), 64)
		for _, v := range []float64{v, -v, math.Nextafter(v, 0), 1.5 * v, 123456789012345678 * v} {
			check(t, v)
		}
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.Float64().Draw(t, "float")) })
}

// TestShortDecimals compares the short way to write floats of a column with the long one.
func TestShortDecimals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := storedFloats{form: &floatForms[rapid.IntRange(0, len(floatForms)-1).Draw(t, "form")]}
		f.unit = rapid.SampledFrom([]floatUnit{unitBinary, unitDecimal}).Draw(t, "unit")
		f.scale = uint8(rapid.IntRange(0, 22).Draw(t, "scale"))
		f.findStyle()
		integer := rapid.Int64().Draw(t, "integer") >> rapid.IntRange(0, 63).Draw(t, "shift")
		v := float64(integer) / floatPowers[f.scale]
		if f.unit == unitBinary {
			v = math.Ldexp(float64(integer), -int(f.scale))
		}
		float := math.Float64bits(v) + uint64(rapid.SampledFrom([]int{0, 0, 0, 1, -1}).Draw(t, "move"))
		if float&^signBit == 0 || !isFinite(float) {
			return
		}
		var got, want [maxNumberLen]byte
		length, wantLength := f.write(got[:], float), f.form.writeFloat(want[:], float)
		if string(got[:length]) != string(want[:wantLength]) {
			t.Fatalf("%+v: %v is written %s; want %s", f, v, got[:length], want[:wantLength])
		}
	})
}

// checkParsedFloat checks that the text of a float is read as that float, if it is read as one.
func checkParsedFloat(t rapid.TB, text string, v float64, form int) {
	t.Helper()
	var n number
	length := n.parse([]byte(text), unlimited)
	if length != len(text) {
		if math.Abs(v) > 1e-260 && math.Abs(v) < 1e300 {
			t.Fatalf("%d bytes of %q are a number", length, text)
		}
		return
	}
	var c numberColumn
	c.add(&n)
	var e floatEncoder
	if forms, ok := e.readFloats(&c); !ok || forms&(1<<form) == 0 || e.floats[0] != math.Float64bits(v) {
		t.Fatalf("%q has the forms %b, %v, and is %x; want form %d and %x", text, forms, ok, e.floats, form,
			math.Float64bits(v))
	}
}

// floatTests are series of floats.
var floatTests = []struct {
	name     string
	next     func(i int, random *rand.Rand) float64
	maxBytes float64 // of a float, in any form
	reason   string  // why the row is here
}{
	{"32 bits", func(_ int, random *rand.Rand) float64 { return float64(float32(4 + random.Float64())) }, 3.1,
		"29 bits are never set"},
	{"32 bits around zero", func(_ int, random *rand.Rand) float64 {
		return float64(float32(random.NormFloat64()))
	}, 4.3, "most exponents, and signs"},
	{"32 bits of three decimals", func(i int, random *rand.Rand) float64 {
		return float64(float32(float64(20_000+i*13%1000+random.IntN(100)) / 1000))
	}, 1.7, "the decimals are hidden in a float of 32 bits"},
	{"a mean", func(_ int, random *rand.Rand) float64 { return 10 + 20*random.Float64() }, 7.1,
		"all 53 bits, which differ"},
	{"a sum", func() func(int, *rand.Rand) float64 {
		sum := 0.0
		return func(int, *rand.Rand) float64 { sum += 0.1; return sum }
	}(), 3, "decimals with an error that grows"},
	{"a converter", func(_ int, random *rand.Rand) float64 { return float64(random.IntN(1<<16)-1<<15) / 16384 }, 2.1,
		"multiples of a power of 2"},
	{"degrees", func(i int, random *rand.Rand) float64 {
		return float64(525_200_000+i*10+random.IntN(100)) / 1e7 * math.Pi / math.Pi
	}, 2.1, "decimals with an error of rounding"},
	{"mixed", func(i int, random *rand.Rand) float64 {
		if i%50 == 7 {
			return random.Float64()
		}
		return float64(random.IntN(1000)) / 1000
	}, 1.8, "few values need 17 digits"},
	{"all exponents", func(_ int, random *rand.Rand) float64 {
		return math.Ldexp(random.NormFloat64(), random.IntN(1600)-800)
	}, 8.1, "more bits than are packed"},
	{"tiny", func(_ int, random *rand.Rand) float64 { return random.Float64() * 1e-9 }, 8.1, "always an exponent"},
	{"huge", func(_ int, random *rand.Rand) float64 { return random.Float64() * 1e25 }, 8.1, "always an exponent, too"},
}

// floatEntries returns values of which each has two floats.
func floatEntries(n int, form int, next func(i int, random *rand.Rand) float64) (entries []Entry) {
	random := rand.New(rand.NewPCG(1, 2))
	text := formTexts[form]
	for i := range n {
		value := fmt.Sprintf(`{"x":%s,"n":%d,"y":[%s]}`, text(next(i, random)), i%7, text(next(i, random)))
		entries = append(entries, Entry{uint64(i) * 250, uint64(i) + 1, []byte(value)})
	}
	return entries
}

// TestFloatColumns encodes series of floats as every known program writes them.
func TestFloatColumns(t *testing.T) {
	for _, test := range floatTests {
		for form := range formTexts {
			entries := floatEntries(400, form, test.next)
			key, chunk := encode(entries)
			if chunk[1] != encodingTemplates {
				t.Errorf("%s, form %d: encoding %d; want templates (%s)", test.name, form, chunk[1], test.reason)
			}
			if got := float64(len(chunk)-200) / 800; got > test.maxBytes {
				t.Errorf("%s, form %d: %.2f bytes a float; want at most %.2f (%s)", test.name, form, got,
					test.maxBytes, test.reason)
			}
			var b Buffer
			checkDecodes(t, &b, key, chunk, entries)
			checkFloatChunk(t, &b, key, chunk, entries)
		}
	}
}

// checkFloatChunk checks a tail of a chunk, and the join of its parts.
func checkFloatChunk(t *testing.T, b *Buffer, key, chunk []byte, entries []Entry) {
	t.Helper()
	tailKey, tail, err := coder.Tail(key, chunk, 150)
	if err != nil {
		t.Fatal(err)
	}
	checkDecodes(t, b, tailKey, tail, entries[150:])
	var parts []EncodedChunk
	for _, part := range [][]Entry{entries[:100], entries[100:150]} {
		partKey, part := encode(part)
		parts = append(parts, EncodedChunk{partKey, part})
	}
	parts = append(parts, EncodedChunk{tailKey, tail})
	joined, err := coder.Join(key, parts, nil)
	if err != nil {
		t.Fatal(err)
	}
	if joined != nil {
		checkDecodes(t, b, key, joined, entries)
	}
}

// TestFloatFallback has numbers that no form writes. They come back as they were.
func TestFloatFallback(t *testing.T) {
	var b Buffer
	for _, odd := range []string{
		"-0", "-0.0", "1E400", "1e400", "1e-400", "0.30000000000000004000", "0.3000000000000000444", "0.10", "1e5",
		"1.5e+07", "1E5", "1e05", "01.5", "1.e5", "5.00", "9007199254740993", "18446744073709551615", "1e-7x",
		"0.1e-7", "10e-8", "1.0e-7", "1e+0021", "1e", "1e+", "-1e-7", "2.2250738585072014e-308", "5e-324",
		"1.7976931348623157e+308", "0e0", "0e-7", "123456789012345678901234567890", "NaN", "1e99999999999999999999",
	} {
		for form := range formTexts {
			entries := floatEntries(60, form, func(_ int, random *rand.Rand) float64 { return random.Float64() })
			entries[30].Value = []byte(strings.Replace(string(entries[30].Value), `"n":`, `"n":1,"z":`+odd+`,"m":`, 1))
			entries[31].Value = []byte(`{"x":` + odd + `,"n":3,"y":[` + odd + `]}`)
			key, chunk := encode(entries)
			checkDecodes(t, &b, key, chunk, entries)
			h := headerOf(entries)
			if body := appendTemplateBody(nil, entries, &h, maxTemplates); len(body) > 0 {
				checkDecodes(t, &b, key, appendHeaderAndBody(nil, key, &h, encodingTemplates, body), entries)
			}
		}
	}
}

// TestFloatsRoundTrip encodes drawn floats in drawn forms, joins and cuts them, and compares the
// result with the values.
func TestFloatsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		form := rapid.IntRange(0, len(formTexts)-1).Draw(t, "form")
		float := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.Float32(), func(v float32) float64 { return float64(v) }),
			rapid.Map(rapid.IntRange(-1e6, 1e6), func(v int) float64 { return float64(v) / 1000 }),
			rapid.Map(rapid.IntRange(-1e6, 1e6), func(v int) float64 { return float64(float32(float64(v) / 1000)) }),
			rapid.Map(rapid.IntRange(-1e6, 1e6), func(v int) float64 { return float64(v) * 1.1 }),
			rapid.Map(rapid.IntRange(-1e6, 1e6), func(v int) float64 { return float64(v) / 1024 }))
		kinds := rapid.SliceOfN(float, 2, 60).Draw(t, "floats")
		var entries []Entry
		for i, v := range kinds {
			text := formTexts[form](v)
			if rapid.IntRange(0, 60).Draw(t, "another form") == 0 {
				text = formTexts[rapid.IntRange(0, len(formTexts)-1).Draw(t, "form")](v)
			}
			entries = append(entries, Entry{uint64(i), uint64(i) + 1, []byte(`{"x":` + text + `}`)})
		}
		var b Buffer
		h := headerOf(entries)
		key, _ := encode(entries)
		if body := appendTemplateBody(nil, entries, &h, maxTemplates); len(body) > 0 {
			chunk := appendHeaderAndBody(nil, key, &h, encodingTemplates, body)
			checkDecodes(t, &b, key, chunk, entries)
			checkRange(t, &b, key, chunk, entries)
			checkSequences(t, &b, key, chunk, entries)
			checkTail(t, &b, key, chunk, entries)
		}
		if body := coder.appendMemberBody(nil, entries, &h); len(body) > 0 {
			checkDecodes(t, &b, key, appendHeaderAndBody(nil, key, &h, encodingMembers, body), entries)
		}
		checkJoin(t, &b, entries)
	})
}

// TestFloatDamage is TestChunkDamage for chunks with each unit of floats.
func TestFloatDamage(t *testing.T) {
	for _, test := range floatTests {
		entries := floatEntries(12, 0, test.next)
		h := headerOf(entries)
		key, _ := encode(entries)
		body := appendTemplateBody(nil, entries, &h, maxTemplates)
		chunk := appendHeaderAndBody(nil, key, &h, encodingTemplates, body)
		checkFlips(t, key, chunk)
		checkCuts(t, key, chunk)
		checkSealedFlips(t, key, chunk)
	}
}

// TestFloatThatIsNoNumber: neither an infinity nor what is not a number is valid, however long its
// text would be.
func TestFloatThatIsNoNumber(t *testing.T) {
	key := Key{Record: "r", Timestamp: 1}.Append(nil)
	for _, float := range []float64{math.Inf(1), math.Inf(-1), math.NaN()} {
		var e floatEncoder
		e.floats = []uint64{math.Float64bits(float)}
		e.tryBits(storedFloats{})
		templates := "\x00\x00\x00\x00\x01\x01\x00\x00" + string(e.shortest)
		members := "\x00\x00\x00\x00\x01\x00\x01\x01\x01\x00\x00\x00" + string(e.shortest)
		for length := range uint64(2 * maxNumberLen) {
			fields := headerFields{1, 0, 1, 0, length, 0}
			checkRefused(t, fmt.Sprint(float), key, lyingChunk(key, encodingTemplates, fields, templates))
			checkRefused(t, fmt.Sprint(float), key, lyingChunk(key, encodingMembers, fields, members))
		}
	}
}

// TestFloatScales has the largest scale of each unit, and one more.
func TestFloatScales(t *testing.T) {
	for unit, largest := range []uint8{unitBits: 63, unitBinary: maxBinaryScale, unitDecimal: 22, unitDecimal32: 22} {
		for _, scale := range []uint8{0, largest, largest + 1} {
			stored := storedFloats{unit: floatUnit(unit), scale: scale}
			in := fieldReader{data: appendIntColumn(stored.append(nil), []uint64{1})}
			if stored.unit.isDecimal() {
				in.data = appendIntColumn(in.data, []uint64{0})
			}
			in.place(new(storedPlace), 1, chunkVersion)
			if valid := !in.failed && in.remaining() == 0; valid != (scale <= largest) {
				t.Errorf("unit %d, scale %d: valid: %v", unit, scale, valid)
			}
		}
	}
	in := fieldReader{data: appendIntColumn((&storedFloats{unit: floatUnits}).append(nil), []uint64{1})}
	if in.place(new(storedPlace), 1, chunkVersion); !in.failed {
		t.Error("a unit that is not known is valid")
	}
}

// checkSealedFlips flips each bit of a chunk's body, with a matching checksum. What then decodes
// must be JSON numbers still, and encode and join as the same values.
func checkSealedFlips(t *testing.T, key, chunk []byte) {
	t.Helper()
	h, err := ReadHeader(key, chunk)
	if err != nil {
		t.Fatal(err)
	}
	var b, again Buffer
	for bit := (len(chunk) - len(h.body)) * 8; bit < len(chunk)*8; bit++ {
		flipped := flip(chunk, bit)
		setChecksums(key, flipped)
		if err := coder.Decode(&b, key, flipped); err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("bit %d: got %v; want ErrCorrupt", bit, err)
			}
			continue
		}
		if strings.Contains(string(b.Text()), "Inf") || strings.Contains(string(b.Text()), "NaN") {
			t.Errorf("bit %d: %s", bit, b.Text())
		}
		joined, err := coder.Join(key, []EncodedChunk{{key, flipped}}, nil)
		if err != nil {
			t.Errorf("bit %d: Join: %v", bit, err)
		}
		if joined == nil {
			continue
		}
		if err := coder.Decode(&again, key, joined); err != nil || string(again.Text()) != string(b.Text()) {
			t.Errorf("bit %d: joined, %v: %s; want %s", bit, err, again.Text(), b.Text())
		}
	}
}

func BenchmarkFloatColumns(b *testing.B) {
	for _, test := range floatTests {
		entries := floatEntries(400, 0, test.next)
		key, chunk := encode(entries)
		b.Run("encode/"+test.name, func(b *testing.B) {
			for range b.N {
				chunk = coder.AppendChunk(chunk[:0], key, entries)
			}
			b.ReportMetric(float64(len(chunk))/800, "B/float")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/800, "ns/float")
		})
		b.Run("decode/"+test.name, func(b *testing.B) {
			var buffer Buffer
			for range b.N {
				if err := coder.Decode(&buffer, key, chunk); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/800, "ns/float")
		})
	}
}
