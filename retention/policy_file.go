// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// ReadPolicy reads a policy from a file. Errors call the file by name. The file is YAML, or JSON,
// in UTF-8:
//
//	max_age: 7d                # of values of records that no rule matches; without it: no maximum
//	max_bytes: 500MB           # of JSON, of records with a limit; without it: no maximum
//	rules:                     # the first rule that matches a record applies
//	  - pattern: "alarm.*"     # a glob
//	    max_age: 365d          # without it: no maximum
//	    keep_newest: 10        # values of each record that max_age spares; default: 0
//	  - topic: "plant.#.state" # a topic, in place of a glob
//	    max_per_record: 100    # without it: no maximum
//
// An age is a sequence of numbers with units, as in 36h or 1d12h. The units are ms, s, m, h, d (24
// h) and w (7 d). An age is at least 1 ms and at most 292 years. A size is a text that [ParseSize]
// reads. A count is a whole decimal number. A maximum must be more than 0. A file that deletes
// nothing at all is an error, because it is probably a mistake.
//
// Errors: *PolicyError for a file that is wrong, and the errors of r.
func ReadPolicy(r io.Reader, name string) (Policy, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return Policy{}, err
	}
	policy, err := ParsePolicy(data)
	if wrong := (*PolicyError)(nil); errors.As(err, &wrong) {
		wrong.File = name
	}
	return policy, err
}

// ParsePolicy reads a policy from a text, such as a part of a program's configuration. The text is
// like a file that ReadPolicy reads. Errors: *PolicyError.
func ParsePolicy(text []byte) (Policy, error) {
	policy, err := parsePolicy(text)
	if err != nil {
		return Policy{}, err
	}
	return policy, nil
}

// parsePolicy returns an error for a policy that deletes nothing, too.
func parsePolicy(data []byte) (Policy, error) {
	policy, err := parseAnyPolicy(data)
	if err == nil && policy.MaxAge == 0 && policy.MaxBytes == 0 && len(policy.Rules) == 0 {
		err = &PolicyError{
			Problem: "there is nothing in it that deletes",
			Want:    `"max_age: 7d", "max_bytes: 500MB", or "rules:"`,
		}
	}
	return policy, err
}

// parseAnyPolicy visits the nodes of the document. Decoding into a struct would lose the lines, and
// would read 010 as 8.
func parseAnyPolicy(data []byte) (policy Policy, err error) {
	document, err := parseDocument(data)
	if err != nil {
		return policy, err
	}
	if document != nil {
		err = eachMember("", document, func(key string, value *yaml.Node) (known string, err error) {
			switch key {
			case "max_age":
				policy.MaxAge, err = parseMaxAge(value)
			case "max_bytes":
				policy.MaxBytes, err = parseMaxBytes(value)
			case "rules":
				policy.Rules, err = parseRules(value)
			default:
				known = "max_age, max_bytes, rules"
			}
			return known, err
		})
	}
	return policy, err
}

// parseDocument returns the root node of the only document in data, and nil if there is none.
func parseDocument(data []byte) (*yaml.Node, error) {
	var document, another yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, &PolicyError{Err: err}
	}
	if !errors.Is(decoder.Decode(&another), io.EOF) {
		return nil, &PolicyError{Problem: "there is more than one document", Want: "one"}
	}
	if len(document.Content) == 0 {
		return nil, nil
	}
	return document.Content[0], nil
}

func parseRules(list *yaml.Node) (rules []Rule, err error) {
	if list = resolved(list); list.Kind != yaml.SequenceNode {
		return nil, wrongAt(list, "rules", "rules is no list", `an item, as in - pattern: "alarm.*", for each rule`)
	}
	for _, node := range list.Content {
		rule, err := parseRule(node)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

func parseRule(node *yaml.Node) (rule Rule, err error) {
	patterns := 0
	err = eachMember("rules", node, func(key string, value *yaml.Node) (known string, err error) {
		switch key {
		case "pattern", "topic":
			patterns++
			rule.Pattern, err = parsePattern(key, value)
		case "max_age":
			rule.MaxAge, err = parseMaxAge(value)
		case "max_per_record":
			rule.MaxPerRecord, err = parseMaxPerRecord(value)
		case "keep_newest":
			rule.KeepNewest, err = parseCount(key, value)
		default:
			known = "pattern or topic, max_age, max_per_record, keep_newest"
		}
		return known, err
	})
	if err != nil {
		return rule, err
	}
	return rule, checkRule(node, rule, patterns)
}

// checkRule returns an error if the members of a rule, each of them right, do not fit together.
func checkRule(node *yaml.Node, rule Rule, patterns int) error {
	switch {
	case patterns == 0:
		return wrongAt(node, "pattern", "the rule has no pattern",
			`a glob (pattern: "alarm.*") or a topic (topic: "plant.#")`)
	case patterns > 1:
		return wrongAt(node, "topic", "the rule has a pattern and a topic", "one of them")
	case rule.MaxPerRecord > 0 && rule.KeepNewest > rule.MaxPerRecord:
		return wrongAt(node, "keep_newest", fmt.Sprintf("keep_newest is %d", rule.KeepNewest),
			fmt.Sprintf("at most max_per_record, %d", rule.MaxPerRecord))
	case rule.KeepNewest > 0 && rule.MaxAge == 0:
		return wrongAt(node, "keep_newest", fmt.Sprintf("keep_newest is %d in a rule without max_age", rule.KeepNewest),
			"a max_age, from which it spares values")
	}
	return nil
}

// memberVisitor takes one member of a mapping. For an unknown key it returns the keys that it
// knows.
type memberVisitor func(key string, value *yaml.Node) (known string, err error)

// eachMember visits the members of a mapping, which is the value of the key parent. It returns the
// first error, also for a key that is there twice or is unknown.
func eachMember(parent string, node *yaml.Node, visit memberVisitor) error {
	if node = resolved(node); node.Kind != yaml.MappingNode {
		return wrongAt(node, parent, "", "names and values here, as in max_age: 7d")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if seen[key.Value] {
			return wrongAt(key, key.Value, key.Value+" is there twice", "")
		}
		seen[key.Value] = true
		known, err := visit(key.Value, value)
		if err != nil {
			return err
		}
		if known != "" {
			return wrongAt(key, key.Value, fmt.Sprintf("%q is unknown", key.Value), known)
		}
	}
	return nil
}

// resolved returns the node that an alias stands for, and any other node as it is.
func resolved(node *yaml.Node) *yaml.Node {
	if node.Alias != nil {
		return node.Alias
	}
	return node
}
