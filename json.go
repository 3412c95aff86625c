// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"bytes"
	"unicode/utf8"
)

// jsonFault says where a text stops to be JSON, and why.
type jsonFault struct {
	offset int
	reason string
}

// checkJSON returns nil if and only if data is one RFC 8259 JSON text in UTF-8, nested at most
// MaxValueDepth deep. Every Store calls it. The function Valid of encoding/json takes about twice
// as long for a sensor reading, and accepts invalid UTF-8.
func checkJSON(data []byte) *jsonFault {
	c := jsonChecker{data: data}
	if !c.text() {
		return &jsonFault{offset: c.at, reason: c.reason}
	}
	return nil
}

// jsonChecker reads a text from start to end. Its methods consume a part of the grammar and report
// whether it is correct. If not, at and reason say what is wrong.
//
// The open arrays and objects are a stack of one bit each, not of function calls, so that deeply
// nested input needs no deep goroutine stack.
type jsonChecker struct {
	data   []byte
	at     int // offset of the next byte
	reason string

	depth   int
	shallow uint64   // bit d is set if the container at depth d (< 64) is an object
	deep    []uint64 // the same for depth 64 and deeper
}

// fail notes why the text is not JSON, and returns false.
func (c *jsonChecker) fail(reason string) bool {
	if c.at >= len(c.data) {
		reason = "the text ends early"
	}
	c.reason = reason
	return false
}

// text consumes the whole text. Each turn of the loop consumes one value and everything that closes
// after it.
func (c *jsonChecker) text() bool {
	c.space()
	if c.at == len(c.data) {
		c.reason = "it is empty"
		return false
	}
	for {
		opened, ok := c.value()
		if !ok {
			return false
		}
		if opened {
			continue
		}
		if done, ok := c.afterValue(); done || !ok {
			return ok
		}
	}
}

// value consumes a scalar, an empty container, or the start of a container up to its first value.
// In the last case it reports opened.
func (c *jsonChecker) value() (opened, ok bool) {
	if c.at >= len(c.data) {
		return false, c.fail("")
	}
	switch b := c.data[c.at]; b {
	case '"':
		return false, c.quoted()
	case '{':
		return c.container(true, '}')
	case '[':
		return c.container(false, ']')
	case 't':
		return false, c.literal("true")
	case 'f':
		return false, c.literal("false")
	case 'n':
		return false, c.literal("null")
	default:
		if b == '-' || isDigit(b) {
			return false, c.number()
		}
		return false, c.fail("a value was expected")
	}
}

// container consumes an opening bracket. It also consumes the closing bracket of an empty
// container, and the first key of an object that is not empty.
func (c *jsonChecker) container(object bool, closing byte) (opened, ok bool) {
	if c.depth == MaxValueDepth {
		return false, c.fail("it is nested too deep (the maximum is 10000)")
	}
	c.at++
	c.space()
	if c.at < len(c.data) && c.data[c.at] == closing {
		c.at++
		return false, true
	}
	c.push(object)
	if object {
		return true, c.key()
	}
	return true, true
}

// afterValue consumes closing brackets, and then a comma with everything up to the next value. It
// reports done at the end of a complete text.
func (c *jsonChecker) afterValue() (done, ok bool) {
	for {
		c.space()
		if c.depth == 0 {
			if c.at != len(c.data) {
				return false, c.fail("there is something after the value")
			}
			return true, true
		}
		if c.at >= len(c.data) {
			return false, c.fail("")
		}
		object := c.inObject()
		switch b := c.data[c.at]; {
		case b == ',':
			c.at++
			c.space()
			if object {
				return false, c.key()
			}
			return false, true
		case b == '}' && object, b == ']' && !object:
			c.at++
			c.depth--
		case object:
			return false, c.fail("',' or '}' was expected")
		default:
			return false, c.fail("',' or ']' was expected")
		}
	}
}

// key consumes the name of a member, the colon and the space around it.
func (c *jsonChecker) key() bool {
	if c.at >= len(c.data) || c.data[c.at] != '"' {
		return c.fail("a member name in quotes was expected")
	}
	if !c.quoted() {
		return false
	}
	c.space()
	if c.at >= len(c.data) || c.data[c.at] != ':' {
		return c.fail("':' was expected")
	}
	c.at++
	c.space()
	return true
}

