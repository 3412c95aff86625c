// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestProgramsAreExamples shows that a page's program is an example that the tests of package
// engine compile and run.
func TestProgramsAreExamples(t *testing.T) {
	tests := []struct {
		document, example string
		replace           []string // parts of the example, each with what the program has instead
	}{
		{"README.md", "engine/example_quickstart_test.go", []string{
			"func Example()", "func main()",
			"\t\"os\"\n", "",
			"engine.Open(history, nil)", `engine.Open("history", nil)`,
		}},
		{"docs/start.md", "engine/example_tour_test.go", []string{"func Example_tour()", "func main()"}},
	}
	for _, test := range tests {
		t.Run(test.document, func(t *testing.T) {
			example, err := os.ReadFile(filepath.Join(root, test.example))
			if err != nil {
				t.Fatal(err)
			}
			_, want, _ := strings.Cut(string(example), "\n\n") // after the licence
			want = strings.NewReplacer(append(test.replace, "package engine_test", "package main")...).Replace(want)
			want = regexp.MustCompile(`(?s)\thistory, err := os.MkdirTemp.*?\n\n`).ReplaceAllString(want, "")
			want = regexp.MustCompile(`\t// Output:\n(\t// .*\n)+`).ReplaceAllString(want, "")
			if diff := cmp.Diff(want, program(t, test.document)); diff != "" {
				t.Errorf("the program in %s differs from %s (-example +document):\n%s",
					test.document, test.example, diff)
			}
		})
	}
}

// TestForwardIsExample shows that the functions which forward values, in reference.md, are those of
// an example that the tests of package engine compile and run.
func TestForwardIsExample(t *testing.T) {
	example, err := os.ReadFile(filepath.Join(root, "engine/example_forward_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range documentAt(t, "docs/reference.md").blocks {
		if b.language == "go" && strings.HasPrefix(b.content, "// forward ") {
			if !strings.Contains(string(example), strings.TrimSpace(b.content)) {
				t.Error("forward in docs/reference.md differs from that of engine/example_forward_test.go")
			}
			return
		}
	}
	t.Error("docs/reference.md has no function forward")
}

// program returns the first Go program of a document.
func program(t *testing.T, path string) string {
	t.Helper()
	for _, b := range documentAt(t, path).blocks {
		if b.language == "go" && strings.HasPrefix(b.content, "package main\n") {
			return b.content
		}
	}
	t.Fatalf("%s has no Go program", path)
	return ""
}
