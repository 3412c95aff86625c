// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	link     = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *$`)
	codeSpan = regexp.MustCompile("`([^`\n]+)`")
)

func TestLinks(t *testing.T) {
	all := documents(t)
	anchors := map[string]map[string]bool{}
	for i := range all {
		anchors[all[i].path] = anchorsOf(all[i].prose())
	}
	checked := 0
	for i := range all {
		for _, match := range link.FindAllStringSubmatch(all[i].prose(), -1) {
			text, target := match[1], match[2]
			if strings.Contains(target, "://") {
				continue
			}
			checked++
			file, anchor, hasAnchor := strings.Cut(target, "#")
			at := all[i].path
			if file != "" {
				at = path.Join(path.Dir(all[i].path), file)
			}
			if _, err := os.Stat(filepath.Join(root, at)); err != nil {
				t.Errorf("%s: the link to %s: %v", all[i].path, target, err)
			} else if hasAnchor && !anchors[at][anchor] {
				t.Errorf("%s: %s has no heading for #%s", all[i].path, at, anchor)
			} else if strings.HasSuffix(at, ".go") && strings.HasPrefix(text, "`") {
				checkDeclared(t, all[i].path, strings.Trim(text, "`"), at)
			}
		}
	}
	if checked < 50 {
		t.Errorf("found %d links; want at least 50, so that this test is known to find them", checked)
	}
}

// anchorsOf returns the anchors that GitHub gives to headings.
func anchorsOf(prose string) map[string]bool {
	anchors := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(prose, -1) {
		anchors[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, match[1])] = true
	}
	return anchors
}

// checkDeclared checks that a Go file declares a name: a function or type (Compile), or a method
// (DB.Store).
func checkDeclared(t *testing.T, document, name, path string) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	declaration := `(?m)^(func|type) ` + name + `\b`
	if receiver, method, ok := strings.Cut(name, "."); ok {
		declaration = `(?m)^func \(\w+ \*?` + receiver + `\) ` + method + `\(`
	}
	if !regexp.MustCompile(declaration).Match(source) {
		t.Errorf("%s: %s does not declare %s", document, path, name)
	}
}

var (
	goName = regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$`)
	goFile = regexp.MustCompile(`^[\w./*-]*/[\w.*-]*$`)
)

// TestNames checks the code spans that are Go names, which must stand in the source, and those that
// are paths, which must exist.
func TestNames(t *testing.T) {
	words := sourceWords(t)
	for _, d := range documents(t) {
		if d.path == "docs/writing.md" { // its names are examples of good and bad ones
			continue
		}
		for _, match := range codeSpan.FindAllStringSubmatch(d.prose(), -1) {
			span := match[1]
			switch {
			case goName.MatchString(span):
				for _, word := range strings.Split(span, ".") {
					if !words[word] {
						t.Errorf("%s: no Go file has the name %s of `%s`", d.path, word, span)
					}
				}
			case goFile.MatchString(span) && !strings.HasPrefix(span, "/") && !strings.HasPrefix(span, "./"):
				if found, err := filepath.Glob(filepath.Join(root, span)); len(found) == 0 && !inDirectory[span] {
					t.Errorf("%s: there is no `%s` (%v)", d.path, span, err)
				}
			}
		}
	}
}

// inDirectory are paths in the directory of a store, not in the repository.
var inDirectory = map[string]bool{"wal/": true}

// sourceWords returns the words of all Go files, except those of this folder, and the paths' last
// parts.
func sourceWords(t *testing.T) map[string]bool {
	t.Helper()
	words := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "docs") {
			return fs.SkipDir
		}
		words[entry.Name()] = true
		if filepath.Ext(path) != ".go" {
			return nil
		}
		source, err := os.ReadFile(path)
		for word := range strings.FieldsFuncSeq(string(source), func(r rune) bool { return !isWordRune(r) }) {
			words[word] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return words
}

func isWordRune(r rune) bool {
	return r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// TestRooms shows that the plan of the folders in architecture.md is complete, and that all of it
// exists.
func TestRooms(t *testing.T) {
	var plan string
	for _, b := range documentAt(t, "docs/architecture.md").blocks {
		if strings.Contains(b.content, "cmd/daybook/ ") {
			plan = b.content
		}
	}
	drawn, folder := map[string]bool{}, ""
	for line := range strings.Lines(plan) {
		name := strings.Fields(line)[0]
		if !strings.HasSuffix(name, "/") {
			continue
		}
		if strings.HasPrefix(line, " ") {
			name = folder + name
		} else {
			folder = name
		}
		if info, err := os.Stat(filepath.Join(root, name)); err != nil || !info.IsDir() {
			t.Errorf("architecture.md has %s, which is no folder of the repository", name)
		}
		drawn[strings.Split(name, "/")[0]] = true
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") && !drawn[entry.Name()] && hasGoFiles(t, entry) {
			t.Errorf("the plan in architecture.md does not have %s/", entry.Name())
		}
	}
}

func hasGoFiles(t *testing.T, entry fs.DirEntry) (found bool) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, entry.Name()), func(path string, _ fs.DirEntry, err error) error {
		found = found || filepath.Ext(path) == ".go"
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
