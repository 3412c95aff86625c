// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strings"
)

// reasons has the lines of survivors.txt.
type reasons map[string]reason

// reason says why the tests of its package do not kill a mutant. One of the fields is set.
type reason struct {
	equivalent string
	open       string
	named      *namedTest // a test of another package that kills it
}

type namedTest struct{ pkg, test string }

func (r reason) String() string {
	switch {
	case r.named != nil:
		return "killed by " + r.named.pkg + " " + r.named.test
	case r.equivalent != "":
		return "equivalent: " + r.equivalent
	}
	return "open: " + r.open
}

func readReasons(path string) (reasons, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	all := reasons{}
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, why, ok := strings.Cut(line, "\t")
		if !ok {
			return nil, fmt.Errorf("%s:%d: want the name of a mutant, a tab, and a reason", path, i+1)
		}
		reason, err := parseReason(why)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("%s:%d: the mutant has a line already", path, i+1)
		}
		all[name] = reason
	}
	return all, nil
}

func parseReason(why string) (reason, error) {
	if text, ok := strings.CutPrefix(why, "equivalent: "); ok {
		return reason{equivalent: text}, nil
	}
	if text, ok := strings.CutPrefix(why, "open: "); ok {
		return reason{open: text}, nil
	}
	if text, ok := strings.CutPrefix(why, "killed by "); ok {
		if pkg, test, ok := strings.Cut(text, " "); ok {
			return reason{named: &namedTest{pkg, test}}, nil
		}
	}
	return reason{}, fmt.Errorf(`got the reason %q; want "equivalent: ...", "open: ..." or "killed by PACKAGE TEST"`,
		why)
}

// unknown returns the names that no mutant has. Their code has changed.
func (r reasons) unknown(found []mutant) (names []string) {
	known := map[string]bool{}
	for i := range found {
		known[found[i].name()] = true
	}
	for name := range r {
		if !known[name] {
			names = append(names, name)
		}
	}
	return names
}
