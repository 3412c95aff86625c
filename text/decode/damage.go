// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/transform"
)

// damage puts a byte that is no UTF-8 where a decoder put U+FFFD for bytes that are no character of
// its encoding. The readers of values then refuse that line, as they do in a file of UTF-8.
type damage struct{ transform.NopResetter }

// noUTF8 is in no text in UTF-8.
const noUTF8 = 0xff

var replacement = []byte(string(utf8.RuneError))

func (damage) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		text := src[nSrc:]
		at := bytes.Index(text, replacement)
		switch {
		case at == 0 && nDst == len(dst):
			return nDst, nSrc, transform.ErrShortDst
		case at == 0:
			dst[nDst] = noUTF8
			nDst, nSrc = nDst+1, nSrc+len(replacement)
			continue
		case at > 0:
			text = text[:at]
		case !atEOF:
			text = text[:len(text)-halfOf(text)]
		}
		if len(text) == 0 {
			return nDst, nSrc, transform.ErrShortSrc
		}
		n := copy(dst[nDst:], text)
		nDst, nSrc = nDst+n, nSrc+n
		if n < len(text) {
			return nDst, nSrc, transform.ErrShortDst
		}
	}
	return nDst, nSrc, nil
}

// halfOf returns how many bytes at the end of text may be the beginning of U+FFFD.
func halfOf(text []byte) int {
	for n := min(len(replacement)-1, len(text)); n > 0; n-- {
		if bytes.HasSuffix(text, replacement[:n]) {
			return n
		}
	}
	return 0
}
