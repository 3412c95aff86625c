// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/daybook-db/daybook/text/timeform"
)

// ShapeError says that a person must choose the values in JSON, and lists the arrays.
type ShapeError struct {
	Arrays []string // their paths in the words of jq: ".data.result[].values[]"
	// Example is an expression of jq that makes values of one of them. "" if there is none.
	Example string
	Err     error // ErrUnknownShape or ErrInnerTimes
}

func (e *ShapeError) Error() string {
	if len(e.Arrays) == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("%v: %s", e.Err, strings.Join(e.Arrays, ", "))
}

// Unwrap returns e.Err.
func (e *ShapeError) Unwrap() error { return e.Err }

// maxArrays is the maximum number of arrays that a ShapeError lists.
const maxArrays = 8

// arrayAt is an array in JSON, or all those in one place of the elements of another.
type arrayAt struct {
	path     string // of its elements, in the words of jq
	depth    int    // of arrays around it
	elements []*node
}

// shapeError returns an error that lists the arrays in some values of JSON. Its example takes the
// innermost of those whose elements have a time.
func shapeError(cause error, values ...*node) error {
	e := &ShapeError{Err: cause}
	arrays := arraysIn(values)
	best := -1
	for _, a := range arrays {
		if len(e.Arrays) < maxArrays {
			e.Arrays = append(e.Arrays, a.path)
		}
		if time, value := a.timeAndValue(); time != "" && a.depth > best {
			e.Example = fmt.Sprintf("%s | {stored_at: %s, value: %s}", skipMissing(a.path), time, value)
			best = a.depth
		}
	}
	return e
}

// skipMissing returns a path that skips the elements of an array that lack the array within them.
func skipMissing(path string) string {
	outer, inner, _ := strings.Cut(path, "[]")
	return outer + "[]" + strings.ReplaceAll(inner, "[]", "[]?")
}

// arraysIn returns the arrays in some values that have objects or arrays for their elements, or all
// of them if none has.
func arraysIn(values []*node) (found []*arrayAt) {
	byPath := make(map[string]*arrayAt)
	var walk func(n *node, path string, depth int)
	walk = func(n *node, path string, depth int) {
		if n.kind == objectNode {
			for i, value := range n.nodes {
				walk(value, path+jqName(n.names[i]), depth)
			}
		}
		if n.kind != arrayNode {
			return
		}
		path = fromDot(path) + "[]"
		if byPath[path] == nil {
			byPath[path] = &arrayAt{path: path, depth: depth}
			found = append(found, byPath[path])
		}
		byPath[path].elements = append(byPath[path].elements, n.nodes...)
		for _, element := range n.nodes {
			walk(element, path, depth+1)
		}
	}
	for _, value := range values {
		walk(value, "", 0)
	}
	isNested := func(a *arrayAt) bool { return !slices.ContainsFunc(a.elements, isContainer) }
	if nested := slices.DeleteFunc(slices.Clone(found), isNested); len(nested) > 0 {
		return nested
	}
	return found
}

func isContainer(n *node) bool { return n.kind == objectNode || n.kind == arrayNode }

// plainName matches a name that jq takes after a dot.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func jqName(name string) string {
	if plainName.MatchString(name) {
		return "." + name
	}
	return fmt.Sprintf("[%q]", name)
}

// fromDot returns a path that begins with a dot, as jq wants it.
func fromDot(path string) string { return "." + strings.TrimPrefix(path, ".") }

// timeAndValue returns the expressions of the time and the value of an element, or "" if its
// elements have no time.
func (a *arrayAt) timeAndValue() (time, value string) {
	var objects []*node
	var firsts []string
	pairs := 0
	for _, element := range a.elements {
		switch {
		case element.kind == objectNode && element.complete:
			objects = append(objects, element)
		case element.kind == arrayNode && len(element.nodes) > 1:
			firsts = append(firsts, element.nodes[0].text)
			pairs += len(element.nodes)
		}
	}
	if times, _ := timesOf(objects); len(times) == 1 {
		path := ""
		for _, name := range times[0].names {
			path += jqName(name)
		}
		return fromDot(path), "."
	}
	switch {
	case len(objects) > 0 || timeform.Looks(firsts) < timeform.Numbers:
		return "", ""
	case pairs == 2*len(firsts):
		return ".[0]", ".[1]"
	}
	return ".[0]", ".[1:]"
}

// besides names the members of a document that are not stored, because they are beside the values.
func besides(document *node, way []string) string {
	var names []string
	for depth, name := range way {
		for i, other := range document.names {
			if other != name {
				names = append(names, pathOf(append(slices.Clone(way[:depth]), document.names[i])))
			}
		}
		if document = document.member(name); document == nil {
			break
		}
	}
	const maxNames = 5
	if len(names) > maxNames {
		return quoted(names[:maxNames]) + " and others"
	}
	return quoted(names)
}

// sayRows says where the values of a document are, and what of it is not stored.
func (d *jsonDetection) sayRows(document *node, way []string) {
	options := d.finding.Reader.JSON
	what := "values in "
	if options.Columns {
		what = "columns in "
	}
	what += fmt.Sprintf("%q", options.Rows)
	if options.Rows == "" {
		what = "columns in its members"
	}
	if others := besides(document, way); others != "" {
		what += " (not stored: " + others + ")"
	}
	d.finding.say("%s", what)
}
