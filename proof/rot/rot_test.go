// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-db/daybook/proof/testenv"
)

var (
	rotMode    = flag.String("proof.rot", "", `how many cases TestRot runs: "" a sample of each kind, "full" all`)
	rotSeed    = flag.Uint64("proof.rot.seed", 1, "seed of TestRot's victims and samples")
	rotOnly    = flag.String("proof.rot.case", "", "TestRot runs only the cases that have this in their names")
	rotKeep    = flag.String("proof.rot.victims", "", "directory of TestRot's victims; those that are there are used again")
	rotDetails = flag.Bool("proof.rot.all", false, "TestRot reports every case that fails, not one of each kind")
)

const (
	// rotPatience is how long one case may take. It takes milliseconds, but the machine may have other work.
	rotPatience = 20 * time.Second
	// rotMost is how many cases of each kind a run samples, several times as many of the nastiest. Under the race
	// detector it is a third of all of these.
	rotMost = 2
	// rotMostLong is the same with -long.
	rotMostLong = 4
)

// TestRot flips bits, zeroes and truncates at every kind of place in the tree and the log of stores that were closed,
// were killed, or are open. Whatever is asked of them afterwards has the right answer or is daybook.ErrCorrupt: never
// a wrong answer, a panic, a hang or memory without bound; Check finds the damage and says where it is; and a store
// that is refused, or only read, is not touched.
//
// A failure names its case. It runs again, alone, with -proof.rot.case=NAME and the victims that the failed run left
// behind; with -proof.rot.case and -proof.rot=full a whole kind does.
func TestRot(t *testing.T) {
	victims := *rotKeep
	if victims == "" {
		dir, err := os.MkdirTemp("", "daybook-rot") // not in memory: it stays when a case fails
		if err != nil {
			t.Fatal(err)
		}
		victims = dir
		defer func() {
			if !t.Failed() {
				os.RemoveAll(dir)
			}
		}()
	}
	cases := rotCases(t, rotVictims(t, victims, *rotSeed))
	if len(cases) == 0 {
		t.Fatal("there is no such case; see -proof.rot.case and -proof.rot.seed")
	}
	start := time.Now()
	outcomes := rotRunAll(t, victims, cases)
	t.Logf("%d cases in %v, seed %d", len(cases), time.Since(start).Round(time.Second), *rotSeed)
	rotReport(t, victims, outcomes)
}

// rotCases makes the cases of all victims.
func rotCases(t *testing.T, victims []*rotVictim) []*rotCase {
	t.Helper()
	s := &rotSampler{most: rotMost, seed: *rotSeed, kinds: make(map[string]*rotSample)}
	few := &rotSampler{most: 1, seed: *rotSeed, kinds: s.kinds}
	if *rotMode == "full" {
		s.most, few.most = 0, 0
	} else if testenv.Long() {
		s.most, few.most = rotMostLong, 2
	}
	for _, v := range victims {
		s.add(&rotCase{Victim: v.name, Kind: "no damage", Where: "nowhere", File: rotTree, Fate: rotDead}, 0)
		s.add(&rotCase{Victim: v.name, Kind: "open: no damage", Where: "nowhere", File: rotTree, Fate: rotDead, Open: true}, 0)
		switch v.name {
		case "deep", "tiny":
			rotTreeCases(t, v, s, false)
			few.open(t, v)
		default:
			rotLogCases(t, v, s)
			if v.name == "behind" {
				rotTreeCases(t, v, few, false)
			}
		}
	}
	s.order = append(s.order, few.order...)
	n := 0
	return slices.DeleteFunc(s.cases(), func(c *rotCase) bool {
		n++
		tooMany := rotRace && *rotOnly == "" && n%3 > 0
		return tooMany || !strings.Contains(c.String(), *rotOnly)
	})
}

// open damages a victim while it is open.
func (s *rotSampler) open(t *testing.T, v *rotVictim) {
	if runtime.GOOS == "windows" {
		return // there a mapped file cannot be truncated
	}
	rotTreeCases(t, v, s, true)
}

// rotOutcome is what became of a case.
type rotOutcome struct {
	damage *rotCase
	faults []rotFault
}

// rotRunAll runs the cases in as many children as there are processors.
func rotRunAll(t *testing.T, victims string, cases []*rotCase) (outcomes []rotOutcome) {
	queue := make(chan *rotCase)
	var mu sync.Mutex // guards outcomes
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			child := &rotChild{victims: victims}
			defer child.stop()
			for c := range queue {
				faults := child.run(c)
				mu.Lock()
				outcomes = append(outcomes, rotOutcome{c, faults})
				mu.Unlock()
			}
		})
	}
	for _, c := range cases {
		queue <- c
	}
	close(queue)
	wait.Wait()
	return outcomes
}

