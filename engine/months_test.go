// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook/proof/testenv"
)

var (
	monthsSeed    = flag.Uint64("months.seed", 0, "the first seed of TestMonths; 0: another one each time")
	monthsCount   = flag.Int("months.programs", 0, "number of programs of TestMonths; 0: 1, or 15 with -long")
	monthsProgram = flag.String("months.program", "", "a file with the operations that TestMonths runs, one a line")
)

// monthsSeeds are programs that found a fault.
var monthsSeeds = []struct {
	seed   uint64
	length int
	reason string
}{
	{1796004163610264202, 540, "large values take more pages in the copy of a compaction than before"},
}

// TestMonths runs random programs below a small MaxSize for simulated months: stores of values of 1
// byte to the maximum, prunes, scans that are left open, and reopens and kills with other options
// each time. DropOldest never refuses a value, and drops only what was stored first. The directory
// never exceeds MaxSize, Close succeeds, and Check finds nothing. A program that fails is shortened
// and printed, one operation a line:
//
//	go test ./engine -run '^TestMonths$' -months.seed=17
//	go test ./engine -run '^TestMonths$' -months.program=FILE
func TestMonths(t *testing.T) {
	if *monthsProgram != "" {
		text, err := os.ReadFile(*monthsProgram)
		if err != nil {
			t.Fatal(err)
		}
		program, err := parseMonths(string(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := runMonths(t, program); err != nil {
			t.Error(err)
		}
		return
	}
	for _, seed := range monthsSeeds {
		if _, err := runMonths(t, generateMonths(seed.seed, seed.length)); err != nil {
			t.Errorf("seed %d, %s: %v", seed.seed, seed.reason, err)
		}
	}
	programs, length := 1, 1200
	if testenv.Long() {
		programs, length = 15, 4000
	}
	if *monthsCount > 0 {
		programs = *monthsCount
	}
	seed := *monthsSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	for i := range uint64(programs) {
		program := generateMonths(seed+i, length)
		failed, err := runMonths(t, program)
		if err == nil {
			continue
		}
		program = program[:min(failed+1, len(program))]
		t.Fatalf("seed %d: %v\n%s", seed+i, err, textOf(shortenMonths(t, program, err)))
	}
}

func runMonths(t *testing.T, program []monthsOp) (failed int, err error) {
	r := &monthsRun{t: t, parent: testenv.DirInMemory(t)}
	defer func() {
		if r.db != nil {
			r.closeScan()
			_ = r.db.Close()
		}
		_ = os.RemoveAll(r.parent)
	}()
	failed, err = r.run(program)
	t.Logf("%d reopens, %d stores of %d values, %d refused; %d values dropped; %d simulated days",
		r.reopens, r.stores, r.sequence, r.refused, r.drops, (r.now-1<<40)/86_400_000)
	return failed, err
}

// shortenMonths leaves out operations as long as the program fails without them, and with an error
// of the same kind, for a minute. Without a reopen, others can be wrong: its batches are too large.
func shortenMonths(t *testing.T, program []monthsOp, failure error) []monthsOp {
	end := time.Now().Add(time.Minute)
	for size := len(program) / 2; size > 0; size /= 2 {
		for at := 1; at < len(program)-1 && time.Now().Before(end); {
			without := append(append([]monthsOp(nil), program[:at]...), program[min(at+size, len(program)-1):]...)
			if failed, err := runMonths(t, without); err != nil && kindOf(err) == kindOf(failure) {
				program = without[:min(failed+1, len(without))]
			} else {
				at += size
			}
		}
	}
	return program
}

// kindOf returns the first words of a failure, without the operation and all numbers.
func kindOf(failure error) string {
	text := failure.Error()
	if cause := errors.Unwrap(failure); cause != nil {
		text = cause.Error()
	}
	text = regexp.MustCompile(`[0-9]+`).ReplaceAllString(text, "")
	return regexp.MustCompile(`^[a-zA-Z ]*`).FindString(text)
}

func textOf(program []monthsOp) string {
	var text strings.Builder
	for _, op := range program {
		text.WriteString(op.String() + "\n")
	}
	return text.String()
}