// plain is true for the bytes that stand for themselves in a string.
var plain = func() (t [256]bool) {
	for b := 0x20; b < utf8.RuneSelf; b++ {
		t[b] = b != '"' && b != '\\'
	}
	return t
}()

// quoted consumes a string with its quotes.
func (c *jsonChecker) quoted() bool {
	data, i := c.data, c.at+1
	for i < len(data) {
		b := data[i]
		if plain[b] {
			i++
			continue
		}
		c.at = i
		switch {
		case b == '"':
			c.at++
			return true
		case b == '\\':
			if !c.escape() {
				return false
			}
			i = c.at
		case b < 0x20:
			return c.fail("a control character in a string must be escaped")
		default:
			r, size := utf8.DecodeRune(data[i:])
			if r == utf8.RuneError && size == 1 {
				c.reason = "it is not valid UTF-8"
				return false
			}
			i += size
		}
	}
	c.at = len(data)
	return c.fail("")
}

// escape consumes a backslash and the characters that belong to it.
func (c *jsonChecker) escape() bool {
	c.at++
	if c.at >= len(c.data) {
		return c.fail("")
	}
	b := c.data[c.at]
	if b != 'u' {
		if bytes.IndexByte([]byte(`"\/bfnrt`), b) < 0 {
			return c.fail("an unknown escape")
		}
		c.at++
		return true
	}
	c.at++
	for range 4 {
		if c.at >= len(c.data) || !isHex(c.data[c.at]) {
			return c.fail("four hexadecimal digits were expected after \\u")
		}
		c.at++
	}
	return true
}

// number consumes a number.
func (c *jsonChecker) number() bool {
	if c.data[c.at] == '-' {
		c.at++
	}
	switch {
	case c.at < len(c.data) && c.data[c.at] == '0':
		c.at++
		if c.at < len(c.data) && isDigit(c.data[c.at]) {
			return c.fail("a number has no leading zeros")
		}
	case !c.digits():
		return c.fail("a digit was expected")
	}
	if c.at < len(c.data) && c.data[c.at] == '.' {
		c.at++
		if !c.digits() {
			return c.fail("a digit was expected after the point")
		}
	}
	if c.at < len(c.data) && c.data[c.at]|0x20 == 'e' {
		c.at++
		if c.at < len(c.data) && (c.data[c.at] == '+' || c.data[c.at] == '-') {
			c.at++
		}
		if !c.digits() {
			return c.fail("a digit was expected in the exponent")
		}
	}
	return true
}

// digits consumes digits and reports whether there was at least one.
func (c *jsonChecker) digits() bool {
	start := c.at
	c.at = digitsEnd(c.data, c.at)
	return c.at > start
}

func (c *jsonChecker) literal(want string) bool {
	for i := range len(want) {
		if c.at >= len(c.data) || c.data[c.at] != want[i] {
			return c.fail("a value was expected")
		}
		c.at++
	}
	return true
}

func (c *jsonChecker) space() {
	for c.at < len(c.data) {
		switch c.data[c.at] {
		case ' ', '\t', '\n', '\r':
			c.at++
		default:
			return
		}
	}
}

// push enters a container.
func (c *jsonChecker) push(object bool) {
	word, bit := &c.shallow, uint64(1)<<(c.depth%64)
	if c.depth >= 64 {
		if i := c.depth/64 - 1; i == len(c.deep) {
			c.deep = append(c.deep, 0)
		}
		word = &c.deep[c.depth/64-1]
	}
	*word &^= bit
	if object {
		*word |= bit
	}
	c.depth++
}

// inObject reports whether the innermost open container is an object.
func (c *jsonChecker) inObject() bool {
	d := c.depth - 1
	word := c.shallow
	if d >= 64 {
		word = c.deep[d/64-1]
	}
	return word>>(d%64)&1 == 1
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func isHex(b byte) bool {
	return isDigit(b) || 'a' <= b|0x20 && b|0x20 <= 'f'
}

// digitsEnd returns the offset of the first byte from i on that is not a digit.
func digitsEnd(text []byte, i int) int {
	for i < len(text) && isDigit(text[i]) {
		i++
	}
	return i
}
