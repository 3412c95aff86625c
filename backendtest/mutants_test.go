// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
)

// mutantVariable is an environment variable. It tells a child process which mutant to test.
const mutantVariable = "DAYBOOK_BACKENDTEST_MUTANT"

// TestSuiteCatchesMutants runs the suite on each mutant, and wants the subtests to fail that must
// find its mistake. A failed subtest would fail this test, too, so the suite runs in a child
// process, which is this test binary again.
func TestSuiteCatchesMutants(t *testing.T) {
	if name, ok := os.LookupEnv(mutantVariable); ok {
		testMutant(t, name)
		return
	}
	for _, mutant := range mutants {
		t.Run(mutant.name, func(t *testing.T) {
			t.Parallel()
			failed, output := runChild(t, mutant.name, patternOf(mutant.fails))
			for _, subtest := range mutant.fails {
				if want := strings.ReplaceAll(subtest, " ", "_"); !slices.Contains(failed, want) {
					t.Errorf("a backend that %[2]s passes %[1]q; it fails only %[3]q", subtest, mutant.name, failed)
				}
			}
			if !strings.Contains(output, "why: ") {
				t.Errorf("no failure says why:\n%s", output)
			}
		})
	}
}

// TestSuitePassesMemoryInAChild shows that a mutant fails because of its mistake, and not because
// it runs in a child process.
func TestSuitePassesMemoryInAChild(t *testing.T) {
	if failed, output := runChild(t, "", ".*"); len(failed) > 0 || !strings.Contains(output, "PASS") {
		t.Errorf("the suite fails on Memory in a child process:\n%s", output)
	}
}

// testMutant runs the suite on a mutant, or on Memory if the name is empty. It runs in the child
// process.
func testMutant(t *testing.T, name string) {
	wrap := func(m *Memory) daybook.Backend { return m }
	for _, mutant := range mutants {
		if mutant.name == name {
			wrap = mutant.wrap
			maxOverrun = time.Second // the mutant must fail, and no other backend is tested here
		}
	}
	Run(t, func(*testing.T) daybook.Backend { return wrap(NewMemory()) }, Capabilities{})
}

var failure = regexp.MustCompile(`(?m)^\s*--- FAIL: TestSuiteCatchesMutants/(\S+)`)

// patternOf returns the -test.run pattern that selects only these subtests.
func patternOf(subtests []string) string {
	var themes, cases []string
	for _, subtest := range subtests {
		theme, name, _ := strings.Cut(strings.ReplaceAll(subtest, " ", "_"), "/")
		themes, cases = append(themes, regexp.QuoteMeta(theme)), append(cases, regexp.QuoteMeta(name))
	}
	return "^(" + strings.Join(themes, "|") + ")$/^(" + strings.Join(cases, "|") + ")$"
}

// runChild runs the subtests that match a pattern on a mutant, in a child process. It returns the
// failed subtests and the output.
func runChild(t *testing.T, mutant, pattern string) (failed []string, output string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), program, "-test.run=^TestSuiteCatchesMutants$/"+pattern, "-test.short")
	// By default, a program that was built with -race sleeps for a second before it exits.
	child.Env = append(os.Environ(), mutantVariable+"="+mutant, "GORACE=atexit_sleep_ms=0")
	combined, err := child.CombinedOutput()
	if failedToRun := err != nil && child.ProcessState == nil; failedToRun {
		t.Fatal(err)
	}
	for _, match := range failure.FindAllStringSubmatch(string(combined), -1) {
		failed = append(failed, match[1])
	}
	if (mutant != "") != (child.ProcessState.ExitCode() == 1) {
		t.Errorf("the child ended with %v:\n%s", child.ProcessState, combined)
	}
	return failed, string(combined)
}
