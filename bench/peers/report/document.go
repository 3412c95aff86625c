// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strings"
)

// A section is a part of a Markdown document that this command writes. A document has it between
// two markers, which are comments with its name.
type section struct {
	name   string
	render func(all runs) string
}

// sections are all sections that a document may have.
var sections = []section{
	{"race", func(all runs) string { return tables(all.of(theRace)) }},
	{"summary", func(all runs) string { return summary(all.of(theRace)) }},
	{"shapes", func(all runs) string { return shapeTables(all.of(theShapes)) }},
	{"bars", heldBars},
}

func (s section) begin() string { return "<!-- " + s.name + ":begin -->" }
func (s section) end() string   { return "<!-- " + s.name + ":end -->" }

// writeDocument replaces the sections that the document at path has, and nothing else in it.
func writeDocument(path string, all runs) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := all.of(theRace).requireDaybook(); err != nil {
		return err
	}
	updated, err := replaceSections(string(old), all, command("readme", path, all))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return writeChanged(path, []byte(updated))
}

// requireDaybook returns an error if Daybook did not run some work. Its row would be empty, and a
// median would be of fewer runs than the table says.
func (all runs) requireDaybook() error {
	for _, r := range all {
		for _, w := range works {
			if _, ok := r.figures[key{w.measure, daybook}]; !ok {
				return fmt.Errorf("%s: no %s of peer=%s in Benchmark%s", r.file, w.unit, daybook, w.benchmark)
			}
		}
	}
	return nil
}

// replaceSections returns the document with its sections rendered again. A document without any
// section is an error: the file was the wrong one.
func replaceSections(document string, all runs, command string) (string, error) {
	var missing []string
	for _, s := range sections {
		if !strings.Contains(document, s.begin()) && !strings.Contains(document, s.end()) {
			missing = append(missing, s.begin())
			continue
		}
		note := fmt.Sprintf("<!-- Generated, so edits are lost. The command:\n%s\n-->\n\n", command)
		updated, err := s.replace(document, note+s.render(all)+"\n")
		if err != nil {
			return "", err
		}
		document = updated
	}
	if len(missing) == len(sections) {
		return "", fmt.Errorf("it has none of %s", strings.Join(missing, " and "))
	}
	return document, nil
}

// replace returns the document with content between the section's markers.
func (s section) replace(document, content string) (string, error) {
	for _, marker := range []string{s.begin(), s.end()} {
		if n := strings.Count(document, marker); n != 1 {
			return "", fmt.Errorf("%s is there %d times, want once", marker, n)
		}
	}
	before, rest, _ := strings.Cut(document, s.begin())
	_, after, ok := strings.Cut(rest, s.end())
	if !ok {
		return "", fmt.Errorf("%s is before %s", s.end(), s.begin())
	}
	return before + s.begin() + "\n" + content + s.end() + after, nil
}
