// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// node is a value in the sample. A sample may end within a value, whose rest is missing then.
type node struct {
	kind     nodeKind
	text     string // of a scalar
	names    []string
	nodes    []*node // the members with names, or the elements
	line     int     // where it ends, counted from 1
	complete bool
}

type nodeKind byte

const (
	objectNode nodeKind = iota
	arrayNode
	stringNode
	numberNode
	otherNode // true, false, null, and what is nested too deep to look at
)

// maxDepth bounds how deep values are looked at.
const maxDepth = 8

// member returns a member of an object, or nil.
func (n *node) member(name string) *node {
	for i, other := range n.names {
		if other == name {
			return n.nodes[i]
		}
	}
	return nil
}

// nests reports whether an array in the node has objects or arrays as elements.
func (n *node) nests(inArray bool) bool {
	if n.kind != objectNode && n.kind != arrayNode {
		return false
	}
	return inArray || slices.ContainsFunc(n.nodes, func(part *node) bool { return part.nests(n.kind == arrayNode) })
}

// treeParser makes nodes of a sample.
type treeParser struct {
	text    []byte
	decoder *json.Decoder
	at      int64 // up to where lines were counted
	line    int
}

func newTreeParser(text []byte) *treeParser {
	p := &treeParser{text: text, decoder: json.NewDecoder(bytes.NewReader(text)), line: 1}
	p.decoder.UseNumber()
	return p
}

// values returns the values that follow each other in a text, until it ends or is no JSON.
func (p *treeParser) values() (values []*node) {
	for {
		value := p.value(0)
		if value != nil {
			values = append(values, value)
		}
		if value == nil || !value.complete {
			return values
		}
	}
}

// value returns the next value, or nil if there is none.
func (p *treeParser) value(depth int) *node {
	if depth == maxDepth {
		var skipped json.RawMessage
		if p.decoder.Decode(&skipped) != nil {
			return nil
		}
		return p.completed(&node{kind: otherNode})
	}
	token, err := p.decoder.Token()
	if err != nil {
		return nil
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' || token == '[' {
			return p.container(token, depth)
		}
		return nil
	case string:
		return p.completed(&node{kind: stringNode, text: token})
	case json.Number:
		return p.completed(&node{kind: numberNode, text: token.String()})
	}
	return p.completed(&node{kind: otherNode})
}

func (p *treeParser) completed(n *node) *node {
	end := p.decoder.InputOffset()
	p.line += bytes.Count(p.text[p.at:end], []byte{'\n'})
	p.at = end
	n.line, n.complete = p.line, true
	return n
}

func (p *treeParser) container(opening json.Delim, depth int) *node {
	n := &node{kind: arrayNode}
	if opening == '{' {
		n.kind = objectNode
	}
	for p.decoder.More() {
		name := ""
		if n.kind == objectNode {
			token, err := p.decoder.Token()
			if err != nil {
				return n
			}
			name, _ = token.(string)
		}
		value := p.value(depth + 1)
		if value == nil {
			return n
		}
		if n.kind == objectNode {
			n.names = append(n.names, name)
		}
		if n.nodes = append(n.nodes, value); !value.complete {
			return n
		}
	}
	if _, err := p.decoder.Token(); err != nil {
		return n
	}
	return p.completed(n)
}

// plainPayload matches a payload that is no JSON, as "mosquitto_sub -F" writes it.
var plainPayload = regexp.MustCompile(`("payload"\s*:)[^,{}\["]*([,}])`)

// treesOfLines returns the objects of NDJSON. Lines that are no JSON are left out.
func treesOfLines(text []byte) (objects []*node) {
	line := 0
	for content := range bytes.Lines(text) {
		line++
		if !json.Valid(content) {
			content = plainPayload.ReplaceAll(content, []byte("${1}null${2}"))
		}
		if !json.Valid(content) {
			continue
		}
		if n := newTreeParser(content).value(0); n != nil && n.kind == objectNode {
			n.line = line
			objects = append(objects, n)
		}
	}
	return objects
}

var pathEscapes = strings.NewReplacer(`\`, `\\`, `.`, `\.`)

// pathOf returns the path of names, as readers take it.
func pathOf(names []string) string {
	escaped := make([]string, len(names))
	for i, name := range names {
		escaped[i] = pathEscapes.Replace(name)
	}
	return strings.Join(escaped, ".")
}
