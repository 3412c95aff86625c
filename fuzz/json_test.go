// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/daybook-db/daybook"
)

// FuzzJSON compares ValidateValue with two references, which share only RFC 8259. The text lies
// between repeated openings and closings, so that a fuzzer can reach any depth.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-2.5e3,"\u00e9",null,true,false]}`, " \t\r\n{ \"a\" : [ ] }\n", `{"a":1,"a":{}}`, "[{},[],[[]]]", `""`,
		"0", "-0", "-0.0e-0", "1E+9", "12345678901234567890.5", "01", "-", "-a", "1.", ".5", "1e", "1e+", "+1", "0x1",
		"1_0", "NaN", "-Infinity",
		`"\"\\\/\b\f\n\r\t"`, `"\u12"`, `"\uD800"`, `"\uDFFF\uD800"`, `"\ud83d\ude00"`, `"\x41"`, `"\U0041"`,
		`"\u004g"`, `"\`, `"`,
		"\"\x00\"", "\"\x1f\"", "\"\x20\x7f\"", "\"\u0085\u2028\"", "\x00", "1\x00", "\v1", "\f1", "\u00a01", "\u20281",
		"\ufeff1", "\"\ufeff\"", "1\ufeff", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"", "\"\xc3", "\xff", "\"é漢😀\ufffd\"",
		"nul", "nulL", "true1", "truefalse", "1 2", "[1,]", "[,1]", "[1 2]", "[1}", "{,}", `{"a"}`,
		`{"a":}`, `{"a":1,}`, `{1:2}`, `{a:1}`, `{'a':1}`, `{"a"::1}`,
		"// c\n1", "/**/1", "", " ",
	} {
		f.Add([]byte(seed), []byte("["), []byte("]"), uint16(0))
	}
	const deepest = daybook.MaxValueDepth
	for _, depth := range []uint16{63, 64, 65, 128, deepest - 1, deepest, deepest + 1} {
		f.Add([]byte("1"), []byte("["), []byte("]"), depth)
		f.Add([]byte("{}"), []byte(`{"a":`), []byte("}"), depth)
		f.Add([]byte("[]"), []byte(` [ {"a":[],"b":`), []byte("} , 1 ]"), depth/2)
		f.Add([]byte("1"), []byte(`[{"a":`), []byte("]}"), depth/2)
	}
	f.Fuzz(func(t *testing.T, data, opening, closing []byte, times uint16) {
		const maxLen = 1 << 20 // much less than the limit of 16 MiB, to be fast
		if len(data)+(len(opening)+len(closing))*int(times) > maxLen {
			return
		}
		text := append(append(bytes.Repeat(opening, int(times)), data...), bytes.Repeat(closing, int(times))...)
		err := daybook.ValidateValue(text)
		if err != nil && !errors.Is(err, daybook.ErrInvalidValue) {
			t.Errorf("ValidateValue(%.200q): got %v, want ErrInvalidValue", text, err)
		}
		// encoding/json does not check the UTF-8. Its limit of depth is the same.
		if valid := json.Valid(text) && utf8.Valid(text); valid != (err == nil) {
			t.Errorf("ValidateValue(%.200q): %v; encoding/json says it is valid: %v", text, err, valid)
		}
		if valid := isJSON(text, daybook.MaxValueDepth); valid != (err == nil) {
			t.Errorf("ValidateValue(%.200q): %v; the grammar says it is valid: %v", text, err, valid)
		}
	})
}

// FuzzValueValidator validates a text after another one that differs only in its digits, and
// compares the result with that of the text on its own. Each run of digits is replaced by one of
// the fuzzer's.
func FuzzValueValidator(f *testing.F) {
	f.Add([]byte(`{"celsius":21.5,"humidity":441,"at":"2026-11-26T08:00:00Z","e":1e-7}`), "9,0.05,00,100,07,1")
	f.Add([]byte(`[-1,"\u0041\"1\"",0.5]`), "0,00041,141,01,50")
	f.Add([]byte(`0`), "00")
	f.Add([]byte(`"1"`), "01")
	f.Add([]byte(`1.0e10`), "10.00e01")
	f.Fuzz(func(t *testing.T, text []byte, digits string) {
		replacements := strings.FieldsFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
		next := 0
		similar := regexp.MustCompile("[0-9]+").ReplaceAllFunc(text, func(run []byte) []byte {
			if len(replacements) == 0 {
				return run
			}
			next++
			return []byte(replacements[next%len(replacements)])
		})
		var v daybook.ValueValidator
		for _, value := range [][]byte{text, similar, text} {
			got, want := v.Validate(value), daybook.ValidateValue(value)
			if (got == nil) != (want == nil) {
				t.Errorf("%.200q after %.200q: got %v, want %v", value, text, got, want)
			}
		}
	})
}

