// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// PolicyError is what ReadPolicy returns for a file that is no policy: the first thing that is wrong in it. Its text is one
// line, such as
//
//	rules.yaml: line 2: "max_agee" is unknown: want max_age, max_bytes, rules
type PolicyError struct {
	File    string // the name that ReadPolicy was given
	Line    int    // from 1; 0: Err has it, or the whole file is wrong
	Key     string // the key in question, such as "max_age"; "": none
	Problem string // what is wrong, without the place; "": Err or Want says it
	Want    string // what would be right; "": Problem or Err says it
	Err     error  // the cause: of the YAML parser, or one that matches daybook.ErrInvalidPattern; nil: none
}

// Error returns the parts that are there, with colons between them.
func (e *PolicyError) Error() string {
	var parts []string
	add := func(present bool, format string, args ...any) {
		if present {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(e.File != "", "%s", e.File)
	add(e.Line > 0, "line %d", e.Line)
	add(e.Problem != "", "%s", e.Problem)
	add(e.Err != nil, "%v", e.Err)
	add(e.Want != "", "want %s", e.Want)
	return strings.Join(parts, ": ")
}

// Unwrap returns Err.
func (e *PolicyError) Unwrap() error { return e.Err }

// wrongAt returns a PolicyError with a node's line.
func wrongAt(node *yaml.Node, key, problem, want string) error {
	return &PolicyError{Line: node.Line, Key: key, Problem: problem, Want: want}
}

// wrongValue returns a PolicyError for a value that cannot be read.
func wrongValue(node *yaml.Node, key, text, want string) error {
	return wrongAt(node, key, fmt.Sprintf("%s is %q", key, text), want)
}
