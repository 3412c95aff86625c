// SPDX-License-Identifier: Apache-2.0

package codec

import "bytes"

// The skeleton of a value is its text with one byte in the place of each scalar: of each number,
// and of the content of each string that is not a member's name.
const (
	textMark   = 1
	numberMark = 2
	maxMark    = numberMark
)

// scalar is the text at one place of a value, and the number that it is at a place for numbers.
type scalar struct {
	text   []byte
	number number
}

// memberSplitter cuts values into a skeleton and scalars. It keeps those of the last value.
type memberSplitter struct {
	skeleton []byte
	scalars  []scalar
}

// split cuts a value. It returns false if a string in it has no end, or if it contains a byte that
// marks a place. JSON contains neither.
func (s *memberSplitter) split(value []byte) bool {
	s.skeleton, s.scalars = s.skeleton[:0], s.scalars[:0]
	return s.splitFrom(value, 0, 0)
}

// splitFrom is split for the bytes from an index on. The first of them, up to the index copied, are
// in the skeleton or in a scalar already.
func (s *memberSplitter) splitFrom(value []byte, copied, i int) bool {
	for i < len(value) {
		switch b := value[i]; {
		case b == '"':
			end := stringEnd(value, i+1)
			if end < 0 {
				return false
			}
			if !isName(value, end) {
				s.skeleton = append(append(s.skeleton, value[copied:i+1]...), textMark)
				s.scalars = append(s.scalars, scalar{text: value[i+1 : end]})
				copied = end
			}
			i = end + 1
		case isScalarByte[b]:
			start := i
			for i++; i < len(value) && isScalarByte[value[i]]; i++ {
			}
			s.skeleton = append(append(s.skeleton, value[copied:start]...), s.addBare(value[start:i]))
			copied = i
		case b <= maxMark:
			return false
		default:
			i++
		}
	}
	s.skeleton = append(s.skeleton, value[copied:]...)
	return true
}

// splitLike is split for a value that may have a known skeleton, which takes less time if it has.
// isLike says whether it has; then the skeleton is not set.
func (s *memberSplitter) splitLike(known, value []byte) (isLike, ok bool) {
	s.scalars = s.scalars[:0]
	alike, at := 0, 0 // length of the beginning of the skeleton, and of the value, that are alike
	isString := false // the last scalar is a string
	for {
		mark := nextMark(known, alike)
		piece := known[alike:mark]
		if !bytes.HasPrefix(value[at:], piece) {
			break
		}
		start := at + len(piece)
		if mark == len(known) {
			if start == len(value) {
				return true, true
			}
			break
		}
		inString := mark > 0 && known[mark-1] == '"'
		end := s.addScalar(value[start:], inString, known[mark])
		if end < 0 {
			break
		}
		alike, at, isString = mark+1, start+end, inString
	}
	s.skeleton = append(s.skeleton[:0], known[:alike]...)
	if isString {
		return false, s.splitFrom(value, at, at+len(`"`))
	}
	return false, s.splitFrom(value, at, at)
}

// nextMark returns the index of the first mark in a skeleton from an index on; the length of the
// skeleton if there is none.
func nextMark(skeleton []byte, from int) int {
	for from < len(skeleton) && skeleton[from] > maxMark {
		from++
	}
	return from
}

// addScalar adds the scalar that a text starts with, and returns the index of its end. It returns
// -1 if there is none, or none with this mark.
func (s *memberSplitter) addScalar(text []byte, inString bool, mark byte) (end int) {
	if inString {
		if end = stringEnd(text, 0); end >= 0 {
			s.scalars = append(s.scalars, scalar{text: text[:end]})
		}
		return end
	}
	for end < len(text) && isScalarByte[text[end]] {
		end++
	}
	if end == 0 {
		return -1
	}
	if s.addBare(text[:end]) != mark {
		s.scalars = s.scalars[:len(s.scalars)-1]
		return -1
	}
	return end
}

// addBare adds a scalar that is not a string, and returns its mark. A number that cannot be written
// again as it was is a text.
func (s *memberSplitter) addBare(text []byte) (mark byte) {
	s.scalars = append(s.scalars, scalar{text: text})
	if s.scalars[len(s.scalars)-1].number.parse(text, unlimited) == len(text) {
		return numberMark
	}
	return textMark
}

// stringEnd returns the index of the quote that ends the string whose content starts at an index;
// -1 if there is none, or if a byte that marks a place is in the string.
func stringEnd(value []byte, start int) int {
	for i := start; i < len(value); i++ {
		switch b := value[i]; {
		case b == '"':
			return i
		case b == '\\':
			if i++; i < len(value) && value[i] <= maxMark {
				return -1
			}
		case b <= maxMark:
			return -1
		}
	}
	return -1
}

// isName reports whether the string that ends at an index is the name of a member.
func isName(value []byte, end int) bool {
	for _, b := range value[end+1:] {
		if b != ' ' && b != '\t' && b != '\n' && b != '\r' {
			return b == ':'
		}
	}
	return false
}

// isScalarByte says which bytes a scalar that is not a string consists of.
var isScalarByte = func() (is [256]bool) {
	for b := range is {
		is[b] = b > ' '
	}
	for _, b := range []byte(`{}[]:,"`) {
		is[b] = false
	}
	return is
}()

// memberPath tells apart the places of values: by the names and the indexes that lead there, and by
// the mark. It is a hash, so that two places may have one path, which costs no more than bytes.
type memberPath uint64

// maxMemberDepth is the greatest number of objects and arrays in each other.
const maxMemberDepth = 32

// appendPaths appends the path of each place in a skeleton. It returns false if that is nested too
// deeply or is not JSON.
func appendPaths(paths []memberPath, skeleton []byte) ([]memberPath, bool) {
	var parents [maxMemberDepth + 1]memberPath // of each object or array that is open
	var keys [maxMemberDepth + 1]memberPath    // name or index, in each of them
	depth := 0
	for i := 0; i < len(skeleton); i++ {
		switch b := skeleton[i]; b {
		case '{', '[':
			if depth == maxMemberDepth {
				return paths, false
			}
			parents[depth+1] = parents[depth].child(keys[depth])
			depth++
			keys[depth] = 0
		case '}', ']':
			if depth == 0 {
				return paths, false
			}
			depth--
		case ',':
			keys[depth]++
		case textMark, numberMark:
			paths = append(paths, parents[depth].child(keys[depth]).child(memberPath(b)))
		case '"':
			if skeleton[i+1] == textMark {
				paths = append(paths, parents[depth].child(keys[depth]).child(textMark))
				i += len(`"` + `"`) // the mark, and the quote after it
				continue
			}
			end := stringEnd(skeleton, i+1)
			if end < 0 {
				return paths, false
			}
			keys[depth] = nameHash(skeleton[i+1 : end])
			i = end
		}
	}
	return paths, true
}

// child returns the path of the place with a key below p.
func (p memberPath) child(key memberPath) memberPath { return (p^key)*fnvPrime + key>>32 + 1 }

const fnvPrime = 1099511628211

// nameHash is FNV-1a.
func nameHash(name []byte) memberPath {
	h := memberPath(14695981039346656037)
	for _, b := range name {
		h = (h ^ memberPath(b)) * fnvPrime
	}
	return h
}
