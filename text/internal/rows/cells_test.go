// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestIsNumber(t *testing.T) {
	tests := []struct {
		cells  string
		want   bool
		reason string
	}{
		{"0 5 -5 -0 10 999999999999999 -999999999999999", true, "whole numbers of at most 15 digits"},
		{"0.5 -0.0 5.00 1234567890123456.5 0.12345678901234567890", true, "fractions of any length"},
		{"1000000000000000 -1000000000000000", false, "no float holds each number of 16 digits"},
		{"- -- -a . .5 5. -.5 1.2.3 1.-2 1,5 +1 1E5 1e5 0x1 ١", false, "JSON has no such numbers"},
		{"00 01 007 -01 00.5", false, "codes begin with a zero"},
	}
	for _, test := range tests {
		for cell := range strings.FieldsSeq(test.cells) {
			if got := IsNumber([]byte(cell)); got != test.want {
				t.Errorf("IsNumber(%q) is %v; want %v, because %s", cell, got, test.want, test.reason)
			}
		}
	}
	if IsNumber(nil) {
		t.Error("an empty cell is a number")
	}
}

func TestCommaNumber(t *testing.T) {
	tests := []struct {
		cell, want string // "": it is none
	}{
		{"5", "5"}, {"-5", "-5"}, {"21,5", "21.5"}, {"-0,50", "-0.50"}, {"1.234", "1234"}, {"12.345,6", "12345.6"},
		{"-123.456.789,00", "-123456789.00"}, {"1234,5", "1234.5"},
		{"21.5", ""}, {"1.23", ""}, {"1.2345", ""}, {"1234.567", ""}, {"0.123", ""}, {".123", ""}, {"-.123", ""},
		{"1..234", ""}, {"1.234.56", ""}, {"1,2,3", ""}, {"1,", ""}, {",5", ""}, {"", ""}, {"-", ""}, {"1,5e3", ""},
		{"1.23a", ""}, {"01,5", ""}, {"1.234,5.6", ""},
	}
	for _, test := range tests {
		number, ok := AppendCommaNumber([]byte("x"), []byte(test.cell))
		ok = ok && IsNumber(number[1:])
		if ok != (test.want != "") || ok && string(number) != "x"+test.want {
			t.Errorf("%q is %q, %v; want %q", test.cell, number, ok, test.want)
		}
		if IsCommaNumber([]byte(test.cell)) != ok {
			t.Errorf("IsCommaNumber(%q) is %v; want %v", test.cell, !ok, ok)
		}
	}
}

func TestIsMissing(t *testing.T) {
	for _, cell := range []string{"", "NaN", "N/A", "null", " ", "   ", "nan", "NAN", "n/a", "N/a", "NULL", "Null"} {
		if !IsMissing([]byte(cell)) {
			t.Errorf("%q stands for a value", cell)
		}
	}
	for _, cell := range []string{"0", "na", "NA", "-", "--", "#N/A", "nul", "n.a", "N\x0fA", "nulł",
		"nil", "none", "NaNs", "xyz", "wxyz"} {
		if IsMissing([]byte(cell)) {
			t.Errorf("%q stands for no value", cell)
		}
	}
}

func TestNamesThatAreNotUTF8(t *testing.T) {
	_, _, err := Names([]string{"a", "b\xff"})
	var place *Error
	if !errors.As(err, &place) || place.Column != 2 {
		t.Errorf("error %v; want one about column 2", err)
	}
}

// TestBufferStaysSmall wants that the buffer grows with the longest row, and not with the file.
func TestBufferStaysSmall(t *testing.T) {
	const maxBuffer = 64 << 10
	r := NewReader(strings.NewReader(strings.Repeat("abc,def\n", 1<<16)), Options{Delimiter: ',', MaxLen: 1 << 20})
	for {
		_, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(r.buf) > maxBuffer {
		t.Errorf("the buffer has %d bytes; want at most %d", len(r.buf), maxBuffer)
	}
}
