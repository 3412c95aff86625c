// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/proof/testenv"
)

// everyRead makes TestVerbsMeetFailedReads fail each read.
var everyRead = flag.Bool("reads.every", false, "TestVerbsMeetFailedReads fails each read, for some 15 minutes")

// longStride is the distance of the reads that fail with -long, beside those of the short form.
const longStride = 16

// TestVerbsMeetFailedReads lets the nth read of a page fail while a verb runs, for every n with
// -reads.every, and otherwise for the first and the last read on each way of the code to one. A
// page may fail at any moment, though it was read a moment before. The verb must say so, or do what
// it would do without the fault. When the fault has ended, the tree must be undamaged, or refuse to
// be written to.
func TestVerbsMeetFailedReads(t *testing.T) {
	chosen, later := choiceOfReads{}, valuesOf(laterText(laterVerbHistory()))
	tree := mustRead(t, makeVerbTree(t))
	for _, v := range slices.Concat(verbs(t), verbsOfFiles(), verbsInParts(t)) {
		p := failedReadProof{verb: v, file: tree, later: later}
		t.Run(v.name, func(t *testing.T) { p.runAll(t, chosen) })
	}
	tree, later = mustRead(t, makeNoiseTree(t)), valuesOf(laterText(laterNoiseHistory()))
	for _, v := range slices.Concat(verbsOnNoise(t), verbs(t), verbsOfFiles()) {
		v.want = ""
		p := failedReadProof{verb: v, file: tree, later: later}
		t.Run("noise: "+v.name, func(t *testing.T) { p.runAll(t, chosen) })
	}
}

func laterText(h history, _ uint64) string { return textOf(h) }

// failRead fails the n-th read of a page from now on, where 0 is the next one. lift ends that, and
// reports whether all reads succeeded because there were no more than n.
func failRead(n int) (lift func() (all bool)) {
	seen := 0
	end := pages.FailReads(func(uint64) string {
		if seen++; seen == n+1 {
			return aFault
		}
		return ""
	})
	return func() bool { end(); return seen <= n }
}

// TestOpenMeetsFailedReads lets each read of a page fail while a tree is opened. Open must say so,
// or the tree have the identity that it had before.
func TestOpenMeetsFailedReads(t *testing.T) {
	path, reading := makeVerbTree(t), options()
	reading.ReadOnly = true
	tree := mustOpen(t, path)
	want, err := tree.Identity()
	if err := errors.Join(err, tree.Close()); err != nil {
		t.Fatal(err)
	}
	for _, opts := range []Options{options(), reading} {
		for n, all := 0, false; !all; n++ {
			lift := failRead(n)
			tree, err := openAt(t, path, opts)
			all = lift()
			var found, next identity.Identity
			if err == nil {
				found, err = tree.Identity()
				next = tree.NextIdentity()
				_ = tree.Close()
			}
			if err == nil && !(found.Equal(want) && next.Equal(want)) || err != nil && (all || !namesFault(err)) {
				t.Errorf("%+v: read %d failed: got %v, and the identity %v; want %v", opts, n, err, found, want)
			}
		}
	}
}

// choiceOfReads chooses the reads that are to fail. It has the ways to those that were chosen.
type choiceOfReads map[way]bool

// way is a stack of the innermost calls. It has one call for each level of a walk through pages.
type way [12]uintptr

// minReads is the number of reads of each verb that are to fail at least, if it has as many.
const minReads = 4

