// SPDX-License-Identifier: Apache-2.0

package index

import "strings"

// KeyCursor moves over keys in bytewise order, for example those of a bbolt bucket. The slices that
// it returns belong to it.
type KeyCursor interface {
	// Seek returns the first key that is not less than wanted, and the key's value; nil if there is
	// none.
	Seek(wanted []byte) (key, value []byte, err error)
	// Next returns the key that follows the last returned one, and its value; nil at the end.
	Next() (key, value []byte, err error)
}

// NameCursor moves over the record names that start with a pattern's prefix. The names are the keys
// of a KeyCursor.
type NameCursor struct {
	keys    KeyCursor
	pattern *Pattern
	from    string
	begun   bool
	done    bool
}

// NewNameCursor returns a cursor over the names that start with the pattern's prefix and are not
// less than from. It seeks the first of them, and reads at most one key after the last of them.
func NewNameCursor(keys KeyCursor, pattern *Pattern, from string) *NameCursor {
	return &NameCursor{keys: keys, pattern: pattern, from: max(pattern.Prefix(), from)}
}

// Next returns the next name, its value, and whether the pattern matches the name; a nil name at
// the end. The slices are those of the KeyCursor. Names that do not match are returned too, so that
// a caller can stop a long walk that finds nothing.
func (c *NameCursor) Next() (name, value []byte, matches bool, err error) {
	if c.done {
		return nil, nil, false, nil
	}
	if c.begun {
		name, value, err = c.keys.Next()
	} else {
		name, value, err = c.keys.Seek([]byte(c.from))
		c.begun = true
	}
	if err != nil || name == nil || !c.canMatch(name) {
		c.done = true
		return nil, nil, false, err
	}
	c.done = c.pattern.Exact()
	return name, value, c.pattern.acceptsAll() || c.pattern.accepts(string(name)), nil
}

// canMatch reports whether the name starts with the pattern's prefix, or is the prefix if the
// pattern is exact.
func (c *NameCursor) canMatch(name []byte) bool {
	if c.pattern.Exact() {
		return string(name) == c.pattern.prefix
	}
	return strings.HasPrefix(string(name), c.pattern.prefix)
}
