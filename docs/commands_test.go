// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	// maxNotRun is the number of blocks that may be marked as not run.
	maxNotRun = 12
	// recipeMark is before the name of a block that TestRecipes runs.
	recipeMark = "recipe: "
	// commandTime is how long a block may take, and interruptAfter how long one runs that is then
	// interrupted.
	commandTime    = 5 * time.Minute
	interruptAfter = 500 * time.Millisecond
)

// binDir is the directory with the built command; "": it was not built.
var binDir string

// buildCommand builds the command once, and returns the directory with it.
var buildCommand = sync.OnceValues(func() (dir string, err error) {
	binDir, err = os.MkdirTemp("", "daybook-docs")
	if err != nil {
		return "", err
	}
	name := "daybook"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	build := exec.Command("go", "build", "-o", filepath.Join(binDir, name), "./cmd/daybook")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return "", errors.New(string(output))
	}
	return binDir, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if binDir != "" {
		_ = os.RemoveAll(binDir)
	}
	os.Exit(status)
}

// inShorter are replacements that make a block run in a test: the command is the one that was
// built, and a demo records for a moment instead of ten seconds.
var inShorter = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`go run \./cmd/daybook\b`), "daybook"},
	{regexp.MustCompile(`(?m)^daybook demo\b`), "daybook demo --for 1s"},
}

// result is how a script ended.
type result struct {
	output string
	err    error
	early  bool // it ended before it was interrupted
}

// runCommand runs a script in a directory. If interrupt is more than 0, its only command is
// interrupted after that.
func runCommand(t *testing.T, dir, script string, interrupt time.Duration) *result {
	t.Helper()
	bin, err := buildCommand()
	if err != nil {
		t.Fatalf("the command does not build: %v", err)
	}
	for _, r := range inShorter {
		script = r.pattern.ReplaceAllString(script, r.by)
	}
	if interrupt > 0 {
		script = "exec " + script // so that the command itself receives the signal
	}
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	var output strings.Builder
	cmd := exec.CommandContext(ctx, "sh", "-e", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if interrupt > 0 {
		select {
		case err := <-ended:
			return &result{output.String(), err, true}
		case <-time.After(interrupt):
			_ = cmd.Process.Signal(os.Interrupt)
		}
	}
	err = <-ended
	return &result{output.String(), err, false}
}

func TestCommands(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh to run the commands with")
	}
	var notRun []string
	for _, d := range documents(t) {
		for _, b := range d.blocks {
			if reason, ok := strings.CutPrefix(b.mark, "not run: "); ok {
				notRun = append(notRun, d.path+": "+reason)
			}
		}
		t.Run(d.path, func(t *testing.T) {
			t.Parallel()
			runBlocks(t, d)
		})
	}
	if len(notRun) > maxNotRun {
		t.Errorf("%d blocks are not run; want at most %d:\n%s", len(notRun), maxNotRun, strings.Join(notRun, "\n"))
	}
	t.Logf("%d blocks are not run:\n%s", len(notRun), strings.Join(notRun, "\n"))
}

// runBlocks runs a document's blocks in a fresh directory.
func runBlocks(t *testing.T, d document) {
	dir := t.TempDir()
	output := ""
	for _, b := range d.blocks {
		name, isFile := strings.CutPrefix(b.mark, "file: ")
		switch {
		case isFile:
			if err := os.WriteFile(filepath.Join(dir, name), []byte(b.content), 0o600); err != nil {
				t.Fatal(err)
			}
		case b.mark == "output":
			compareOutput(t, d.path, b, output)
		case b.language != "sh" || strings.HasPrefix(b.mark, "not run: ") || strings.HasPrefix(b.mark, recipeMark):
		case b.mark == "runs until it is interrupted":
			if r := runCommand(t, dir, b.content, interruptAfter); r.early {
				t.Fatalf("%s:%d ended by itself: %v\n%s", d.path, b.line, r.err, r.output)
			}
		default:
			r := runCommand(t, dir, b.content, 0)
			if r.err != nil {
				t.Fatalf("%s:%d: %v\n%s", d.path, b.line, r.err, r.output)
			}
			output = r.output
		}
	}
}

