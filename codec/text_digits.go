// SPDX-License-Identifier: Apache-2.0

package codec

import "encoding/binary"

// A digitPattern says which bytes random identifiers such as 6f1ea9c0-17b2 consist of, position by
// position: each byte of it is what all of them have there, or one of the alphabets. A pattern of
// one byte is for texts of any length.
type digitPattern []byte

// The alphabets, in place of a byte that all texts have.
const (
	lowerHex     = 1
	upperHex     = 2
	base64URL    = 3
	maxAlphabet  = base64URL
	allAlphabets = 1<<lowerHex | 1<<upperHex | 1<<base64URL
)

// alphabets are the digits of each alphabet.
var alphabets = [maxAlphabet + 1]string{
	lowerHex:  "0123456789abcdef",
	upperHex:  "0123456789ABCDEF",
	base64URL: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
}

// digitBits is the number of bits of a digit, for each byte of a pattern.
var digitBits = [256]uint8{lowerHex: 4, upperHex: 4, base64URL: 6}

// digitValues are the numbers of the digits of each alphabet, and alphabetsOf the set of alphabets
// that each byte is a digit of.
var digitValues, alphabetsOf = func() (values [maxAlphabet + 1][256]uint8, of [256]uint8) {
	for alphabet := lowerHex; alphabet <= maxAlphabet; alphabet++ {
		for value, digit := range []byte(alphabets[alphabet]) {
			values[alphabet][digit] = uint8(value)
			of[digit] |= 1 << alphabet
		}
	}
	return values, of
}()

// maxDigits is the length in bytes of the longest text of digits.
const maxDigits = 256

// digitEncoder finds the pattern of texts.
type digitEncoder struct {
	pattern   digitPattern
	common    [maxDigits]uint8 // for each position, the alphabets that all texts have digits of
	varies    [maxDigits]bool  // for each position: the texts do not have the same byte
	isOrderly bool             // many digits are equal to those of the text before, so others may be shorter
}

// find finds the pattern of texts, and returns the number of bits of all their digits. ok is false
// if they have none. If their lengths differ, all must have one alphabet.
func (e *digitEncoder) find(texts [][]byte) (bits int, ok bool) {
	first, longest, isOneLength, repeated := texts[0], 0, true, 0
	for i := range e.common {
		e.common[i], e.varies[i] = allAlphabets, false
	}
	var last []byte
	for _, text := range texts {
		if len(text) > maxDigits {
			return 0, false
		}
		longest, isOneLength = max(longest, len(text)), isOneLength && len(text) == len(first)
		for i, b := range text {
			if i < len(last) && b == last[i] {
				if e.varies[i] {
					repeated++
				}
				continue
			}
			e.common[i] &= alphabetsOf[b]
			e.varies[i] = e.varies[i] || i >= len(first) || b != first[i]
			if e.common[i] == 0 && e.varies[i] || b <= maxAlphabet {
				return 0, false
			}
		}
		last = text
	}
	if e.pattern = e.pattern[:0]; isOneLength {
		bits = e.findEach(first) * len(texts)
	} else {
		bits = e.findOne(texts, longest)
	}
	e.isOrderly = repeated > bits/(4*orderlyDigits)
	return bits, bits > 0
}

// orderlyDigits: digits are orderly if one of this number is equal to that of the text before. Of
// random ones it is one of 16, or fewer.
const orderlyDigits = 5

// findEach finds the alphabet of each position, and returns the number of bits of a text. All texts
// are as long as the first.
func (e *digitEncoder) findEach(first []byte) (bits int) {
	for i, b := range first {
		if e.varies[i] {
			b = smallestOf(e.common[i])
		}
		e.pattern = append(e.pattern, b)
		bits += int(digitBits[b])
	}
	return bits
}

// findOne finds the alphabet that all positions have, and returns the number of bits of all texts;
// 0 if there is none.
func (e *digitEncoder) findOne(texts [][]byte, longest int) (bits int) {
	common := uint8(allAlphabets)
	for _, alphabets := range e.common[:longest] {
		common &= alphabets
	}
	if common == 0 {
		return 0
	}
	alphabet := smallestOf(common)
	e.pattern = append(e.pattern, alphabet)
	for _, text := range texts {
		bits += int(digitBits[alphabet]) * len(text)
	}
	return bits
}

