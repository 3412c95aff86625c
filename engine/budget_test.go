// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"testing"

	"pgregory.net/rapid"
)

const mib, gib = 1 << 20, 1 << 30

// TestBudget has sizes that were met, and what they leave below a MaxSize of 8 MiB: a quarter for
// the log, 1 MiB for the reserve, and 5 MiB for the tree.
func TestBudget(t *testing.T) {
	budget := budget{maxSize: 8 * mib, transaction: mib / 8}
	for _, test := range []struct {
		name, reason string
		now          sizes
		demand       demand
		maxTreeFile  int64
		left         int64
		reserve      bool
	}{{
		name: "new", reason: "the log has a quarter of MaxSize, and may begin two segments",
		now:         sizes{reserve: mib, log: mib / 2},
		maxTreeFile: 5 * mib, left: mib, reserve: true,
	}, {
		name: "spare segments", reason: "the log does not make others",
		now:         sizes{reserve: mib, log: mib / 2, spare: 3},
		maxTreeFile: 5 * mib, left: mib + mib/2, reserve: true,
	}, {
		name: "half full", reason: "the tree has an eighth of MaxSize beside its values",
		now:         sizes{file: 4 * mib, free: mib / 2, reserve: mib, log: mib / 2},
		maxTreeFile: 5 * mib, left: mib / 2, reserve: true,
	}, {
		name: "no reserve", reason: "the tree's part does not depend on whether the reserve could be taken",
		now:         sizes{log: mib / 2},
		maxTreeFile: 6 * mib, left: mib, reserve: true,
	}, {
		name: "grown into the reserve", reason: "free pages are as good as those of a smaller file",
		now:         sizes{file: 6 * mib, free: 5 * mib, log: mib / 2},
		maxTreeFile: 6 * mib, left: mib, reserve: false, // 8 MiB - 6 - 1/2 - two segments of 1/4
	}, {
		name: "the log has its part", reason: "nothing fits until it is released",
		now:         sizes{file: 6 * mib, free: 5 * mib, log: 2 * mib},
		maxTreeFile: 6 * mib, left: -mib / 2, reserve: false,
	}, {
		name: "full", reason: "deletions must make room",
		now:         sizes{file: 5 * mib, free: mib / 2, reserve: mib, log: mib / 2},
		maxTreeFile: 5 * mib, left: -mib / 2, reserve: true,
	}, {
		name: "pinned", reason: "snapshots may take up half of the room beside the values",
		now:         sizes{file: 5 * mib, free: mib / 2, pinned: 2 * mib, reserve: mib, log: mib / 2},
		maxTreeFile: 5 * mib, left: 0, reserve: true,
	}, {
		name: "a batch", reason: "values count twice in the tree, as they do with a reserve that is not there",
		now:         sizes{file: 3 * mib, reserve: mib, log: mib / 4},
		demand:      demand{values: 1, valueBytes: mib/2 - 128, logBytes: mib / 2},
		maxTreeFile: 5 * mib, left: 0, reserve: true,
	}, {
		name: "a batch in the log", reason: "it takes a segment of its own",
		now:         sizes{reserve: mib, log: mib / 4},
		demand:      demand{values: 1, valueBytes: mib/2 - 128, logBytes: mib / 2},
		maxTreeFile: 5 * mib, left: 3*mib/4 - segmentOverhead, reserve: true,
	}, {
		name: "larger before", reason: "deletions may use the file and the reserve, but only a compaction makes room",
		now:         sizes{file: 9 * mib, free: 8 * mib},
		maxTreeFile: 10 * mib, left: -mib - mib/2, reserve: false,
	}} {
		t.Run(test.name, func(t *testing.T) {
			if got := budget.maxTreeFile(test.now); got != test.maxTreeFile {
				t.Errorf("maxTreeFile is %d; want %d: %s", got, test.maxTreeFile, test.reason)
			}
			if got := budget.left(test.now, test.demand); got != test.left {
				t.Errorf("left is %d; want %d: %s", got, test.left, test.reason)
			}
			if got := budget.allowsReserve(test.now); got != test.reserve {
				t.Errorf("allowsReserve is %v; want %v: %s", got, test.reserve, test.reason)
			}
		})
	}
}

