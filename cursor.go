// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Cursor is a place in the order in which the values of a backend were stored: after the value that
// has this cursor. The zero Cursor is the beginning. A cursor never means two values: a history
// that could give a number a second time begins a new epoch.
type Cursor struct {
	// Epoch names the history in which the value was stored, with 16 random bytes.
	Epoch [16]byte
	// Sequence numbers the values in the order in which they were stored, from 1.
	Sequence uint64
}

const zeroCursor = "0" // the text of the zero Cursor

// IsZero reports whether c is the beginning.
func (c Cursor) IsZero() bool { return c == Cursor{} }

// String returns the cursor as text: the epoch in 32 hexadecimal digits, a colon, and the sequence
// number. The zero Cursor is "0".
func (c Cursor) String() string {
	if c.IsZero() {
		return zeroCursor
	}
	return hex.EncodeToString(c.Epoch[:]) + ":" + strconv.FormatUint(c.Sequence, 10)
}

// ParseCursor reads a text that String has returned. Its error matches ErrInvalidParams.
func ParseCursor(text string) (Cursor, error) {
	if text == zeroCursor {
		return Cursor{}, nil
	}
	var c Cursor
	epoch, sequence, _ := strings.Cut(text, ":")
	if len(epoch) == hex.EncodedLen(len(c.Epoch)) {
		_, _ = hex.Decode(c.Epoch[:], []byte(epoch))
	}
	c.Sequence, _ = strconv.ParseUint(sequence, 10, 64)
	if c.IsZero() || c.String() != text || c.validate() != nil {
		return Cursor{}, fmt.Errorf("%w: got cursor %q; want %q, or 32 hexadecimal digits, a colon and a number",
			ErrInvalidParams, shorten(text), zeroCursor)
	}
	return c, nil
}

// MarshalText returns the cursor as String does.
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a cursor as ParseCursor does.
func (c *Cursor) UnmarshalText(text []byte) (err error) {
	*c, err = ParseCursor(string(text))
	return err
}

func (c Cursor) validate() error {
	if c.Sequence > 0 && c.Epoch == [16]byte{} {
		return fmt.Errorf("%w: got a cursor with number %d and no epoch; want a cursor that the backend gave",
			ErrInvalidParams, c.Sequence)
	}
	return nil
}

// ForkedError says that a cursor is no place in the history of a backend. The backend may be
// another copy of the cursor's history, or may have lost the end of it. A consumer takes back what
// it did for the values after Common, and goes on after Common.
type ForkedError struct {
	Common  Cursor // the last place that both histories share
	Current Cursor // the last place in the backend's history
}

func (e *ForkedError) Error() string {
	return fmt.Sprintf("%v: the cursor and the backend share the values up to %v; the backend is at %v",
		ErrForked, e.Common, e.Current)
}

// Unwrap returns ErrForked.
func (e *ForkedError) Unwrap() error { return ErrForked }
