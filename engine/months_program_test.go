// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// monthsOp is an operation of a months program. Its text is the verb and its numbers.
type monthsOp struct {
	verb string
	args []int64
}

// The verbs. Times are in milliseconds of a clock that only "pass" moves.
const (
	monthsStore      = "store"      // record, bytes, percent of noise, offset of the timestamp
	monthsBatch      = "batch"      // first record, number of values, bytes, percent of noise
	monthsPass       = "pass"       // time that passes; below 0: the clock falls back
	monthsCleanup    = "cleanup"    // age
	monthsKeep       = "keep"       // number of values that each record keeps
	monthsCheckpoint = "checkpoint" //
	monthsCompact    = "compact"    //
	monthsScan       = "scan"       // number of values that are read before the scan is left open
	monthsEndScan    = "endscan"    //
	monthsClose      = "close"      // the options of the next Open, see monthsOptions
	monthsKill       = "kill"       // the same
)

func (o monthsOp) String() string {
	return o.verb + " " + strings.Trim(fmt.Sprint(o.args), "[]")
}

// parseMonths is the inverse of String, for a line per operation.
func parseMonths(text string) (program []monthsOp, err error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		op := monthsOp{verb: fields[0]}
		for _, field := range fields[1:] {
			var arg int64
			if _, err := fmt.Sscan(field, &arg); err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			op.args = append(op.args, arg)
		}
		program = append(program, op)
	}
	return program, nil
}

// monthsOptions returns the options that the numbers of "close" and "kill" say.
func monthsOptions(args []int64) *Options {
	opts := &Options{
		MaxSize: args[0], WhenFull: WhenFull(args[1]), Durability: Durability(args[2]), Logger: discard,
		Tuning: Tuning{
			HeadSize: args[3], TransactionSize: args[4], ChunkValues: int(args[5]), ChunkBytes: int(args[6]),
		},
	}
	if opts.WhenFull == WhenFullDropOldest {
		opts.DropKeepNewest = int(args[7])
	}
	return opts
}

// monthsGenerator draws programs. Between two reopens the values are of one kind.
type monthsGenerator struct {
	*rand.Rand
	maxSize          int64
	records          int64
	maxBytes, noise  int64
	step, batchEvery int64 // ms between two stores; a batch now and then
}

// generateMonths returns the program of a seed. Its first operation opens the directory.
func generateMonths(seed uint64, length int) []monthsOp {
	g := &monthsGenerator{Rand: rand.New(rand.NewPCG(seed, 14))}
	program := []monthsOp{{monthsClose, g.options()}}
	for len(program) < length {
		program = append(program, g.next()...)
	}
	return program
}

// options draws options, and the kind of the values that are stored under them.
func (g *monthsGenerator) options() []int64 {
	g.records = 1 + g.Int64N(1<<g.IntN(12))
	g.step = 1 + g.Int64N(3_600_000)
	g.batchEvery = 2 + g.Int64N(100)
	g.noise = []int64{0, 10, 50, 100, 100}[g.IntN(5)]
	if g.maxSize == 0 || g.IntN(4) == 0 {
		g.maxSize = MinMaxSize + g.Int64N(2)*g.Int64N(MinMaxSize)
	}
	largest := g.maxSize/maxValuePart + 1
	g.maxBytes = []int64{4, 100, 2000, 18_000, largest}[g.IntN(5)]
	when := int64(WhenFullDropOldest)
	if g.IntN(6) == 0 {
		when = int64(WhenFullRefuse)
	}
	head := min(int64(MinHeadSize)<<g.IntN(9), g.maxSize/headPartOfMaxSize)
	transaction := min(int64(MinTransactionSize)<<g.IntN(7), g.maxSize/transactionPartOfMaxSize)
	keep := []int64{-1, 0, 1, 5}[g.IntN(4)]
	return []int64{
		g.maxSize, when, g.Int64N(3), head, transaction, 1 + g.Int64N(1<<g.IntN(11)), 1 + g.Int64N(1<<g.IntN(17)), keep,
	}
}

// next draws an operation, and the time that passes before it.
func (g *monthsGenerator) next() []monthsOp {
	switch n := g.IntN(1000); {
	case n < 4:
		verb := []string{monthsClose, monthsKill}[g.IntN(2)]
		return []monthsOp{{verb, g.options()}}
	case n < 7:
		return []monthsOp{{monthsCleanup, []int64{g.Int64N(g.step * 1000)}}}
	case n < 8:
		return []monthsOp{{monthsKeep, []int64{1 + g.Int64N(100)}}}
	case n < 11:
		return []monthsOp{{monthsCheckpoint, nil}}
	case n < 12:
		return []monthsOp{{monthsCompact, nil}}
	case n < 15:
		return []monthsOp{{monthsScan, []int64{g.Int64N(100)}}}
	case n < 20:
		return []monthsOp{{monthsEndScan, nil}}
	case n < 22:
		return []monthsOp{{monthsPass, []int64{-g.Int64N(g.step * 100)}}}
	}
	pass := monthsOp{monthsPass, []int64{g.Int64N(g.step)}}
	if g.Int64N(g.batchEvery) == 0 {
		return []monthsOp{pass, g.batch()}
	}
	return []monthsOp{pass, {monthsStore, []int64{g.Int64N(g.records), g.bytes(), g.noise, g.Int64N(1000) - 500}}}
}

func (g *monthsGenerator) bytes() int64 { return 1 + g.Int64N(g.maxBytes-1) }

// batch draws a batch that has room in a sixteenth of MaxSize.
func (g *monthsGenerator) batch() monthsOp {
	size := g.bytes()
	if g.IntN(3) > 0 {
		size = 1 + g.Int64N(min(100, size))
	}
	most := g.maxSize / maxBatchPart / (size + 16 + batchBytesPerValue)
	return monthsOp{monthsBatch, []int64{g.Int64N(g.records), 1 + g.Int64N(most), size, g.noise}}
}
