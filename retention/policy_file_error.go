// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// PolicyError is the error of ReadPolicy for a file that is not a valid policy. It describes the
// first fault in the file. Its text is one line, such as
//
//	rules.yaml: line 2: "max_agee" is unknown: want max_age, max_bytes, rules
type PolicyError struct {
	File    string // the name that was passed to ReadPolicy
	Line    int    // from 1; 0: the fault has no line, or Err names it
	Key     string // the key at fault, such as "max_age"; "": none
	Problem string // the fault, without its place; "": Err or Want describes it
	Want    string // a description of what would be right; "": Problem or Err says it
	Err     error  // the error of the YAML parser or of the pattern; nil: none
}

// Error joins the fields that are set with colons.
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

// wrongAt returns a PolicyError with the line of a node.
func wrongAt(node *yaml.Node, key, problem, want string) error {
	return &PolicyError{Line: node.Line, Key: key, Problem: problem, Want: want}
}

// wrongValue returns a PolicyError for a value that cannot be read.
func wrongValue(node *yaml.Node, key, text, want string) error {
	return wrongAt(node, key, fmt.Sprintf("%s is %q", key, text), want)
}
