// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/xhit/go-str2duration/v2"
	"go.yaml.in/yaml/v3"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/index"
	"github.com/daybook-db/daybook/retention"
)

// rulesFile is a file of retention rules, in YAML or JSON.
type rulesFile struct {
	MaxAge string      `yaml:"max_age"`
	Rules  []rulesRule `yaml:"rules"`
}

type rulesRule struct {
	Pattern      string `yaml:"pattern"`
	Topic        string `yaml:"topic"`
	MaxAge       string `yaml:"max_age"`
	MaxPerRecord int    `yaml:"max_per_record"`
	KeepNewest   int    `yaml:"keep_newest"`
}

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

func parseRules(data []byte) (policy retention.Policy, err error) {
	var file rulesFile
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) { // it is empty
		return policy, asRulesError(err)
	}
	if decoder.Decode(new(yaml.Node)) != io.EOF {
		return policy, errors.New("there is more than one document; want one")
	}
	lines, rest := linesOf(data)
	if policy.MaxAge, err = parseMaxAge(file.MaxAge); err != nil {
		return policy, fmt.Errorf("line %d: %w", rest, err)
	}
	for i, r := range file.Rules {
		rule, err := r.parse()
		if err != nil {
			return policy, fmt.Errorf("line %d: rule %d: %w", lines[i], i+1, err)
		}
		policy.Rules = append(policy.Rules, rule)
	}
	if policy.MaxAge == 0 && len(policy.Rules) == 0 {
		return policy, errors.New(`there is nothing in it that deletes: want "max_age: 7d", or "rules:"`)
	}
	return policy, nil
}

// asRulesError makes one line of what the decoder found.
func asRulesError(err error) error {
	var found *yaml.TypeError
	if !errors.As(err, &found) {
		return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	text := strings.ReplaceAll(found.Errors[0], " in type main.rulesFile", ": want max_age, rules")
	return errors.New(strings.ReplaceAll(text, " in type main.rulesRule", ": want pattern or topic, max_age, max_per_record, keep_newest"))
}

// linesOf returns the line of each rule, and that of the max_age beside them.
func linesOf(data []byte) (rules []int, maxAge int) {
	var document yaml.Node
	if yaml.Unmarshal(data, &document) != nil || len(document.Content) == 0 {
		return nil, 0
	}
	members := document.Content[0].Content
	for i := 0; i+1 < len(members); i += 2 {
		switch members[i].Value {
		case "max_age":
			maxAge = members[i].Line
		case "rules":
			list := members[i+1]
			if list.Alias != nil {
				list = list.Alias
			}
			for _, rule := range list.Content {
				rules = append(rules, rule.Line)
			}
		}
	}
	return rules, maxAge
}

func (r rulesRule) parse() (rule retention.Rule, err error) {
	switch {
	case r.Pattern != "" && r.Topic != "":
		return rule, errors.New("it has a pattern and a topic; want one of them")
	case r.Topic != "":
		rule.Pattern, rule.Syntax = r.Topic, daybook.Topic
		_, err = index.CompileTopic(r.Topic)
	case r.Pattern != "":
		rule.Pattern = r.Pattern
		_, err = index.CompileGlob(r.Pattern)
	default:
		err = errors.New(`it has no pattern: want a glob (pattern: "alarm.*") or a topic (topic: "plant.#")`)
	}
	if err != nil {
		return rule, err
	}
	rule.MaxPerRecord, rule.KeepNewest = r.MaxPerRecord, r.KeepNewest
	switch {
	case r.MaxPerRecord < 0:
		return rule, fmt.Errorf("max_per_record is %d; want 0 (no limit) or more", r.MaxPerRecord)
	case r.KeepNewest < 0:
		return rule, fmt.Errorf("keep_newest is %d; want 0 or more", r.KeepNewest)
	case r.MaxPerRecord > 0 && r.KeepNewest > r.MaxPerRecord:
		return rule, fmt.Errorf("keep_newest is %d, more than max_per_record (%d)", r.KeepNewest, r.MaxPerRecord)
	}
	rule.MaxAge, err = parseMaxAge(r.MaxAge)
	return rule, err
}

func parseMaxAge(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	age, err := str2duration.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("max_age is %q; want numbers and units (ms, s, m, h, d, w), as in 36h or 7d", text)
	case age <= 0:
		return 0, fmt.Errorf("max_age is %q; want more than 0, or none to keep for ever", text)
	}
	return age, nil
}