// during calls fn, and returns the numbers of the reads that are to fail: the first and the last
// one on each new way, and some others.
func (c choiceOfReads) during(fn func()) (numbers []int) {
	count := 0
	first, last := make(map[way]int), make(map[way]int)
	lift := pages.FailReads(func(uint64) string {
		var to way
		runtime.Callers(3, to[:])
		if _, ok := first[to]; !ok {
			first[to] = count
		}
		last[to] = count
		count++
		return ""
	})
	fn()
	lift()
	isChosen := make([]bool, count)
	for to := range first {
		if !c[to] {
			isChosen[first[to]], isChosen[last[to]] = true, true
		}
		c[to] = true
	}
	stride := count/minReads + 1
	if testenv.Long() {
		stride = min(stride, longStride)
	}
	for n := range count {
		if isChosen[n] || n%stride == 0 || *everyRead {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// failedReadProof runs one verb with reads that fail.
type failedReadProof struct {
	verb
	file        []byte          // the tree to begin with
	later       map[string]bool // values that the verb may post
	before      string          // what the tree has
	text, after string          // what the verb returns, and what it makes of the tree
}

// runAll runs the verb with each of the reads that are to fail.
func (p *failedReadProof) runAll(t *testing.T, choice choiceOfReads) {
	for _, n := range p.runWithout(t, choice) {
		t.Run(fmt.Sprintf("read %d", n), func(t *testing.T) { p.run(t, n, false) })
		if testenv.Long() && n%longStride == 0 {
			t.Run(fmt.Sprintf("reads from %d on", n), func(t *testing.T) { p.run(t, n, true) })
		}
	}
}

// runWithout runs the verb without a fault, and returns the numbers of the reads that are to fail.
func (p *failedReadProof) runWithout(t *testing.T, choice choiceOfReads) (chosen []int) {
	t.Helper()
	tree := p.open(t)
	before, err := readAll(ctx, tree)
	if err != nil {
		t.Fatal(err)
	}
	p.before = before
	chosen = choice.during(func() { p.text, err = p.verb.run(ctx, tree) })
	if err == nil {
		p.after, err = readAll(ctx, tree)
	}
	if err := errors.Join(err, tree.Close()); err != nil || p.want != "" && p.text != p.want {
		t.Fatalf("got %.200q, %v; want %.200q", p.text, err, p.want)
	}
	return chosen
}

func (p *failedReadProof) open(t *testing.T) *Tree {
	t.Helper()
	path := filepath.Join(testenv.TempDir(t), "tree")
	if err := os.WriteFile(path, p.file, 0o600); err != nil {
		t.Fatal(err)
	}
	return mustOpen(t, path)
}

// run runs the verb with a read that fails: the nth one, or all from that one on.
func (p *failedReadProof) run(t *testing.T, n int, lasting bool) {
	t.Helper()
	tree, seen := p.open(t), 0
	lift := pages.FailReads(func(uint64) string {
		seen++
		if seen == n+1 || lasting && seen > n {
			return aFault
		}
		return ""
	})
	got, err := p.verb.run(ctx, tree)
	lift()
	switch {
	case err == nil && got != p.text && !p.passesOver:
		t.Errorf("got another result, and no error")
	case err != nil && !(isDamage(err) && namesFault(err)):
		t.Errorf("got %v; want ErrCorrupt that names the fault", err)
	}
	if tree.Failure() != nil {
		p.checkRefusal(t, tree)
	} else {
		p.checkRepetition(t, tree, err)
	}
	_ = tree.Close()
	p.checkReopened(t, tree.mapped.path)
}

// aFault is the problem with a page whose read fails.
const aFault = "a read that fails"

// namesFault reports whether an error names a page whose read failed.
func namesFault(err error) bool {
	return strings.Contains(err.Error(), aFault) || strings.Contains(err.Error(), "the meta page ")
}

// checkRefusal checks a tree that has failed.
func (p *failedReadProof) checkRefusal(t *testing.T, tree *Tree) {
	t.Helper()
	if !p.writes {
		t.Errorf("the tree has failed")
	}
	if err := tree.PutNotes(Notes{"a": []byte("note")}); !errors.Is(err, daybook.ErrFailed) {
		t.Errorf("the tree has failed; the next write returned %v", err)
	}
	if text, err := readAll(ctx, tree); err == nil && !p.isBetween(text) {
		t.Errorf("the failed tree has other values")
	}
}

// checkRepetition repeats a verb that returned an error, without the fault.
func (p *failedReadProof) checkRepetition(t *testing.T, tree *Tree, err error) {
	t.Helper()
	if err != nil {
		got, err := p.verb.run(ctx, tree)
		if err != nil || !p.writes && got != p.text {
			t.Errorf("without the fault then got %v, and the result is as wanted: %t", err, got == p.text)
		}
	}
	if !p.writes {
		return
	}
	text, err := readAll(ctx, tree)
	if err := errors.Join(err, tree.Check(ctx)); err != nil || text != p.after {
		t.Errorf("afterwards %v; the values are as wanted: %t", err, text == p.after)
	}
}

// checkReopened opens the tree's file again.
func (p *failedReadProof) checkReopened(t *testing.T, path string) {
	t.Helper()
	if !p.writes {
		return
	}
	tree, err := openAt(t, path, options())
	if err != nil {
		t.Errorf("Open: %v", err)
		return
	}
	defer tree.Close()
	text, err := readAll(ctx, tree)
	if err := errors.Join(err, tree.Check(ctx)); err != nil || !p.isBetween(text) {
		t.Errorf("after Open: %v; the values are as wanted: %t", err, p.isBetween(text))
	}
}

// isBetween reports whether a tree with these values is as it was before the verb, as the verb
// makes it, or as one of the verb's transactions leaves it.
func (p *failedReadProof) isBetween(text string) bool {
	if text == p.before || text == p.after {
		return true
	}
	has, had, shouldHave := valuesOf(text), valuesOf(p.before), valuesOf(p.after)
	for value := range has {
		if !had[value] && !p.later[value] {
			return false
		}
	}
	for value := range had {
		if shouldHave[value] && !has[value] {
			return false
		}
	}
	return p.inParts
}

// valuesOf returns the lines of a text of readEverything that are values.
func valuesOf(text string) map[string]bool {
	values := make(map[string]bool)
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, " values\n") {
			values[line] = true
		}
	}
	return values
}
