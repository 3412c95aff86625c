// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/index"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestGrowthIsBounded checks that no commit uses more of the file than checkGrowth allowed for. A
// commit that does could wait for snapshots for good where the mapping is small.
func TestGrowthIsBounded(t *testing.T) {
	everything, err := index.CompileGlob("*")
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 0))
		tree, err := openAt(t, filepath.Join(testenv.TempDir(t), "tree"), options())
		if err != nil {
			t.Fatal(err)
		}
		maxValue := 10 << random.IntN(12)
		for sequence := uint64(0); sequence < 600; {
			h := randomRun(random, &sequence, maxValue)
			err := h.post(tree, sequence)
			if random.IntN(3) == 0 && err == nil {
				_, err = tree.Prune(ctx, everything, randomRule(random, sequence), pruning(func([]Deletion) {}))
			}
			used, usedErr := tree.usedBytes()
			if err := errors.Join(err, usedErr); err != nil {
				t.Fatal(err)
			}
			if used > tree.maxUsed {
				t.Fatalf("seed %d, after value %d: %d bytes are used; allowed for %d",
					seed, sequence, used, tree.maxUsed)
			}
		}
		if err := tree.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// randomRun returns values of some records, of texts that hardly compress or that compress well.
func randomRun(random *rand.Rand, sequence *uint64, maxValue int) history {
	h := make(history)
	for range 1 + random.IntN(40) {
		value := make([]byte, 1+random.IntN(maxValue))
		digits := 1 + random.IntN(9)
		for i := range value {
			value[i] = byte('1' + random.IntN(digits))
		}
		*sequence++
		name := fmt.Sprintf("r.%d", random.IntN(1+maxValue/20))
		h[name] = append(h[name], codec.Entry{Timestamp: *sequence, Sequence: *sequence, Value: value})
	}
	return h
}

// randomRule returns a rule that deletes values at one of the two ends.
func randomRule(random *rand.Rand, newest uint64) Rule {
	if random.IntN(2) == 0 {
		return Rule{NewerThan: newest - random.Uint64N(20)}
	}
	return Rule{OlderThan: random.Uint64N(newest)}
}

// TestHeldUpPrune prunes beside a snapshot when the mapping has no room for any commit. The Prune
// must fail with ErrHeldUp and change nothing, and succeed after the snapshot is closed.
func TestHeldUpPrune(t *testing.T) {
	opts := options()
	opts.SmallMapping = true
	tree, err := openAt(t, filepath.Join(testenv.TempDir(t), "tree"), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	random := rand.New(rand.NewPCG(1, 0))
	sequence := uint64(0)
	for used := int64(0); used+minGrowth < tree.mapping; {
		if err := randomRun(random, &sequence, 500).post(tree, sequence); err != nil {
			t.Fatal(err)
		}
		if used, err = tree.usedBytes(); err != nil {
			t.Fatal(err)
		}
	}
	snapshot, err := tree.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	everything, err := index.CompileGlob("*")
	if err != nil {
		t.Fatal(err)
	}
	prune := func() (uint64, error) {
		return tree.Prune(ctx, everything, Rule{OlderThan: 2}, pruning(func([]Deletion) {}))
	}
	if n, err := prune(); n != 0 || !errors.Is(err, ErrHeldUp) {
		t.Errorf("Prune beside a snapshot: %d, %v; want 0, ErrHeldUp", n, err)
	}
	snapshot.Close()
	if n, err := prune(); n != 1 || err != nil {
		t.Errorf("Prune after it: %d, %v; want 1, nil", n, err)
	}
}

// TestCutoffHoldsUp wants an open Cutoff to count as a snapshot: a commit that outgrew the mapping
// would wait for it, and all readers for that commit.
func TestCutoffHoldsUp(t *testing.T) {
	tree, err := openAt(t, filepath.Join(testenv.TempDir(t), "tree"), options())
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	everything, err := index.CompileGlob("*")
	if err != nil {
		t.Fatal(err)
	}
	cutting, err := tree.BeginCutoff(ctx, everything, ByTime, nil, func(func(codec.Entry) bool) {})
	if err != nil {
		t.Fatal(err)
	}
	if tree.snapshotGate.shutOut(0) {
		t.Error("a commit may begin that outgrows the mapping")
		tree.snapshotGate.reopen()
	}
	cutting.Close()
	if !tree.snapshotGate.shutOut(0) {
		t.Fatal("a Cutoff that was closed holds up a commit")
	}
	tree.snapshotGate.reopen()
}

// TestSnapshotGate keeps new snapshots out until the open ones have ended, and no longer. A commit
// goes on with the end of the last one, or gives up when its patience ends.
func TestSnapshotGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g snapshotGate
		start := time.Now()
		g.enter()
		g.enter()
		time.AfterFunc(time.Second, g.leave)
		time.AfterFunc(2*time.Second, g.leave)
		if shut, took := g.shutOut(time.Hour), time.Since(start); !shut || took != 2*time.Second {
			t.Errorf("shut out: %v after %v; want it with the end of the last snapshot", shut, took)
		}
		entered := make(chan time.Duration, 1)
		go func() {
			g.enter()
			entered <- time.Since(start)
		}()
		time.Sleep(time.Second)
		g.reopen()
		if at := <-entered; at != 3*time.Second || !g.anyOpen() {
			t.Errorf("a snapshot began after %v; want it when the gate is open again", at)
		}
		if g.shutOut(time.Second) {
			t.Error("shut out although a snapshot is open")
		}
		g.enter() // which must not wait
		g.leave()
		g.leave()
		if took := time.Since(start); took != 4*time.Second || g.anyOpen() {
			t.Errorf("it all took %v; want the time of the patience alone", took)
		}
	})
}