// smallestOf returns the alphabet with the fewest digits of a set.
func smallestOf(set uint8) byte {
	for alphabet := byte(lowerHex); alphabet < maxAlphabet; alphabet++ {
		if set&(1<<alphabet) != 0 {
			return alphabet
		}
	}
	return maxAlphabet
}

// append appends the pattern, and the digits of texts that have it, which have a number of bits.
func (e *digitEncoder) append(dst []byte, texts [][]byte, bits int) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(e.pattern)))
	dst = append(dst, e.pattern...)
	dst = binary.AppendUvarint(dst, uint64((bits+7)/8))
	w := bitWriter{dst: dst}
	for _, text := range texts {
		for i, b := range text {
			if alphabet := e.pattern.at(i); alphabet <= maxAlphabet {
				w.width = int(digitBits[alphabet])
				w.add(uint64(digitValues[alphabet][b]))
			}
		}
	}
	return w.finish()
}

// at returns the byte of the pattern for a position.
func (p digitPattern) at(i int) byte {
	if len(p) == 1 {
		return p[0]
	}
	return p[i]
}

// isValid reports whether a decoded pattern is possible.
func (p digitPattern) isValid() bool { return len(p) > 0 && len(p) <= maxDigits }

// bits returns the number of bits of a text with a length. It returns false if the pattern has
// none, or does not say each byte of the text.
func (p digitPattern) bits(length int) (n int, ok bool) {
	if len(p) == 1 && digitBits[p[0]] > 0 && length <= maxDigits {
		return int(digitBits[p[0]]) * length, true
	}
	for _, b := range p {
		n += int(digitBits[b])
	}
	return n, length == len(p)
}

// digitRun is a part of a text: digits of one alphabet, or bytes that all texts have.
type digitRun struct {
	alphabet byte // 0 for bytes that all texts have
	from, to int  // indexes in the text
}

// appendRuns appends the runs of a text with a length.
func (p digitPattern) appendRuns(runs []digitRun, length int) []digitRun {
	for i := range length {
		alphabet := p.at(i)
		if digitBits[alphabet] == 0 {
			alphabet = 0
		}
		if last := len(runs) - 1; last >= 0 && runs[last].alphabet == alphabet {
			runs[last].to++
			continue
		}
		runs = append(runs, digitRun{alphabet, i, i + 1})
	}
	return runs
}

// write writes digits, which start at a bit of packed, to the start of dst, where it may write up
// to seven bytes more.
func (r digitRun) write(dst, packed []byte, bit int) {
	digits := r.to - r.from
	if r.alphabet > upperHex {
		writeBase64(dst[:digits], packed, bit)
		return
	}
	letters := uint64('a' - '9' - 1)
	if r.alphabet == upperHex {
		letters = 'A' - '9' - 1
	}
	for i := 0; i < digits; i += 8 {
		word := wordAt(packed, bit/8) >> (bit % 8)
		binary.LittleEndian.PutUint64(dst[i:], eightHexDigits(uint32(word), letters))
		bit += 32
	}
}

// eightHexDigits returns the text of eight digits, of which the first is in the lowest bits and in
// the lowest byte of the text. letters is the distance of the letters from the bytes after 9.
func eightHexDigits(digits uint32, letters uint64) uint64 {
	v := uint64(digits)
	v = (v | v<<16) & 0x0000ffff_0000ffff
	v = (v | v<<8) & 0x00ff00ff_00ff00ff
	v = (v | v<<4) & 0x0f0f0f0f_0f0f0f0f
	isLetter := (v + 0x06060606_06060606) >> 4 & 0x01010101_01010101
	return v + asciiZeros + isLetter*letters
}

// writeBase64 fills dst with digits of base64URL, which start at a bit of packed.
func writeBase64(dst, packed []byte, bit int) {
	const width, atOnce = 6, maxPackedWidth / 6
	for len(dst) > 0 {
		word, part := wordAt(packed, bit/8)>>(bit%8), dst[:min(len(dst), atOnce)]
		dst = dst[len(part):]
		bit += len(part) * width
		for i := range part {
			part[i] = alphabets[base64URL][word&(1<<width-1)]
			word >>= width
		}
	}
}
