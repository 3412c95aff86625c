// SPDX-License-Identifier: Apache-2.0

package consumers

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/testenv"
)

var (
	seedFlag    = flag.Uint64("consumers.seed", 0, "run only the program of this seed")
	programFlag = flag.String("consumers.program", "", "run only these operations")
)

// op is an operation, with a number from 0 to 99 that says more about it.
type op struct {
	kind string
	n    int
}

func (o op) String() string { return fmt.Sprintf("%s %d", o.kind, o.n) }

// kinds are the kinds of operations, as often as they should come.
var kinds = strings.Fields(`put put put put put put put put sync sync catch catch catch catch save save crash
	kill kill cut cut quarantine restart checkpoint cleanup compact backup restore copy move`)

// world is all stores and consumers, during one program.
type world struct {
	dir       string
	stores    []*store
	consumers []*consumer
	reads     []int // index of the store that a consumer reads
	lastID    uint64
	meaning   map[daybook.Cursor]uint64 // the id of each cursor that was ever seen

	wasDeleted map[uint64]bool // ids of values that were deleted from any store
}

const maxStores = 3

// run runs a program in an empty directory.
func run(dir string, program []op) (err error) {
	w := &world{dir: dir, consumers: newConsumers(), meaning: make(map[daybook.Cursor]uint64),
		wasDeleted: make(map[uint64]bool)}
	w.reads = make([]int, len(w.consumers))
	w.stores = []*store{{dir: filepath.Join(dir, "0")}}
	if err := w.stores[0].open(engine.OnCorruptionFail); err != nil {
		return err
	}
	defer func() {
		for _, s := range w.stores {
			if s.db != nil {
				_ = s.db.Close()
			}
		}
	}()
	for i, o := range program {
		if err := w.do(o); err != nil {
			return fmt.Errorf("operation %d, %v: %w", i, o, err)
		}
	}
	for i := range w.consumers {
		for range 1000 { // the slow ones
			if err := w.catchUp(i); err != nil {
				return fmt.Errorf("at the end: %w", err)
			}
		}
	}
	return nil
}

func (w *world) do(o op) error {
	which := o.n % len(w.stores)
	s, who := w.stores[which], o.n%len(w.consumers)
	switch o.kind {
	case "put":
		count := 1 + o.n%12
		w.lastID += uint64(count)
		return s.put(w.lastID-uint64(count)+1, count)
	case "sync":
		return s.noteSync()
	case "catch":
		return w.catchUp(who)
	case "save":
		w.consumers[who].save()
		return nil
	case "crash":
		w.consumers[who].crash()
		return nil
	case "move":
		w.reads[who] = (w.reads[who] + 1) % len(w.stores)
		w.consumers[who].mayFork = true
		return nil
	case "copy":
		if len(w.stores) == maxStores {
			return nil
		}
		c, err := s.copyTo(filepath.Join(w.dir, fmt.Sprint(len(w.stores))))
		if err == nil {
			w.stores = append(w.stores, c)
		}
		return err
	}
	if err := w.change(s, o); err != nil {
		return err
	}
	for _, n := range s.history {
		if n.deleted {
			w.wasDeleted[n.id] = true
		}
	}
	lossy := slices.Contains([]string{"quarantine", "restore", "cut"}, o.kind)
	for i, c := range w.consumers {
		if w.reads[i] == which && lossy && (o.kind != "cut" || !c.params.Durable) {
			c.mayFork = true
		}
	}
	if err := s.check(); err != nil {
		return err
	}
	return w.note(s)
}

// change does what may lose values.
func (w *world) change(s *store, o op) error {
	switch o.kind {
	case "kill":
		return s.kill()
	case "cut":
		return s.cutPower()
	case "quarantine":
		return s.quarantine(o.n)
	case "restart":
		return s.restart()
	case "cleanup":
		return s.cleanUp(w.lastID, o.n)
	case "backup":
		return s.makeBackup()
	case "restore":
		return s.restore()
	case "checkpoint":
		if err := s.db.Checkpoint(ctx); err != nil {
			return err
		}
		return s.noteSync()
	case "compact":
		if err := s.db.Compact(ctx); err != nil {
			return err
		}
		return s.noteSync()
	}
	return fmt.Errorf("there is no operation %q", o.kind)
}

// catchUp lets a consumer read, and checks what it has then.
func (w *world) catchUp(i int) error {
	c, s := w.consumers[i], w.stores[w.reads[i]]
	err := c.catchUp(s)
	if err == nil && !c.mayFork {
		err = c.check(s, w.wasDeleted)
	}
	if err != nil {
		return fmt.Errorf("consumer %q of store %d: %w", c.name, w.reads[i], err)
	}
	return nil
}

// note verifies that no cursor of a store means two values.
func (w *world) note(s *store) error {
	all, _, err := s.read()
	for _, c := range all {
		if before, found := w.meaning[c.Cursor]; found && before != c.StoredAt {
			return fmt.Errorf("%v is value %d, and was value %d", c.Cursor, c.StoredAt, before)
		}
		w.meaning[c.Cursor] = c.StoredAt
	}
	return err
}

func programOf(seed uint64) (program []op) {
	random := rand.New(rand.NewPCG(seed, 0))
	for range 10 + random.IntN(60) {
		program = append(program, op{kinds[random.IntN(len(kinds))], random.IntN(100)})
	}
	return program
}

func parseProgram(t *testing.T, text string) (program []op) {
	t.Helper()
	for part := range strings.SplitSeq(text, ",") {
		var o op
		if _, err := fmt.Sscan(part, &o.kind, &o.n); err != nil {
			t.Fatalf("-consumers.program: %q: %v", part, err)
		}
		program = append(program, o)
	}
	return program
}

// shrink removes operations as long as the rest fails.
func shrink(t *testing.T, program []op, failure error) ([]op, error) {
	for size := len(program) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(program); {
			without := slices.Concat(program[:at], program[at+size:])
			if err := run(t.TempDir(), without); err != nil {
				program, failure = without, err
			} else {
				at += size
			}
		}
	}
	return program, failure
}

// TestConsumers runs random programs.
func TestConsumers(t *testing.T) {
	if *programFlag != "" {
		if err := run(t.TempDir(), parseProgram(t, *programFlag)); err != nil {
			t.Fatal(err)
		}
		return
	}
	first, runs := rand.Uint64N(1<<32), 6
	if testenv.Long() {
		runs = 400
	}
	if *seedFlag > 0 {
		first, runs = *seedFlag, 1
	}
	for seed := first; seed < first+uint64(runs); seed++ {
		program := programOf(seed)
		err := run(testenv.TempDir(t), program)
		if err == nil {
			continue
		}
		program, err = shrink(t, program, err)
		t.Fatalf("seed %d: %v\n-consumers.program='%s'", seed, err, textOf(program))
	}
}

// textOf returns a program as parseProgram reads it.
func textOf(program []op) string {
	var parts []string
	for _, o := range program {
		parts = append(parts, o.String())
	}
	return strings.Join(parts, ",")
}
