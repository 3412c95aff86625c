// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/xhit/go-str2duration/v2"
	"go.yaml.in/yaml/v3"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/index"
	"github.com/daybook-db/daybook/retention"
)

// readRules reads a policy from a file. What is wrong with that is said with the line.
func readRules(path string) (retention.Policy, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return retention.Policy{}, err
	}
	policy, err := parseRules(data)
	if err != nil {
		return retention.Policy{}, fmt.Errorf("%s: %w", path, err)
	}
	return policy, nil
}

// parseRules walks the document itself, since what decodes into a struct forgets the lines, and reads 010 as 8.
func parseRules(data []byte) (policy retention.Policy, err error) {
	var document, another yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) { // it is empty
		return policy, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if !errors.Is(decoder.Decode(&another), io.EOF) {
		return policy, errors.New("there is more than one document; want one")
	}
	if len(document.Content) > 0 {
		err = eachMember(document.Content[0], func(key string, value *yaml.Node) (known string, err error) {
			switch key {
			case "max_age":
				policy.MaxAge, err = parseMaxAge(value)
			case "max_bytes":
				policy.MaxBytes, err = parseBytes(value)
			case "rules":
				policy.Rules, err = parseRuleList(value)
			default:
				known = "max_age, max_bytes, rules"
			}
			return known, err
		})
	}
	if err == nil && policy.MaxAge == 0 && policy.MaxBytes == 0 && len(policy.Rules) == 0 {
		err = errors.New(`there is nothing in it that deletes: want "max_age: 7d", "max_bytes: 500MB", or "rules:"`)
	}
	return policy, err
}

func parseRuleList(list *yaml.Node) (rules []retention.Rule, err error) {
	if list = resolved(list); list.Kind != yaml.SequenceNode {
		return nil, atLine(list, "rules is no list: want an item, as in - pattern: \"alarm.*\", for each rule")
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

func parseRule(node *yaml.Node) (rule retention.Rule, err error) {
	patterns := 0
	err = eachMember(node, func(key string, value *yaml.Node) (known string, err error) {
		switch key {
		case "pattern", "topic":
			patterns++
			rule.Pattern, rule.Syntax, err = parsePattern(key, value)
		case "max_age":
			rule.MaxAge, err = parseMaxAge(value)
		case "max_per_record":
			if rule.MaxPerRecord, err = parseCount(key, value); err == nil && rule.MaxPerRecord == 0 {
				err = atLine(value, "max_per_record is 0; want more than 0, or none for any number")
			}
		case "keep_newest":
			rule.KeepNewest, err = parseCount(key, value)
		default:
			known = "pattern or topic, max_age, max_per_record, keep_newest"
		}
		return known, err
	})
	switch {
	case err != nil:
		return rule, err
	case patterns == 0:
		return rule, atLine(node, `the rule has no pattern: want a glob (pattern: "alarm.*") or a topic (topic: "plant.#")`)
	case patterns > 1:
		return rule, atLine(node, "the rule has a pattern and a topic; want one of them")
	case rule.MaxPerRecord > 0 && rule.KeepNewest > rule.MaxPerRecord:
		return rule, atLine(node, "keep_newest is %d, more than max_per_record (%d)", rule.KeepNewest, rule.MaxPerRecord)
	}
	return rule, nil
}

// eachMember visits the members of a mapping. For a key that visit does not know it returns those that it does.
func eachMember(node *yaml.Node, visit func(key string, value *yaml.Node) (known string, err error)) error {
	if node = resolved(node); node.Kind != yaml.MappingNode {
		return atLine(node, "want names and values here, as in max_age: 7d")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if seen[key.Value] {
			return atLine(key, "%s is there twice", key.Value)
		}
		seen[key.Value] = true
		known, err := visit(key.Value, value)
		if err != nil {
			return err
		}
		if known != "" {
			return atLine(key, "%q is unknown: want %s", key.Value, known)
		}
	}
	return nil
}

func resolved(node *yaml.Node) *yaml.Node {
	if node.Alias != nil {
		return node.Alias
	}
	return node
}

func atLine(node *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d: %w", node.Line, fmt.Errorf(format, args...))
}

// scalar returns a value's text as it is written.
func scalar(key string, node *yaml.Node) (string, error) {
	if node = resolved(node); node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" {
		return "", atLine(node, "%s has no value", key)
	}
	return node.Value, nil
}

func parsePattern(key string, node *yaml.Node) (text string, syntax daybook.PatternSyntax, err error) {
	if text, err = scalar(key, node); err != nil {
		return "", syntax, err
	}
	if key == "topic" {
		syntax = daybook.Topic
	}
	if _, err := index.Compile(text, syntax); err != nil {
		return "", syntax, atLine(node, "%v", err)
	}
	return text, syntax, nil
}

var wholeNumber = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)

func parseCount(key string, node *yaml.Node) (int, error) {
	text, err := scalar(key, node)
	if err != nil {
		return 0, err
	}
	count, err := strconv.Atoi(text)
	if err != nil || !wholeNumber.MatchString(text) {
		return 0, atLine(node, "%s is %q; want a whole number, 0 or more", key, text)
	}
	return count, nil
}

func parseMaxAge(node *yaml.Node) (time.Duration, error) {
	text, err := scalar("max_age", node)
	if err != nil {
		return 0, err
	}
	age, err := str2duration.ParseDuration(text)
	switch {
	case err != nil:
		return 0, atLine(node, "max_age is %q; want numbers and units (ms, s, m, h, d, w), as in 36h or 7d, 292 years at most", text)
	case age < time.Millisecond:
		return 0, atLine(node, "max_age is %q; want more than 0, or none to keep for ever", text)
	}
	return age, nil
}

func parseBytes(node *yaml.Node) (uint64, error) {
	text, err := scalar("max_bytes", node)
	if err != nil {
		return 0, err
	}
	bytes, err := parseSize(text)
	if err != nil {
		return 0, atLine(node, "max_bytes is %q; %w", text, err)
	}
	return bytes, nil
}

// parseSize reads a size in bytes. One without a unit would mostly be of kB or MB, and what takes it for bytes empties the
// daybook.
func parseSize(text string) (uint64, error) {
	bytes, err := humanize.ParseBytes(text)
	number := strings.TrimSpace(text)
	switch {
	case err != nil:
		return 0, errors.New("want a number and a unit (B, kB, MB, GB, KiB, MiB, GiB), as in 500MB")
	case bytes == 0:
		return 0, errors.New("want more than 0, or none for any amount")
	case strings.Trim(number, "0123456789.,") == "":
		return 0, fmt.Errorf("want a unit, as in %[1]sB, %[1]skB or %[1]sMB", number)
	}
	return bytes, nil
}