// rotChild is a process that runs cases, and is replaced when a case ends it.
type rotChild struct {
	victims string
	command *exec.Cmd
	in      io.WriteCloser
	replies chan []byte  // closed when the process is gone
	stdout  bytes.Buffer // what it says beside its replies; written until replies is closed
	stderr  bytes.Buffer
}

func (c *rotChild) start() error {
	c.stdout.Reset()
	c.stderr.Reset()
	c.command = exec.Command(os.Args[0], "-test.run=^TestRotWorker$", "-test.timeout=0")
	c.command.Env = append(os.Environ(), rotWorkerEnv+"="+c.victims)
	c.command.Stderr = &c.stderr
	in, err := c.command.StdinPipe()
	if err != nil {
		return err
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return err
	}
	c.in, c.replies = in, make(chan []byte)
	go func() {
		defer close(c.replies)
		for lines := bufio.NewReader(out); ; {
			line, err := lines.ReadBytes('\n')
			if reply, ok := bytes.CutPrefix(line, []byte(rotReplyMark)); ok && err == nil {
				c.replies <- reply
			} else if c.stdout.Write(line); err != nil {
				return
			}
		}
	}()
	return c.command.Start()
}

func (c *rotChild) stop() {
	if c.command == nil {
		return
	}
	c.in.Close()
	for range c.replies { // until it is gone
	}
	_ = c.command.Wait()
	c.command = nil
}

// run runs one case and returns what is wrong.
func (c *rotChild) run(damage *rotCase) []rotFault {
	if c.command == nil {
		if err := c.start(); err != nil {
			return []rotFault{{rotDied, err.Error()}}
		}
	}
	line, err := json.Marshal(damage)
	if err != nil {
		return []rotFault{{rotDied, err.Error()}}
	}
	_, _ = c.in.Write(append(line, '\n')) // if it fails the child is gone, which is seen next
	select {
	case reply, ok := <-c.replies:
		if !ok {
			return []rotFault{{rotDied, c.lastWords()}}
		}
		var r rotReply
		if err := json.Unmarshal(reply, &r); err != nil {
			return []rotFault{{rotDied, err.Error()}}
		}
		return r.Faults
	case <-time.After(rotPatience):
		child := c.command.Process
		_ = child.Signal(syscall.SIGQUIT) // it shows what it is at
		time.AfterFunc(time.Second, func() { _ = child.Kill() })
		return []rotFault{{rotHang, c.lastWords()}}
	}
}

// lastWords waits for the child's end, and returns what it said, of its goroutines those that were in the engine.
func (c *rotChild) lastWords() string {
	c.stop()
	blocks := strings.Split(c.stderr.String()+c.stdout.String(), "\n\n")
	for i, block := range blocks[1:] {
		if !strings.Contains(block, "daybook/engine") {
			blocks[i+1] = ""
		}
	}
	words := strings.Join(slices.DeleteFunc(blocks, func(block string) bool { return block == "" }), "\n\n")
	return words[:min(len(words), 4000)]
}

// rotReport says what failed: a line for each kind of case, with an example of each thing that is wrong.
func rotReport(t *testing.T, victims string, outcomes []rotOutcome) {
	t.Helper()
	kinds := make(map[string]*rotTally)
	failed := 0
	for _, o := range outcomes {
		kind := o.damage.Victim + "/" + o.damage.Kind
		if kinds[kind] == nil {
			kinds[kind] = &rotTally{cases: make(map[string]int), examples: make(map[string]string)}
		}
		kinds[kind].add(o)
		if len(o.faults) > 0 {
			failed++
		}
		for _, fault := range o.faults {
			if *rotDetails {
				t.Logf("%v: %s: %s", o.damage, fault.What, fault.Detail)
			}
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		if len(kinds[kind].cases) > 0 {
			t.Errorf("%s: %v", kind, kinds[kind])
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d cases failed; run one again with -proof.rot.victims=%s -proof.rot.case='...'", failed, len(outcomes), filepath.Clean(victims))
	}
}

// rotTally is how many cases of one kind there were, and in how many of them each thing was wrong.
type rotTally struct {
	all      int
	cases    map[string]int
	examples map[string]string
}

func (r *rotTally) add(o rotOutcome) {
	r.all++
	seen := make(map[string]bool)
	for _, fault := range o.faults {
		if !seen[fault.What] {
			seen[fault.What] = true
			r.cases[fault.What]++
			r.examples[fault.What] = fmt.Sprintf("%s: %s", o.damage.Where, fault.Detail)
		}
	}
}

func (r *rotTally) String() string {
	var s, examples strings.Builder
	fmt.Fprintf(&s, "%d cases", r.all)
	for _, what := range slices.Sorted(maps.Keys(r.cases)) {
		fmt.Fprintf(&s, ", %d %s", r.cases[what], what)
		fmt.Fprintf(&examples, "\n\t%s: %s", what, r.examples[what])
	}
	return s.String() + examples.String()
}
