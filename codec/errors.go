// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"errors"
	"fmt"
)

// Kinds of format errors.
var (
	// ErrCorrupt is returned when bytes are not the encoding of anything.
	ErrCorrupt = errors.New("codec: corrupt")
	// ErrVersion is returned when bytes have a newer format than this program knows.
	ErrVersion = errors.New("codec: newer format")
)

// FormatError is the error of bytes that cannot be decoded.
type FormatError struct {
	Kind    error // ErrCorrupt or ErrVersion
	Problem string
}

func (e *FormatError) Error() string { return e.Kind.Error() + ": " + e.Problem }

// Unwrap returns the kind.
func (e *FormatError) Unwrap() error { return e.Kind }

func corruptf(format string, args ...any) error {
	return &FormatError{Kind: ErrCorrupt, Problem: fmt.Sprintf(format, args...)}
}

func versionf(format string, args ...any) error {
	return &FormatError{Kind: ErrVersion, Problem: fmt.Sprintf(format, args...)}
}
