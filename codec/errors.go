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
	Cause   error // the decompressor's error, whose text is in Problem; nil if there is none
}

func (e *FormatError) Error() string { return e.Kind.Error() + ": " + e.Problem }

// Unwrap returns the kind and the cause.
func (e *FormatError) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// corruptf returns an ErrCorrupt. The error for a %w in format is its cause.
func corruptf(format string, args ...any) error {
	problem := fmt.Errorf(format, args...)
	return &FormatError{Kind: ErrCorrupt, Problem: problem.Error(), Cause: errors.Unwrap(problem)}
}

func versionf(format string, args ...any) error {
	return &FormatError{Kind: ErrVersion, Problem: fmt.Sprintf(format, args...)}
}
