// SPDX-License-Identifier: Apache-2.0

// Package index finds record names: it compiles patterns to a literal prefix and a matcher, and moves over
// sorted names, where the prefix is a seek and the matcher filters the names that follow.
package index

import "errors"

// ErrPattern is returned when a pattern is malformed.
var ErrPattern = errors.New("index: malformed pattern")
