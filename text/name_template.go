// SPDX-License-Identifier: Apache-2.0

package text

import (
	"fmt"
	"strings"

	"github.com/daybook-db/daybook"
)

// NameTemplate makes the name of a value's record of a pattern such as "ha.{entity_id}". What is in
// braces is a field: a column of CSV, or a path of JSON.
type NameTemplate struct {
	literals []string // around the fields: one more than there are fields
	fields   []string
}

// ParseNameTemplate reads a template. Its error is daybook.ErrInvalidParams, or that of
// daybook.ValidateRecordName for a name without fields.
func ParseNameTemplate(template string) (NameTemplate, error) {
	var t NameTemplate
	rest := template
	for {
		literal, after, found := strings.Cut(rest, "{")
		t.literals = append(t.literals, literal)
		if !found {
			break
		}
		field, after, closed := strings.Cut(after, "}")
		if !closed || field == "" {
			return t, fmt.Errorf("%w: %q is not a record name: want a field between { and }",
				daybook.ErrInvalidParams, template)
		}
		t.fields, rest = append(t.fields, field), after
	}
	if len(t.fields) > 0 {
		return t, nil
	}
	return t, daybook.ValidateRecordName(template)
}

// Fields returns the names of the fields, in order.
func (t NameTemplate) Fields() []string { return t.fields }

// Name returns the name with the texts of the fields, which are as many as Fields. A field whose
// text is empty is an error.
func (t NameTemplate) Name(texts []string) (string, error) {
	var name strings.Builder
	for i, text := range texts {
		if text == "" {
			return "", fmt.Errorf("%q is empty, which names the record", t.fields[i])
		}
		name.WriteString(t.literals[i])
		name.WriteString(text)
	}
	name.WriteString(t.literals[len(texts)])
	return name.String(), nil
}
