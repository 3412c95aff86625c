// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of what every backend accepts.
const (
	MaxRecordNameLen = 1024     // bytes of UTF-8
	MaxValueLen      = 16 << 20 // bytes of JSON
	MaxValueDepth    = 10_000   // arrays and objects nested in one another
)

// ValidateRecordName returns an error that matches ErrInvalidName unless name can name a record.
func ValidateRecordName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrInvalidName)
	case len(name) > MaxRecordNameLen:
		return fmt.Errorf("%w: %q... has %d bytes; at most %d", ErrInvalidName, cut(name), len(name), MaxRecordNameLen)
	case strings.IndexByte(name, 0) >= 0:
		return fmt.Errorf("%w: %q holds a NUL", ErrInvalidName, cut(name))
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %q is not valid UTF-8", ErrInvalidName, cut(name))
	}
	return nil
}

// ValidateValue returns an error that matches ErrInvalidValue or ErrValueTooLarge unless value is a
// JSON text that a record can hold. It takes constant stack space, however deep the value is nested.
func ValidateValue(value json.RawMessage) error {
	if len(value) > MaxValueLen {
		return fmt.Errorf("%w: it has %d bytes; at most %d", ErrValueTooLarge, len(value), MaxValueLen)
	}
	if fault := checkJSON(value); fault != nil {
		return fmt.Errorf("%w: %s at offset %d of %d bytes", ErrInvalidValue, fault.reason, fault.offset, len(value))
	}
	return nil
}

// cut shortens a string for an error message.
func cut(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most]
}
