// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"slices"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// rowsMember is a member of a document that may hold the values: an array of objects, or an object
// of arrays that are equally long.
type rowsMember struct {
	names   []string
	columns bool
	objects []*node
}

// hasTime reports whether objects have a time: the one that a person named, or one that looks like
// it.
func (d *jsonDetection) hasTime(objects []*node) bool {
	if len(objects) == 0 {
		return false
	}
	if said := d.hints.Reader.Time; len(said) > 0 {
		members := scalars(objects)
		return !slices.ContainsFunc(said, func(path string) bool {
			return !slices.ContainsFunc(members, func(m *timeMember) bool { return m.path() == path })
		})
	}
	times, _ := timesOf(objects)
	return times != nil || namedLikeTime(objects) != nil
}

// rowsOf returns the members of a document that hold objects with a time.
func (d *jsonDetection) rowsOf(document *node) (found []rowsMember) {
	var walk func(n *node, names []string)
	walk = func(n *node, names []string) {
		objects, columns := rowsIn(n)
		if d.hasTime(objects) {
			found = append(found, rowsMember{names, columns, objects})
			return
		}
		if n.kind == objectNode && len(names) < maxTimePath {
			for i, value := range n.nodes {
				if n.names[i] != "" { // otherwise no path leads to it
					walk(value, append(slices.Clone(names), n.names[i]))
				}
			}
		}
	}
	walk(document, nil)
	return found
}

// rowsIn returns the objects that are the elements of a node, or the rows of its columns.
func rowsIn(n *node) (objects []*node, columns bool) {
	if n.kind == objectNode {
		return tableRows(n), true
	}
	for _, element := range n.nodes {
		if n.kind != arrayNode || element.kind != objectNode {
			return nil, false
		}
		if element.complete {
			objects = append(objects, element)
		}
	}
	return objects, false
}

// tableRows returns an object for each index of an object of arrays, as far as the sample has them.
// Arrays that the sample does not reach are left out.
func tableRows(n *node) (rows []*node) {
	if len(n.nodes) < 2 && n.complete {
		return nil
	}
	for c, column := range n.nodes {
		if column.kind != arrayNode {
			return nil
		}
		for i, value := range column.nodes {
			if value.kind == objectNode || value.kind == arrayNode {
				return nil
			}
			if i == len(rows) && c == 0 {
				rows = append(rows, &node{kind: objectNode, line: value.line, complete: true})
			}
			if i < len(rows) {
				rows[i].names, rows[i].nodes = append(rows[i].names, n.names[c]), append(rows[i].nodes, value)
			}
		}
	}
	return rows
}

// isThingsBoard reports whether a document is the telemetry that ThingsBoard exports: an array of
// {"ts":...,"value":...} for each key.
func isThingsBoard(document *node) bool {
	for _, series := range document.nodes {
		objects, _ := rowsIn(series)
		if series.kind != arrayNode || series.complete && len(objects) == 0 && len(series.nodes) > 0 {
			return false
		}
		for _, object := range objects {
			if len(object.nodes) != 2 || object.member("ts") == nil || object.member("value") == nil {
				return false
			}
		}
	}
	return len(document.nodes) > 0
}

// findRows finds where the values of a document are. It reports false if the document is one value.
func (d *jsonDetection) findRows(document *node) (found bool, err error) {
	rows := d.rowsOf(document)
	options := &d.finding.Reader.JSON
	switch {
	case len(rows) == 0:
		return false, nil
	case isThingsBoard(document):
		options.Rows = text.AnyMember
		d.objects = rows[0].objects
		d.keyed = true
		d.finding.say("an array of values in each member")
		return true, nil
	case len(rows) > 1, d.isReport(document):
		return false, shapeError(ErrUnknownShape, document)
	}
	options.Rows, options.Columns = pathOf(rows[0].names), rows[0].columns
	d.objects = rows[0].objects
	d.sayRows(document, rows[0].names)
	d.findZone(document)
	return true, nil
}

// isReport reports whether a document has a time of its own beside the values in it. It may be the
// answer to a question, or one value.
func (d *jsonDetection) isReport(document *node) bool {
	return slices.ContainsFunc(scalars([]*node{document}), func(m *timeMember) bool {
		name, ok := nameLikelihood(m.names[0])
		return len(m.names) == 1 && ok && name == strongName && m.looks > timeform.Clocks
	})
}
