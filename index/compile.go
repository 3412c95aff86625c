// SPDX-License-Identifier: Apache-2.0

package index

import (
	"errors"
	"fmt"
	"strings"

	"github.com/daybook-db/daybook"
)

// Compile compiles a pattern of a Query, Prune and so on, in one of the two syntaxes.
// Errors: daybook.ErrInvalidPattern for a malformed one, daybook.ErrInvalidParams for an unknown syntax.
func Compile(pattern string, syntax daybook.PatternSyntax) (*Pattern, error) {
	if err := syntax.Validate(); err != nil {
		return nil, err
	}
	compile := CompileGlob
	if syntax == daybook.Topic {
		compile = CompileTopic
	}
	compiled, err := compile(pattern)
	if errors.Is(err, ErrPattern) {
		return nil, fmt.Errorf("%w: %s", daybook.ErrInvalidPattern, strings.TrimPrefix(err.Error(), ErrPattern.Error()+": "))
	}
	return compiled, err
}
