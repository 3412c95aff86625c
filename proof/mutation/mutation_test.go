// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	_ "github.com/daybook-db/daybook/proof/testenv" // the flag -long, for go test ./proof/... -long
)

const sample = `package sample

import "errors"

type disk struct{ synced, writes int }

func (d *disk) sync() error { d.synced++; return nil }

func (d *disk) write(n int) error {
	if n < 0 {
		return errors.New("negative")
	}
	for i := 0; i < n; i++ {
		d.writes += 1
	}
	if err := d.sync(); err != nil {
		return err
	}
	return nil
}
`

const sampleTest = `package sample

import "testing"

func TestWrite(t *testing.T) {
	var d disk
	if err := d.write(-1); err == nil {
		t.Error("want an error")
	}
	if err := d.write(3); err != nil || d.writes != 3 {
		t.Error(err, d.writes)
	}
}
`

// sampleModule makes a module with one package, and goes there.
func sampleModule(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{"go.mod": "module sample\n\ngo 1.26\n", "a/a.go": sample, "a/a_test.go": sampleTest}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

func TestFindMutants(t *testing.T) {
	sampleModule(t)
	mutants, err := findMutants("a/a.go")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range mutants {
		m := &mutants[i]
		changed := strings.Split(string(m.apply([]byte(sample))), "\n")
		got = append(got, m.name()+" => "+strings.TrimSpace(changed[m.line-1]))
	}
	want := []string{
		"a/a.go disk.sync: leave out: d.synced++ => func (d *disk) sync() error { ; return nil }",
		"a/a.go disk.write: negate: n < 0 => if !(n < 0) {",
		"a/a.go disk.write: < becomes <=: n < 0 => if n <= 0 {",
		`a/a.go disk.write: return no error: errors.New("negative") => return nil`,
		"a/a.go disk.write: leave out the loop: i < n => for i := 0; false && (i < n); i++ {",
		"a/a.go disk.write: < becomes <=: i < n => for i := 0; i <= n; i++ {",
		"a/a.go disk.write: leave out: i++ => for i := 0; i < n;  {",
		"a/a.go disk.write: leave out: d.writes += 1 => ",
		"a/a.go disk.write: ignore the error: err != nil => if err := d.sync(); false && err != nil {",
		"a/a.go disk.write: leave out the step: if err := d.sync(); err != nil { => ",
		"a/a.go disk.write: return no error: err => return nil",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mutants (-want +got):\n%s", diff)
	}
}

// The tests of the sample do not look at the bound of the condition, nor at the sync.
func TestRun(t *testing.T) {
	sampleModule(t)
	mutants, err := findMutants("a/a.go")
	if err != nil {
		t.Fatal(err)
	}
	mutants = append(mutants,
		mutant{file: "a/a.go", function: "disk.write", operator: "break", was: "the build", text: "!"})
	want := map[string]outcome{
		"a/a.go disk.write: negate: n < 0":                                        killed,
		"a/a.go disk.write: < becomes <=: n < 0":                                  survived,
		"a/a.go disk.write: leave out: d.writes += 1":                             killed,
		"a/a.go disk.write: leave out the step: if err := d.sync(); err != nil {": survived,
		"a/a.go disk.write: < becomes <=: i < n":                                  equivalent, // as the list below says
		"a/a.go disk.write: break: the build":                                     notBuilt,
	}
	known := reasons{"a/a.go disk.write: < becomes <=: i < n": {equivalent: "for this test"}}
	r := &runner{scratch: t.TempDir(), limits: &limits{known: map[string]time.Duration{}}}
	got := map[string]outcome{}
	for _, m := range mutants {
		if _, ok := want[m.name()]; !ok {
			continue
		}
		v, err := r.judge(context.Background(), m, known, false)
		if err != nil {
			t.Fatal(err)
		}
		got[m.name()] = v.outcome
		if v.outcome == killed && v.by != "TestWrite" {
			t.Errorf("%s: got killed by %q; want TestWrite", m.name(), v.by)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestParseReason(t *testing.T) {
	for _, test := range []struct{ name, text, wantErr string }{
		{"equivalent", "equivalent: both bounds are never reached", ""},
		{"open", "open: needs a disk that lies", ""},
		{"a test of another package", "killed by proof/powercut TestPowerCut", ""},
		{"a package without a test", "killed by proof/powercut", "want"},
		{"anything else", "because", "want"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseReason(test.text)
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Errorf("got error %v; want one with %q", err, test.wantErr)
				}
				return
			}
			if err != nil || got.String() != test.text {
				t.Errorf("got %q, %v; want the text again", got, err)
			}
		})
	}
}

// Every line of the list has its form, and names code that is there.
func TestSurvivorsFile(t *testing.T) {
	t.Chdir("../..")
	known, err := readReasons(survivorsFile)
	if err != nil {
		t.Fatal(err)
	}
	mutants, err := allMutants(defaultPackages)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range known.unknown(mutants) {
		t.Errorf("survivors.txt lists %q, which is no mutant of the present code: remove or correct the line", name)
	}
}

func TestTooManySurvivors(t *testing.T) {
	verdicts := []verdict{{mutant: mutant{file: "a/a.go"}, outcome: survived}}
	for range 18 {
		verdicts = append(verdicts, verdict{mutant: mutant{file: "a/a.go"}, outcome: killed})
	}
	if err := newReport(verdicts).err(95); err == nil {
		t.Error("1 of 19 survived: got no error")
	}
	verdicts = append(verdicts, verdict{mutant: mutant{file: "b/b.go"}, outcome: hung})
	if err := newReport(verdicts).err(95); err != nil {
		t.Errorf("1 of 20 survived: got %v; want no error", err)
	}
}

// TestReach runs only the tests that reach a mutant, and keeps what they reach.
func TestReach(t *testing.T) {
	sampleModule(t)
	const notReached = "\nfunc (d *disk) idle() { d.synced = 0 }\n"
	if err := os.WriteFile("a/a.go", []byte(sample+notReached), 0o600); err != nil {
		t.Fatal(err)
	}
	mutants, err := findMutants("a/a.go")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	broken := mutant{file: "a/a.go", function: "disk.write", operator: "break", was: "the build", text: "!",
		start: strings.Index(sample, "n < 0"), end: strings.Index(sample, "n < 0")}
	broken.needs = mutants[1].needs
	brokenIdle := broken
	brokenIdle.function, brokenIdle.needs = "disk.idle", mutants[len(mutants)-1].needs
	brokenIdle.start = len(sample) + strings.Index(notReached, "d.synced")
	brokenIdle.end = brokenIdle.start
	mutants = append(mutants, broken, brokenIdle)
	r := &runner{scratch: t.TempDir(), reach: newReach(dir, t.TempDir(), mutants)}
	want := map[string]string{
		"a/a.go disk.write: leave out: d.writes += 1": "killed [TestWrite]",
		"a/a.go disk.sync: leave out: d.synced++":     "SURVIVED []",
		"a/a.go disk.idle: leave out: d.synced = 0":   "SURVIVED []",
		"a/a.go disk.write: break: the build":         "does not compile []",
		"a/a.go disk.idle: break: the build":          "does not compile []",
	}
	got := map[string]string{}
	for i := range mutants {
		if name := mutants[i].name(); want[name] != "" {
			outcome, by, err := r.run(context.Background(), &mutants[i], nil)
			if err != nil {
				t.Fatal(err)
			}
			got[name] = outcome.String() + " [" + by + "]"
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(dir, "a", "TestWrite.json")); err != nil {
		t.Error(err)
	}
}

// TestNeedsOfAStatement finds a mutant in a statement after a function literal. Go counts only the
// lines before the literal and those within it as run.
func TestNeedsOfAStatement(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.go")
	const source = `package a

func f(a, b int, has func(func(n int) bool) bool) bool {
	a++
	return has(func(n int) bool {
		n++
		return n > a
	}) ||
		a >= b
}
`
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	mutants, err := findMutants(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]lines{"a++": {4, 4}, "n++": {6, 6}, "n > a": {7, 7}, "a >= b": {5, 9}}
	for i := range mutants {
		m := &mutants[i]
		if needs, ok := want[m.was]; ok && m.needs != needs {
			t.Errorf("%s needs the lines %v; want %v", m.name(), m.needs, needs)
		}
	}
	if len(mutants) < 6 {
		t.Errorf("there are %d mutants; want more", len(mutants))
	}
}

// TestTogether builds mutants of functions of every form. Those that a copy can stand for are built
// together, and each runs its own code. The others are built alone.
func TestTogether(t *testing.T) {
	sampleModule(t)
	const (
		forms = `package sample

type list[T any] struct{ all []T }

func (l *list[T]) add(more ...T) { l.all = append(l.all, more...) }

func both[A, B any](a A, b B, more ...int) (int, bool) { return len(more), true }

func length[T any](l *list[T], _ int) (n int) { n = len(l.all); return n }

func (list[T]) unnamed() bool { return true }

func init() { started = true }

var started bool
`
		formsTest = `package sample

import "testing"

func TestAdd(t *testing.T) { l := list[int]{}; if l.add(1, 2); len(l.all) != 2 { t.Error(l) } }

func TestBoth(t *testing.T) { if n, ok := both(1, "", 3, 4); n != 2 || !ok { t.Error(n, ok) } }
`
	)
	for path, text := range map[string]string{"a/a.go": forms, "a/a_test.go": formsTest} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mutants, err := findMutants("a/a.go")
	if err != nil {
		t.Fatal(err)
	}
	r := newReach(t.TempDir(), t.TempDir(), mutants)
	got, all := map[string]string{}, []reachingTest{{Name: "TestAdd"}, {Name: "TestBoth"}}
	for i := range mutants {
		binary, number, known, err := r.build(context.Background(), "./a", &mutants[i])
		if err != nil {
			t.Fatal(err)
		}
		if !known {
			got[mutants[i].function] = "alone"
			continue
		}
		outcome, by, err := runPart(context.Background(), binary, number, "./a", all)
		if err != nil {
			t.Fatal(err)
		}
		got[mutants[i].function] = outcome.String() + " " + by
	}
	want := map[string]string{
		"list.add": "killed TestAdd", "both": "killed TestBoth", "length": "alone", "list.unnamed": "alone",
		"init": "alone",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