// TestBudgetOfEmptyTree draws options and what a Store and a StoreBatch accept under them. All of
// that must fit when the values before it have been dropped: however long the file is that they
// left, whether the reserve is there, and with the longest log that a checkpoint leaves.
func TestBudgetOfEmptyTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		maxSize := rapid.Int64Range(MinMaxSize, 64<<30).Draw(t, "MaxSize")
		opts, err := (&Options{MaxSize: maxSize, Tuning: Tuning{
			TransactionSize: min(rapid.Int64Range(MinTransactionSize, max(maxSize/64, MinTransactionSize)).Draw(t,
				"TransactionSize"), MaxTransactionSize),
		}}).withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		budget := opts.budget()
		budget.fillsMapping = rapid.Bool().Draw(t, "the file fills its mapping")
		maxBytes := min(budget.maxBatch(), MaxBatchBytes)
		maxValues := min(maxBytes/(batchBytesPerValue+2), MaxBatchValues)
		values := rapid.Int64Range(1, maxValues).Draw(t, "values")
		rest := maxBytes - values*(batchBytesPerValue+2)
		names := values + rapid.Int64Range(0, rest).Draw(t, "bytes of names")
		d := demand{values: values, nameBytes: names, valueBytes: values + rest - (names - values)}
		d.logBytes = d.nameBytes + d.valueBytes + 26*values + 64 // three varints; the frame's header

		_, segment := segmentSizes(maxSize)
		now := sizes{
			file: rapid.Int64Range(0, budget.treePart()+reserveSize).Draw(t, "file"),
			log:  max(d.logBytes+128, segment) + segment, // the active segment, and the next one
		}
		now.free = max(now.file-maxSize/128, 0) // an empty tree takes some pages
		if budget.allowsReserve(now) && rapid.Bool().Draw(t, "reserve") {
			now.reserve = reserveSize
		}
		if left := budget.left(now, d); left < 0 {
			t.Fatalf("%+v: %d bytes too many for %+v", now, -left, d)
		}
		if bound := budget.maxTreeFile(now); bound+now.reserve+maxSize/logPart > maxSize {
			t.Fatalf("%+v: the tree may have %d bytes", now, bound)
		}
	})
}

// TestBudgetOfMapping divides MaxSize where the tree's file has the size of its mapping: a power of
// two, or gibibytes. A part that the file cannot fill would be room for values that does not exist.
func TestBudgetOfMapping(t *testing.T) {
	for _, test := range []struct {
		name, reason string
		maxSize      int64
		want         int64
	}{
		{"none", "there is no maximum", 0, 0},
		{"the smallest", "5 MiB remain beside the log and the reserve", 8 * mib, 4 * mib},
		{"medium", "47 MiB remain", 64 * mib, 32 * mib},
		{"large", "3 GiB less the reserve remain", 4 * gib, 2 * gib},
		{"huge", "75 GiB less the reserve remain", 100 * gib, 74 * gib},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := (budget{maxSize: test.maxSize, fillsMapping: true}).treePart(); got != test.want {
				t.Errorf("the tree's part is %d; want %d: %s", got, test.want, test.reason)
			}
		})
	}
}

// TestBudgetOfCopy asks what is left when a copy has taken its rest and the heads' values. Where
// the file has the size of its mapping, a copy that outgrows its own takes up the next one.
func TestBudgetOfCopy(t *testing.T) {
	// The tree's file has free pages for the values, and for the room ahead of them.
	now := sizes{file: 8 * mib, free: 8 * mib, spare: 2, log: mib, reserve: reserveSize}
	const beside = 8*mib + mib + reserveSize // the tree's file, the log and the reserve
	for _, test := range []struct {
		name         string
		copy, rest   int64
		values       int64 // of JSON in the heads
		fillsMapping bool
		want         int64
	}{
		{"none", 0, 0, mib, false, 32*mib - beside},
		{"begins", 0, 3 * mib / 2, mib, false, 32*mib - beside - 3*mib/2},
		{"begins, mapped", 0, 3 * mib / 2, mib, true, 32*mib - beside - 2*mib},
		{"takes the heads' values too", mib, mib, mib, false, 32*mib - beside - 4*mib - 2*MinTransactionSize},
		{"the same, mapped", mib, mib, mib, true, 32*mib - beside - 8*mib},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := budget{maxSize: 32 * mib, transaction: MinTransactionSize, fillsMapping: test.fillsMapping}
			now := now
			now.copy = test.copy
			if got := b.leftForCopy(now, demand{valueBytes: test.values}, test.rest); got != test.want {
				t.Errorf("%d bytes are left; want %d", got, test.want)
			}
		})
	}
}

// TestBudgetOfFullTree draws sizes, and values that fit. When the log has taken them, and the
// tree's file has grown as far as it may, as it does where no free pages lie together, the
// directory must not have passed MaxSize.
func TestBudgetOfFullTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		maxSize := rapid.Int64Range(MinMaxSize, gib).Draw(t, "MaxSize")
		budget := budget{maxSize: maxSize, transaction: MinTransactionSize,
			fillsMapping: rapid.Bool().Draw(t, "the file fills its mapping")}
		now := sizes{
			file:  rapid.Int64Range(0, budget.treePart()+reserveSize).Draw(t, "file"),
			log:   rapid.Int64Range(0, maxSize/2).Draw(t, "log"),
			spare: rapid.Int64Range(0, 4).Draw(t, "spare segments"),
		}
		now.free = rapid.Int64Range(0, now.file).Draw(t, "free")
		if budget.allowsReserve(now) && rapid.Bool().Draw(t, "reserve") {
			now.reserve = reserveSize
		}
		d := demand{values: 1, valueBytes: 1, nameBytes: 1, logBytes: rapid.Int64Range(1, maxSize/16).Draw(t, "frame")}
		_, segment := segmentSizes(maxSize)
		grown := now.log + d.logBytes + max(0, 2-now.spare)*segment
		if all := budget.maxTreeFile(now) + now.reserve + grown; budget.left(now, d) >= 0 && all > maxSize {
			t.Fatalf("%+v leaves %d for %+v; then the files may have %d bytes, %d too many", now, budget.left(now, d),
				d,
				all, all-maxSize)
		}
	})
}
