// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// reach finds the tests of a package that run a line. It keeps in a directory what it found, a file
// per test, because that takes longer than to run all tests once.
type reach struct {
	dir      string
	scratch  string   // for the code and the binaries of mutants that are built together
	mutants  []mutant // that are built together, package by package
	mu       sync.Mutex
	known    map[string][]reachingTest // by package of the tests
	together map[string]*together      // by directory of the mutants
}

func newReach(dir, scratch string, mutants []mutant) *reach {
	return &reach{
		dir: dir, scratch: scratch, mutants: mutants, known: map[string][]reachingTest{},
		together: map[string]*together{},
	}
}

// build returns a binary with the tests of a package and a mutant, and the mutant's number in it.
// It returns no binary if the mutant does not compile, or is not known and must be built alone.
func (r *reach) build(ctx context.Context, pkg string, m *mutant) (binary string, number int, known bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	group, err := r.groupOf(ctx, m)
	if err != nil {
		return "", 0, false, err
	}
	if number, known = group.numbers[m.name()]; number == 0 {
		return "", 0, known, nil
	}
	binary, err = group.binary(ctx, pkg)
	return binary, number, true, err
}

// compiles reports whether a mutant compiles, without a build. It is true for one that is not
// known.
func (r *reach) compiles(ctx context.Context, m *mutant) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	group, err := r.groupOf(ctx, m)
	if err != nil {
		return false, err
	}
	number, known := group.numbers[m.name()]
	return number > 0 || !known, nil
}

// groupOf returns the mutants that are built together with one.
func (r *reach) groupOf(ctx context.Context, m *mutant) (*together, error) {
	dir := filepath.Dir(m.file)
	if group := r.together[dir]; group != nil {
		return group, nil
	}
	mine := slices.DeleteFunc(slices.Clone(r.mutants), func(m mutant) bool { return filepath.Dir(m.file) != dir })
	scratch := filepath.Join(r.scratch, fmt.Sprintf("package%d", len(r.together)))
	group, err := newTogether(ctx, scratch, dir, mine)
	if err == nil {
		r.together[dir] = group
	}
	return group, err
}

// reachingTest is a test with the blocks of code that it runs.
type reachingTest struct {
	Name   string
	Took   time.Duration
	Blocks map[string][]lines // by path of the file, relative to the module
}

// lines are the first and the last line of a block.
type lines [2]int

func (t *reachingTest) runs(file string, of lines) bool {
	return slices.ContainsFunc(t.Blocks[file], func(b lines) bool { return b[0] <= of[1] && of[0] <= b[1] })
}

// of returns the tests of a package that run the code of a mutant, the quick ones first.
func (r *reach) of(ctx context.Context, pkg string, m *mutant) ([]reachingTest, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.known[pkg]; !ok {
		tests, err := r.find(ctx, pkg, coveredBy(pkg))
		if err != nil {
			return nil, err
		}
		r.known[pkg] = tests
	}
	var tests []reachingTest
	for _, t := range r.known[pkg] {
		if t.runs(m.file, m.needs) {
			tests = append(tests, t)
		}
	}
	slices.SortFunc(tests, func(a, b reachingTest) int { return cmp.Compare(a.Took, b.Took) })
	return tests, nil
}

// coveredBy returns the packages whose code the tests of a package judge.
func coveredBy(pkg string) string {
	if pkg == "./engine" {
		return "./engine/..."
	}
	return pkg
}

// find runs each test of a package alone, unless the directory has what it reaches.
func (r *reach) find(ctx context.Context, pkg, covered string) ([]reachingTest, error) {
	dir, err := filepath.Abs(filepath.Join(r.dir, strings.ReplaceAll(filepath.Clean(pkg), "/", "+")))
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(dir, "covered.test")
	if text, err := buildTests(ctx, "-coverpkg", covered, "-o", binary, pkg); err != nil {
		return nil, fmt.Errorf("the tests of %s do not build: %w\n%s", pkg, err, text)
	}
	defer os.Remove(binary)
	names, err := command(ctx, pkg, binary, "-test.list", testName.String())
	if err != nil {
		return nil, err
	}
	module, err := command(ctx, ".", "go", "list", "-m")
	if err != nil {
		return nil, err
	}
	var tests []reachingTest
	for name := range strings.Lines(names) {
		if name = strings.TrimSpace(name); !testName.MatchString(name) {
			continue // what the binary says about coverage
		}
		t := reachingTest{Name: name}
		kept := filepath.Join(dir, name+".json")
		if text, err := os.ReadFile(kept); err == nil {
			if err := json.Unmarshal(text, &t); err != nil {
				return nil, fmt.Errorf("%s: %w", kept, err)
			}
		} else if err := t.find(ctx, pkg, binary, strings.TrimSpace(module), kept); err != nil {
			return nil, err
		}
		tests = append(tests, t)
	}
	return tests, nil
}

