// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReadmeIsAnExample shows that the README's program is the example that the tests compile and run.
func TestReadmeIsAnExample(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_quickstart_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(readme), "```go\n")
	program, _, closed := strings.Cut(after, "```\n")
	if !found || !closed {
		t.Fatal("the README has no Go program")
	}
	_, want, _ := strings.Cut(string(example), "\n\n") // behind the licence
	want = strings.NewReplacer("package engine_test", "package main", "func Example()", "func main()").Replace(want)
	want = regexp.MustCompile(`\t// Output:\n(\t// .*\n)+`).ReplaceAllString(want, "")
	if diff := cmp.Diff(want, program); diff != "" {
		t.Errorf("the README's program differs from the example (-example +README):\n%s", diff)
	}
}
