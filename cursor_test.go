// SPDX-License-Identifier: Apache-2.0

package daybook_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
)

type place struct {
	Cursor daybook.Cursor `json:"cursor"`
}

// TestCursorText writes cursors as text and JSON, and reads them again.
func TestCursorText(t *testing.T) {
	epoch := [16]byte{0xab, 15: 1}
	for _, test := range []struct {
		cursor daybook.Cursor
		want   string
	}{
		{daybook.Cursor{}, "0"},
		{daybook.Cursor{Epoch: epoch}, "ab000000000000000000000000000001:0"},
		{daybook.Cursor{Epoch: epoch, Sequence: 7}, "ab000000000000000000000000000001:7"},
		{daybook.Cursor{Epoch: epoch, Sequence: math.MaxUint64},
			"ab000000000000000000000000000001:18446744073709551615"},
	} {
		if got := test.cursor.String(); got != test.want {
			t.Errorf("got %s; want %s", got, test.want)
		}
		if got, err := daybook.ParseCursor(test.want); got != test.cursor || err != nil {
			t.Errorf("ParseCursor(%s): got %v, %v", test.want, got, err)
		}
		data, err := json.Marshal(place{test.cursor})
		if err != nil || !strings.Contains(string(data), `"cursor":"`+test.want+`"`) {
			t.Errorf("as JSON: got %s, %v", data, err)
		}
		var again place
		if err := json.Unmarshal(data, &again); again.Cursor != test.cursor || err != nil {
			t.Errorf("from JSON: got %v, %v; want %v", again.Cursor, err, test.cursor)
		}
	}
}

func TestCursorRefuses(t *testing.T) {
	const epoch = "ab000000000000000000000000000001"
	for _, text := range []string{
		"", "1", ":", ":1", epoch, epoch + ":", epoch + ":-1", epoch + ":+1", epoch + ":01", epoch + ":1 ",
		epoch + ":18446744073709551616", epoch[1:] + ":1", "0" + epoch + ":1", "x" + epoch[1:] + ":1",
		strings.ToUpper(epoch) + ":1", strings.Repeat("0", 32) + ":0", strings.Repeat("0", 32) + ":1",
	} {
		if c, err := daybook.ParseCursor(text); !errors.Is(err, daybook.ErrInvalidParams) || !c.IsZero() {
			t.Errorf("%q: got %v, %v; want ErrInvalidParams", text, c, err)
		}
		var c daybook.Cursor
		if err := c.UnmarshalText([]byte(text)); !errors.Is(err, daybook.ErrInvalidParams) {
			t.Errorf("%q as text: got %v, %v; want ErrInvalidParams", text, c, err)
		}
	}
}

func TestForkedError(t *testing.T) {
	var err error = &daybook.ForkedError{Common: daybook.Cursor{Epoch: [16]byte{1}, Sequence: 3}}
	var forked *daybook.ForkedError
	if !errors.Is(err, daybook.ErrForked) || !errors.As(err, &forked) || !strings.Contains(err.Error(), "up to 01") {
		t.Errorf("got %v; want an error that matches ErrForked and names the common place", err)
	}
}