// isJSON reports whether text is a JSON-text of RFC 8259 in UTF-8, with at most maxDepth arrays and
// objects nested in one another.
func isJSON(text []byte, maxDepth int) bool {
	g := grammar{depth: maxDepth}
	rest := g.spaced(text, g.value)
	return !g.failed && len(rest) == 0 && utf8.Valid(text)
}

// grammar has a method for each rule of the RFC. A method reads its rule at the start of the text,
// and returns the rest of the text, or fails.
type grammar struct {
	depth  int // number of arrays and objects that may still be opened
	failed bool
}

func (g *grammar) fail() []byte {
	g.failed = true
	return nil
}

// spaced reads a rule with white space around it.
func (g *grammar) spaced(in []byte, rule func([]byte) []byte) []byte {
	const ws = " \t\n\r"
	return bytes.TrimLeft(rule(bytes.TrimLeft(in, ws)), ws)
}

func (g *grammar) value(in []byte) []byte {
	for _, name := range []string{"false", "null", "true"} {
		if rest, found := bytes.CutPrefix(in, []byte(name)); found {
			return rest
		}
	}
	switch {
	case len(in) == 0:
		return g.fail()
	case in[0] == '{':
		return g.list(in, '}', g.member)
	case in[0] == '[':
		return g.list(in, ']', func(in []byte) []byte { return g.spaced(in, g.value) })
	case in[0] == '"':
		return g.string(in)
	}
	return g.number(in)
}

// list reads an object or an array, which ends with end.
func (g *grammar) list(in []byte, end byte, element func([]byte) []byte) []byte {
	if g.depth--; g.depth < 0 {
		return g.fail()
	}
	defer func() { g.depth++ }()
	nothing := func(in []byte) []byte { return in }
	if rest := g.spaced(in[1:], nothing); len(rest) > 0 && rest[0] == end {
		return rest[1:]
	}
	for in = element(in[1:]); !g.failed && len(in) > 0 && in[0] == ','; {
		in = element(in[1:])
	}
	return g.char(in, end)
}

func (g *grammar) member(in []byte) []byte {
	in = g.char(g.spaced(in, g.string), ':')
	return g.spaced(in, g.value)
}

func (g *grammar) char(in []byte, want byte) []byte {
	if g.failed || len(in) == 0 || in[0] != want {
		return g.fail()
	}
	return in[1:]
}

func (g *grammar) string(in []byte) []byte {
	for in = g.char(in, '"'); len(in) > 0; in = in[1:] {
		switch c := in[0]; {
		case c == '"':
			return in[1:]
		case c < 0x20:
			return g.fail()
		case c != '\\':
			continue
		}
		if in = in[1:]; len(in) == 0 || bytes.IndexByte([]byte(`"\/bfnrtu`), in[0]) < 0 {
			return g.fail()
		}
		if in[0] == 'u' {
			if len(in) < 5 || len(bytes.Trim(in[1:5], "0123456789abcdefABCDEF")) > 0 {
				return g.fail()
			}
			in = in[4:]
		}
	}
	return g.fail()
}

func (g *grammar) number(in []byte) []byte {
	in = bytes.TrimPrefix(in, []byte("-"))
	if rest, zero := bytes.CutPrefix(in, []byte("0")); zero {
		in = rest
	} else {
		in = g.digits(in)
	}
	if rest, point := bytes.CutPrefix(in, []byte(".")); point {
		in = g.digits(rest)
	}
	if len(in) > 0 && (in[0] == 'e' || in[0] == 'E') {
		in = in[1:]
		if len(in) > 0 && (in[0] == '+' || in[0] == '-') {
			in = in[1:]
		}
		in = g.digits(in)
	}
	return in
}

func (g *grammar) digits(in []byte) []byte {
	rest := bytes.TrimLeft(in, "0123456789")
	if len(rest) == len(in) {
		return g.fail()
	}
	return rest
}
