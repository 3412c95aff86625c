// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// outcome is what the tests said about a mutant.
type outcome int

const (
	killed     outcome = iota // a test of the package failed, or the test that survivors.txt names
	elsewhere                 // a test of a package above it failed
	hung                      // a test did not end within the limit
	survived                  // all tests passed
	notBuilt                  // it does not compile, or vet would refuse it
	equivalent                // it is listed as equivalent, and was not run
)

func (o outcome) String() string {
	return [...]string{
		"killed", "killed from above", "killed by the time limit", "SURVIVED", "does not compile", "equivalent",
	}[o]
}

// runner runs tests on mutants. One goroutine may use it.
type runner struct {
	scratch string
	limits  *limits
	reach   *reach // nil: each mutant meets all tests
}

// run runs the short tests of the mutant's package, and if they pass those of the package above it;
// or only the test that named names.
func (r *runner) run(ctx context.Context, m *mutant, named *namedTest) (outcome, string, error) {
	overlay, err := r.writeOverlay(m)
	if err != nil {
		return 0, "", err
	}
	if named != nil {
		return r.runTests(ctx, overlay, []string{"-run", "^" + named.test + "$", "./" + named.pkg})
	}
	outcome, by, err := r.runPackage(ctx, overlay, "./"+filepath.Dir(m.file), m)
	if above := packageAbove(m.file); outcome == survived && err == nil && above != "" {
		if outcome, by, err = r.runPackage(ctx, overlay, above, m); outcome == killed {
			outcome, by = elsewhere, above+" "+by
		}
	}
	return outcome, by, err
}

func (r *runner) runPackage(ctx context.Context, overlay, pkg string, m *mutant) (outcome, string, error) {
	if r.reach != nil {
		return r.runReaching(ctx, overlay, pkg, m)
	}
	return r.runTests(ctx, overlay, []string{pkg})
}

// packageAbove returns the package whose short tests run the code of a file too; "" for none.
func packageAbove(file string) string {
	if strings.HasPrefix(file, "engine/internal/") {
		return "./engine"
	}
	return ""
}

func (r *runner) runTests(ctx context.Context, overlay string, tests []string) (outcome, string, error) {
	limit, err := r.limits.of(ctx, tests)
	if err != nil {
		return 0, "", err
	}
	text, err := goTest(ctx, append([]string{"-overlay", overlay, "-timeout", limit.String()}, tests...))
	return judgeOutput(ctx, text, err)
}

// judgeOutput returns what the end of a run of tests says about a mutant.
func judgeOutput(ctx context.Context, text string, err error) (outcome, string, error) {
	var failed *exec.ExitError
	switch {
	case err == nil:
		return survived, "", nil
	case !errors.As(err, &failed) || ctx.Err() != nil:
		return 0, "", err
	case strings.Contains(text, "[build failed]") || strings.Contains(text, "[setup failed]"):
		return notBuilt, "", nil
	case strings.Contains(text, "panic: test timed out"):
		return hung, failingTest(text), nil
	default:
		return killed, failingTest(text), nil
	}
}

// goTest runs go test, and returns what it printed.
func goTest(ctx context.Context, args []string) (output string, err error) {
	args = append([]string{"test", "-vet=off", "-short", "-failfast", "-count=1"}, args...)
	text, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	return string(text), cmp.Or(ctx.Err(), err)
}

// limits has the time that the tests of a package may take with a mutant: five times what they take
// without one, and ten seconds.
type limits struct {
	mu    sync.Mutex
	known map[string]time.Duration
}

func (l *limits) of(ctx context.Context, tests []string) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := strings.Join(tests, " ")
	if limit, ok := l.known[key]; ok {
		return limit, nil
	}
	start := time.Now()
	if output, err := goTest(ctx, tests); err != nil {
		return 0, fmt.Errorf("the tests fail without a mutant: go test %s: %w\n%s", key, err, output)
	}
	l.known[key] = (5*time.Since(start) + 10*time.Second).Round(time.Second)
	return l.known[key], nil
}

// writeOverlay writes the changed file and the overlay that puts it in the place of the original.
func (r *runner) writeOverlay(m *mutant) (string, error) {
	source, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	changed := filepath.Join(r.scratch, "changed.go")
	if err := os.WriteFile(changed, m.apply(source), 0o600); err != nil {
		return "", err
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	path := filepath.Join(r.scratch, "overlay.json")
	return path, writeOverlay(path, map[string]string{original: changed})
}

// writeOverlay writes the file for go test -overlay that replaces files, by their absolute paths.
func writeOverlay(path string, replaced map[string]string) error {
	text, err := json.Marshal(map[string]map[string]string{"Replace": replaced})
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

var failure = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)|^\s+(Test\S+) \(`)

// failingTest returns the name of the first test that failed or hung, or "a panic".
func failingTest(output string) string {
	if match := failure.FindStringSubmatch(output); match != nil {
		return match[1] + match[2]
	}
	return "a panic"
}

// verdict is a mutant with its outcome.
type verdict struct {
	mutant
	outcome outcome
	by      string // the test that killed it, or the reason of its line in survivors.txt
	took    time.Duration
}

func (v verdict) String() string {
	text := fmt.Sprintf("%-24s %5.1fs %s:%d %s", v.outcome, v.took.Seconds(), v.file, v.line, v.name())
	if v.by != "" {
		text += " [" + v.by + "]"
	}
	return text
}
