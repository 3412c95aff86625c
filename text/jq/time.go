// SPDX-License-Identifier: Apache-2.0

package jq

import (
	"encoding/json"
	"errors"
	"math/big"
	"strconv"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// storedAt reads the time of a result.
func (r *reader) storedAt(result any) (uint64, error) {
	if result == nil {
		return r.opts.ParseTime("")
	}
	written, ok := timeText(result)
	if !ok {
		return 0, &text.KindError{Got: kindOf(result), Want: "a number or a string"}
	}
	if _, isString := result.(string); !isString {
		numbers := r.opts
		numbers.Times = nil // which are for texts
		return numbers.ParseTime(written)
	}
	return r.parseText(written)
}

// parseText reads a time that is a text. The first one that is not in RFC 3339 has the form of all
// that follow it.
func (r *reader) parseText(written string) (uint64, error) {
	isKnown := r.opts.Times != nil
	if !isKnown && len(r.times.Formats) == 0 {
		storedAt, err := r.opts.ParseTime(written)
		if !errors.Is(err, text.ErrNoZone) && !errors.Is(err, text.ErrNotTime) {
			return storedAt, err
		}
	}
	if !isKnown {
		form, err := timeform.Detect(append([]string{written}, r.timesAhead()...), r.times)
		if err != nil {
			return 0, err
		}
		r.opts.Times = form.NewParser()
	}
	return r.opts.ParseTime(written)
}

// timesAhead returns the times of further results of the last value. Other values may come later,
// and a reader does not wait for them.
func (r *reader) timesAhead() (texts []string) {
	const maxAhead = 1000
	for len(r.ahead) < maxAhead {
		result, ok := r.results.Next()
		if !ok {
			break
		}
		r.ahead = append(r.ahead, result)
		if _, failed := result.(error); failed {
			break
		}
		if object, isObject := result.(map[string]any); isObject {
			if written, isString := object["stored_at"].(string); isString {
				texts = append(texts, written)
			}
		}
	}
	return texts
}

// timeText returns the text of a time.
func timeText(result any) (string, bool) {
	switch result := result.(type) {
	case string:
		return result, true
	case int:
		return strconv.Itoa(result), true
	case float64:
		return strconv.FormatFloat(result, 'f', -1, 64), true
	case *big.Int:
		return result.String(), true
	case json.Number:
		return result.String(), true
	}
	return "", false
}
