// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestDamagedEncodings wants a byte that is no UTF-8 for bytes that are no character.
func TestDamagedEncodings(t *testing.T) {
	long := strings.Repeat("x", 5000)
	tests := []struct{ name, in, encoding, want string }{
		{"UTF-16 that ends in a character", "\xff\xfe1\x002", "", "1\xff"},
		{"half of a pair", "\xff\xfe1\x00\x00\xd82\x00", "", "1\xff2"},
		{"Shift JIS that ends in a character", "1\x81", "shift_jis", "1\xff"},
		{"a byte that the encoding does not have", "1\xff2", "iso-8859-8", "1\xff2"},
		{"others are whole", "\xff\xfe\xfc\xff\x2c\x00\xef\x00", "", "\uFFFC,ï"},
		{"after more than a buffer", long + "\xff" + long, "iso-8859-8", long + "\xff" + long},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			whole, slow := strings.NewReader(test.in), iotest.OneByteReader(strings.NewReader(test.in))
			for _, in := range []io.Reader{whole, slow} {
				r, err := NewReader(in, test.encoding)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r)
				if err != nil || string(got) != test.want {
					t.Errorf("%d bytes %.20q, %v; want %.20q", len(got), got, err, test.want)
				}
			}
		})
	}
}