// compareOutput compares what a document says that a command prints with what it did print.
func compareOutput(t *testing.T, path string, b block, output string) {
	t.Helper()
	want, got := normalized(b.content), normalized(output)
	pattern := "^"
	for _, line := range want {
		if line == "..." {
			pattern += `(.*\n)*`
		} else {
			pattern += regexp.QuoteMeta(line) + `\n`
		}
	}
	if !regexp.MustCompile(pattern + "$").MatchString(strings.Join(got, "\n") + "\n") {
		t.Errorf("%s:%d is not what the command prints (-document +command):\n%s", path, b.line, cmp.Diff(want, got))
	}
}

var (
	lateReadings = regexp.MustCompile(`^\d+ readings? of \d+ were late `)
	chartLine    = regexp.MustCompile(`[┤┼┬]|^( *\d+\.\d s)+$`)
	quantity     = regexp.MustCompile(`\d[\d.,:TZ-]*( ?([kMG]?B|[µm]?s|%))?`)
	spaces       = regexp.MustCompile(` +`)
)

// normalized returns the lines of an output without the parts that differ between machines and
// runs: quantities, the host's sensors, readings that were late on a busy machine, the shape of a
// chart, and the widths of columns.
func normalized(output string) (lines []string) {
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, " \n")
		switch {
		case chartLine.MatchString(line):
			line = "(chart)"
		case strings.HasPrefix(line, "host."):
			line = "(sensors)"
		case strings.HasPrefix(line, "No readings of ") || lateReadings.MatchString(line):
			continue
		}
		line = spaces.ReplaceAllString(quantity.ReplaceAllString(line, "N"), " ")
		if len(lines) == 0 || line != lines[len(lines)-1] {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestCommandLists shows that the documents list the commands that there are.
func TestCommandLists(t *testing.T) {
	want := commands(t)
	reference := namesIn(documentAt(t, "docs/reference.md").text, "(?m)^\\| `daybook (\\w+)")
	if diff := cmp.Diff(want, reference); diff != "" {
		t.Errorf("docs/reference.md does not list what daybook help lists (-help +reference):\n%s", diff)
	}
	main, err := os.ReadFile(filepath.Join(root, "cmd/daybook/main.go"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, namesIn(string(main), `(?m)^//\tdaybook (\w+)`)); diff != "" {
		t.Errorf("go doc ./cmd/daybook does not list what daybook help lists (-help +go doc):\n%s", diff)
	}
	spans := namesIn(documentAt(t, "README.md").prose(), "`(?:daybook )?([a-z]+)`")
	for _, name := range want {
		if !slices.Contains(spans, name) && name != "demo" {
			t.Errorf("README.md does not name the command %s", name)
		}
	}
}

// commands returns the names of the commands that daybook help lists, sorted, except help itself.
func commands(t *testing.T) []string {
	t.Helper()
	r := runCommand(t, t.TempDir(), "daybook help", 0)
	if r.err != nil {
		t.Fatalf("daybook help: %v\n%s", r.err, r.output)
	}
	_, list, _ := strings.Cut(r.output, "\nStore:\n")
	list, _, _ = strings.Cut(list, "\nFlags:\n")
	names := namesIn(list, `(?m)^  (\w+) `)
	if len(names) < 10 {
		t.Fatalf("daybook help lists %q", names)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "help" })
}

// namesIn returns the different first submatches of a pattern, sorted.
func namesIn(text, pattern string) []string {
	names := map[string]bool{}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		names[match[1]] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// TestInlineCommands checks the commands in running text: the subcommand exists and has the flags.
func TestInlineCommands(t *testing.T) {
	known := commands(t)
	help := map[string]string{}
	for _, d := range documents(t) {
		for _, match := range codeSpan.FindAllStringSubmatch(d.prose(), -1) {
			words := strings.Fields(match[1])
			if words[0] != "daybook" || len(words) < 2 || words[1] == "help" || words[1] == "COMMAND" {
				continue
			}
			name := words[1]
			if !slices.Contains(known, name) {
				t.Errorf("%s: `%s`: there is no command %s", d.path, match[1], name)
				continue
			}
			if help[name] == "" {
				help[name] = runCommand(t, t.TempDir(), "daybook "+name+" --help", 0).output
			}
			for _, word := range words[2:] {
				flag, _, _ := strings.Cut(word, "=")
				if strings.HasPrefix(flag, "-") && !strings.Contains(help[name], flag+" ") {
					t.Errorf("%s: `%s`: %s has no flag %s", d.path, match[1], name, flag)
				}
			}
		}
	}
}
