// SPDX-License-Identifier: Apache-2.0

package jq

import (
	"bytes"
	"encoding/json"
)

// decode returns a JSON text as gojq takes it. Numbers keep their digits.
func decode(raw json.RawMessage) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}
