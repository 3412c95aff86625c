// SPDX-License-Identifier: Apache-2.0

package jq

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/daybook-db/daybook/text"
)

// errTwice is returned for a member that an expression would see once. jq drops all but the last
// one without a word.
var errTwice = errors.New("it is there twice, and an expression sees only one of them")

// decode returns a JSON text as gojq takes it. Numbers keep their digits. An object that has a
// member twice is an error.
func decode(raw json.RawMessage) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return value, checkMembers(raw)
}

// members are those of an object, or of an array, which has none.
type members struct {
	seen     map[string]bool // nil: an array
	hasValue bool            // the next token is the value of a member, and not a name
}

// checkMembers returns an error if an object in a valid text has a member twice. It does not
// recurse, because a text may be as deep as it is long.
func checkMembers(raw json.RawMessage) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var open []members
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			open = open[:len(open)-1]
			continue
		}
		if len(open) > 0 {
			around := &open[len(open)-1]
			if name, isString := token.(string); isString && around.seen != nil && !around.hasValue {
				if around.seen[name] {
					return &text.MemberError{Member: name, Err: errTwice}
				}
				around.seen[name], around.hasValue = true, true
				continue
			}
			around.hasValue = false
		}
		switch token {
		case json.Delim('{'):
			open = append(open, members{seen: map[string]bool{}})
		case json.Delim('['):
			open = append(open, members{})
		}
	}
}
