// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
)

// faultVariable names, in a child process, the fault of the backend under test.
const faultVariable = "DAYBOOK_BACKENDTEST_FAULT"

// TestTeeth shows that the suite finds each fault, in the subtest that is there for it. A failed
// subtest cannot be taken back, so the suite runs on each faulty backend in a child process, which
// is this test binary again.
func TestTeeth(t *testing.T) {
	if name, ok := os.LookupEnv(faultVariable); ok {
		runFaulty(t, name)
		return
	}
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			failed, output := runChild(t, fault.name, patternOf(fault.fails))
			for _, subtest := range fault.fails {
				if want := strings.ReplaceAll(subtest, " ", "_"); !slices.Contains(failed, want) {
					t.Errorf("the suite passes %q on a backend that %s; it fails %q", subtest, fault.name, failed)
				}
			}
			if !strings.Contains(output, "why: ") {
				t.Errorf("no failure says why:\n%s", output)
			}
		})
	}
}

// TestNoFault shows that a child fails for its fault, and not for being one.
func TestNoFault(t *testing.T) {
	if failed, output := runChild(t, "", ".*"); len(failed) > 0 || !strings.Contains(output, "PASS") {
		t.Errorf("the suite fails on Memory in a child process:\n%s", output)
	}
}

// runFaulty runs the suite in the child.
func runFaulty(t *testing.T, name string) {
	wrap := func(m *Memory) daybook.Backend { return m }
	for _, fault := range faults {
		if fault.name == name {
			wrap = fault.wrap
		}
	}
	Run(t, func(*testing.T) daybook.Backend { return wrap(NewMemory()) }, Capabilities{})
}

var failure = regexp.MustCompile(`(?m)^\s*--- FAIL: TestTeeth/(\S+)`)

// patternOf returns the pattern of subtests, which are enough for a child to run.
func patternOf(subtests []string) string {
	var themes, cases []string
	for _, subtest := range subtests {
		theme, name, _ := strings.Cut(strings.ReplaceAll(subtest, " ", "_"), "/")
		themes, cases = append(themes, regexp.QuoteMeta(theme)), append(cases, regexp.QuoteMeta(name))
	}
	return "^(" + strings.Join(themes, "|") + ")$/^(" + strings.Join(cases, "|") + ")$"
}

// runChild returns the subtests that match a pattern and fail in a child process, and its output.
func runChild(t *testing.T, fault, pattern string) (failed []string, output string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), program, "-test.run=^TestTeeth$/"+pattern, "-test.short")
	// A program built with -race waits a second before it exits, unless it is told not to.
	child.Env = append(os.Environ(), faultVariable+"="+fault, "GORACE=atexit_sleep_ms=0")
	combined, err := child.CombinedOutput()
	if failedToRun := err != nil && child.ProcessState == nil; failedToRun {
		t.Fatal(err)
	}
	for _, match := range failure.FindAllStringSubmatch(string(combined), -1) {
		failed = append(failed, match[1])
	}
	if (fault != "") != (child.ProcessState.ExitCode() == 1) {
		t.Errorf("the child ended with %v:\n%s", child.ProcessState, combined)
	}
	return failed, string(combined)
}