var testName = regexp.MustCompile(`^(Test|Fuzz|Example)\w*$`)

var profileLine = regexp.MustCompile(`(?m)^(.+):(\d+)\.\d+,(\d+)\.\d+ \d+ [1-9]\d*$`)

// find runs the test, and writes what it reaches to a file.
func (t *reachingTest) find(ctx context.Context, pkg, binary, module, kept string) error {
	profile := kept + ".profile"
	defer os.Remove(profile)
	start := time.Now()
	text, err := command(ctx, pkg, binary, "-test.short", "-test.run", "^"+t.Name+"$", "-test.coverprofile", profile)
	if err != nil {
		return fmt.Errorf("%s fails without a mutant: %w\n%s", t.Name, err, text)
	}
	t.Took = time.Since(start)
	t.Blocks = map[string][]lines{}
	found, err := os.ReadFile(profile)
	if err != nil {
		return err
	}
	for _, match := range profileLine.FindAllSubmatch(found, -1) {
		file := strings.TrimPrefix(string(match[1]), module+"/")
		from, _ := strconv.Atoi(string(match[2]))
		to, _ := strconv.Atoi(string(match[3]))
		t.Blocks[file] = append(t.Blocks[file], lines{from, to})
	}
	out, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return os.WriteFile(kept, out, 0o600)
}

// runReaching runs the tests of a package that reach a mutant, and no other.
func (r *runner) runReaching(ctx context.Context, overlay, pkg string, m *mutant) (outcome, string, error) {
	tests, err := r.reach.of(ctx, pkg, m)
	if err != nil {
		return 0, "", err
	}
	if len(tests) == 0 {
		compiles, err := r.reach.compiles(ctx, m)
		if !compiles {
			return notBuilt, "", err
		}
		return survived, "", err
	}
	binary, number, known, err := r.reach.build(ctx, pkg, m)
	if err == nil && !known {
		binary, err = r.buildAlone(ctx, overlay, pkg)
	}
	if err != nil || binary == "" {
		return notBuilt, "", err
	}
	for part := range parts(tests) {
		if outcome, by, err := runPart(ctx, binary, number, pkg, part); outcome != survived || err != nil {
			return outcome, by, err
		}
	}
	return survived, "", nil
}

// buildAlone builds the tests of a package with one mutant. It returns "" if that does not compile.
func (r *runner) buildAlone(ctx context.Context, overlay, pkg string) (string, error) {
	binary := filepath.Join(r.scratch, "mutant.test")
	text, err := buildTests(ctx, "-overlay", overlay, "-ldflags=-s -w", "-o", binary, pkg)
	var failed *exec.ExitError
	if errors.As(err, &failed) && ctx.Err() == nil {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("%w\n%s", err, text)
	}
	return binary, nil
}

// parts yields tests in parts that take twice as long each time.
func parts(tests []reachingTest) func(yield func([]reachingTest) bool) {
	return func(yield func([]reachingTest) bool) {
		for limit := time.Second; len(tests) > 0; limit *= 2 {
			n, took := 0, time.Duration(0)
			for n < len(tests) && (n == 0 || took+tests[n].Took < limit) {
				took += tests[n].Took
				n++
			}
			if !yield(tests[:n]) {
				return
			}
			tests = tests[n:]
		}
	}
}

// runPart runs tests of a binary with the mutant of a number.
func runPart(
	ctx context.Context, binary string, number int, pkg string, tests []reachingTest,
) (outcome, string, error) {
	var names []string
	limit := 30 * time.Second
	for _, t := range tests {
		names = append(names, t.Name)
		limit += 5 * t.Took
	}
	variable := fmt.Sprintf("%s=%d", numberVariable, number)
	text, err := commandWith(ctx, pkg, []string{variable}, binary, "-test.short", "-test.failfast", "-test.run",
		"^("+strings.Join(names, "|")+")$", "-test.timeout", limit.String())
	return judgeOutput(ctx, text, err)
}

// buildTests runs go test -c.
func buildTests(ctx context.Context, args ...string) (output string, err error) {
	return command(ctx, ".", "go", append([]string{"test", "-vet=off", "-c"}, args...)...)
}

// command runs a program in a directory, and returns what it printed.
func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	return commandWith(ctx, dir, nil, name, args...)
}

// commandWith is command with more environment variables.
func commandWith(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	c.Env = append(c.Environ(), env...)
	var output bytes.Buffer
	c.Stdout, c.Stderr = &output, &output
	err := c.Run()
	return output.String(), cmp.Or(ctx.Err(), err)
}
