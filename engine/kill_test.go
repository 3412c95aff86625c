// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

var killRounds = flag.Int("kill.rounds", 0, "how many processes TestKill kills; 0: 8, or 25 with -long")

// These flags tell a child of this test where to store until it is killed, and how durably.
const (
	killDirEnv        = "DAYBOOK_TEST_KILL_DIR"
	killDurabilityEnv = "DAYBOOK_TEST_KILL_DURABILITY"
)

const (
	killWriters = 4
	killBatch   = 3  // values in the batches of the odd writers
	killAll     = -1 // the writer that a cleanup of all of them names
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDirEnv); dir != "" {
		fmt.Fprintln(os.Stderr, storeUntilKilled(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// killChild stores from several goroutines, each of which continues after the last value of its
// record. Beside them one goroutine deletes old values, and one makes checkpoints. The child prints
// what it is about to do, and what it has done, one whole line at a time:
//
//	try WRITER NUMBER            ack WRITER NUMBER
//	clean WRITER BELOW           cleaned WRITER BELOW COUNT
//	                             received 0 THROUGH
type killChild struct {
	db     *DB
	acked  [killWriters]atomic.Int64 // number of the last value that is there; -1: none
	failed chan error
}

func storeUntilKilled(dir string) error {
	durability, err := strconv.Atoi(os.Getenv(killDurabilityEnv))
	if err != nil {
		return err
	}
	opts := &Options{Durability: Durability(durability),
		Tuning: Tuning{HeadSize: 8 << 10, TransactionSize: 16 << 10, ChunkValues: 16}, Logger: discard}
	c := &killChild{failed: make(chan error)}
	if c.db, err = Open(dir, opts); err != nil {
		return err
	}
	for writer := range killWriters {
		latest, err := c.db.Query(ctx, killRecord(writer), daybook.Latest(1))
		if err != nil {
			return err
		}
		c.acked[writer].Store(-1)
		if len(latest) > 0 {
			c.acked[writer].Store(int64(latest[0].StoredAt))
		}
	}
	for writer := range killWriters {
		go c.store(writer)
	}
	go c.clean()
	go c.checkpoint()
	go c.receive()
	go c.hold()
	return <-c.failed
}

func killRecord(writer int) string { return fmt.Sprintf("writer.%d", writer) }

// killValue returns a value whose size depends on its number.
func killValue(number uint64) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"number":%d,"padding":"%0*d"}`, number, number*37%500, 0))
}

func copiesOf(writer int) int {
	if writer%2 == 0 {
		return 1
	}
	return killBatch
}

func (c *killChild) store(writer int) {
	name := killRecord(writer)
	for number := uint64(c.acked[writer].Load() + 1); ; number++ {
		v := daybook.StoredValue{RecordName: name, Value: killValue(number), StoredAt: number}
		fmt.Printf("try %d %d\n", writer, number)
		var err error
		if copiesOf(writer) == 1 {
			err = c.db.Store(ctx, v.RecordName, v.Value, v.StoredAt)
		} else {
			err = c.db.StoreBatch(ctx, []daybook.StoredValue{v, v, v})
		}
		if err != nil {
			c.failed <- err
		}
		fmt.Printf("ack %d %d\n", writer, number)
		c.acked[writer].Store(int64(number))
	}
}

// clean deletes the values of one writer, or of all writers, up to a number that exists.
func (c *killChild) clean() {
	for {
		writer, below := rand.IntN(killWriters+1)-1, int64(0)
		if writer == killAll {
			below = c.acked[0].Load()
			for i := range c.acked {
				below = min(below, c.acked[i].Load())
			}
		} else {
			below = c.acked[writer].Load()
		}
		if below -= int64(20 + rand.IntN(200)); below > 0 {
			c.cleanBelow(writer, uint64(below))
		}
		time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond)
	}
}

func (c *killChild) cleanBelow(writer int, below uint64) {
	var count uint64
	var err error
	fmt.Printf("clean %d %d\n", writer, below)
	if writer == killAll {
		count, err = c.db.Cleanup(ctx, below)
	} else {
		count, err = c.db.Prune(ctx, killRecord(writer), daybook.PruneParams{OlderThan: below})
	}
	if err != nil {
		c.failed <- err
	}
	fmt.Printf("cleaned %d %d %d\n", writer, below, count)
}

func (c *killChild) checkpoint() {
	for {
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
		if err := c.db.Checkpoint(ctx); err != nil {
			c.failed <- err
		}
	}
}

// killStream is the stream that a child receives, from where the child before it was killed. Batch
// n goes from n*killStep through (n+1)*killStep, and has n%killStep values. No deletion takes them.
var killStream = daybook.Batch{Store: [16]byte{1}, Epoch: [16]byte{2}, Stream: "kill"}

const (
	killStep = 4
	killLate = 1 << 40 // plus a number: a timestamp that no deletion of the writers' values reaches
)

func killBatchAfter(at daybook.Position) daybook.Batch {
	b, n := killStream, at.Through/killStep
	b.From, b.Previous, b.Through = at.Through, at.Digest, at.Through+killStep
	for range n % killStep {
		v := daybook.StoredValue{RecordName: "received", Value: killValue(n), StoredAt: killLate + n}
		b.Values = append(b.Values, v)
	}
	b.Digest = daybook.DigestOf(&b)
	return b
}

func (c *killChild) receive() {
	at, err := c.db.Position(ctx, killStream.Store, killStream.Epoch, killStream.Stream)
	for err == nil {
		if at, err = c.db.StoreBatchFrom(ctx, killBatchAfter(at)); err == nil {
			fmt.Printf("received 0 %d\n", at.Through)
		}
	}
	c.failed <- err
}

// hold stores values with a hold, numbered by their timestamps, and deletes those that exceed its
// bound.
func (c *killChild) hold() {
	h := daybook.Hold{Name: "kill", Pattern: daybook.Pattern{Text: "held"}, MaxBytes: 2000}
	err := c.db.SetHold(ctx, h)
	last, queryErr := c.db.Query(ctx, "held", daybook.Latest(1))
	number := uint64(0)
	if len(last) > 0 {
		number = last[0].StoredAt - killLate
	}
	for err = errors.Join(err, queryErr); err == nil; {
		number++
		if err = c.db.Store(ctx, "held", killValue(number), killLate+number); err == nil && number%10 == 0 {
			_, err = c.db.Prune(ctx, "held", daybook.PruneParams{OlderThan: math.MaxUint64})
		}
	}
	c.failed <- err
}

// killedWriter is what the test knows about the record of one writer.
type killedWriter struct {
	tried, acked int64  // greatest number; -1: none
	begun        uint64 // below it, values may have been deleted
	cleaned      uint64 // below it, all of them have
	seen         []uint64
}

// TestKill kills one process after another, in the middle of concurrent stores, cleanups and
// checkpoints, or while it opens the directory that the one before left. After each kill every
// acknowledged value is there, except values that a cleanup may have deleted; values of an
// acknowledged cleanup are not there; batches are whole; and no value is there that no process
// tried to store. Meanwhile the test reads the log: no cursor may mean two values. More rounds:
// -kill.rounds=300.
func TestKill(t *testing.T) {
	rounds := *killRounds
	switch {
	case rounds > 0:
	case testenv.Long():
		rounds = 25
	default:
		rounds = 8
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	k := &killer{
		T: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(seed, 0)), meaning: make(map[daybook.Cursor]string),
	}
	for i := range k.writers {
		k.writers[i] = killedWriter{tried: -1, acked: -1}
	}
	for round := range rounds {
		k.storeAndKill(Durability(round % 3))
		k.checkDirectory(round%2 == 0)
		if t.Failed() {
			t.Fatalf("round %d of %d failed", round, rounds)
		}
	}
	t.Logf("%d processes killed, %d of them before they stored anything; %d stores, %d cleanups and %d batches "+
		"acknowledged", rounds, k.early, k.stores, k.cleanups, k.received/killStep)
}

type killer struct {
	*testing.T
	dir                     string
	random                  *rand.Rand
	writers                 [killWriters]killedWriter
	received                uint64 // greatest position of the stream that was acknowledged
	early, stores, cleanups int

	follower *Follower                 // reads the log while a child stores
	meaning  map[daybook.Cursor]string // each cursor that was ever read, and its value
}

// storeAndKill runs a child and kills it: every fourth child at some moment of its start, the
// others after some line. It reads all lines that are in the pipe by then.
func (k *killer) storeAndKill(durability Durability) {
	k.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), killDirEnv+"="+k.dir, killDurabilityEnv+"="+strconv.Itoa(int(durability)))
	var stderr strings.Builder
	child.Stderr = &stderr
	stdout, err := child.StdoutPipe()
	if err != nil {
		k.Fatal(err)
	}
	if err := child.Start(); err != nil {
		k.Fatal(err)
	}
	kill := func() { _ = child.Process.Kill() } // it may be dead already
	const tooLong = time.Minute
	after, lines := tooLong, 1+k.random.IntN(2000)
	if k.random.IntN(4) == 0 {
		after, lines = time.Duration(k.random.IntN(40_000))*time.Microsecond, -1
	}
	timer := time.AfterFunc(after, kill)
	out, heard := bufio.NewScanner(stdout), 0
	for ; out.Scan(); heard++ {
		k.hear(out.Text())
		if heard%killFollow == 0 {
			k.follow()
		}
		if heard == lines {
			timer.Stop()
			time.AfterFunc(time.Duration(k.random.IntN(3000))*time.Microsecond, kill)
		}
	}
	if stopped := timer.Stop(); !stopped && after == tooLong && heard < lines {
		k.Errorf("the child said no more than %d lines in %v", heard, tooLong)
	}
	if heard == 0 {
		k.early++
	}
	_ = child.Wait()
	if stderr.Len() > 0 {
		k.Fatalf("the child failed: %s", &stderr)
	}
	k.follow()
}

// killFollow is the number of lines after which the test reads the log.
const killFollow = 40

// follow reads what is in the log, as another process does, before it is known what stays there.
func (k *killer) follow() {
	k.Helper()
	if k.follower == nil {
		k.follower = mustFollow(k.T, k.dir, "*")
	}
	events, err := readEvents(k.follower)
	for _, event := range events {
		k.see(event.Change)
	}
	if err != nil && !errors.Is(err, daybook.ErrForked) {
		k.Errorf("follower: %v", err)
	}
}

// see wants the cursor of a value to be that of no other.
func (k *killer) see(change daybook.Change) {
	k.Helper()
	value := fmt.Sprintf("%s %d %s", change.RecordName, change.StoredAt, change.Value)
	if before, ok := k.meaning[change.Cursor]; ok && before != value {
		k.Errorf("%v was %.60q, and is %.60q now", change.Cursor, before, value)
	}
	k.meaning[change.Cursor] = value
}

// hear notes a line that a child has printed.
func (k *killer) hear(line string) {
	k.Helper()
	var verb string
	var writer int
	var number, count uint64
	if n, err := fmt.Sscan(line, &verb, &writer, &number, &count); n < 3 {
		k.Fatalf("the child says %q: %v", line, err)
	}
	first, named := 0, k.writers[:]
	if writer != killAll {
		first, named = writer, k.writers[writer:writer+1]
	}
	switch verb {
	case "received":
		k.received = number
	case "try":
		named[0].tried = int64(number)
	case "ack":
		named[0].acked = int64(number)
		k.stores++
	case "clean":
		for i := range named {
			named[i].begun = max(named[i].begun, number)
		}
	case "cleaned":
		var want uint64
		for i := range named {
			want += named[i].clean(number, uint64(copiesOf(first+i)))
		}
		if count != want {
			k.Errorf("the child says %q; %d values were there", line, want)
		}
		k.cleanups++
	}
}

// clean notes that the values below a number are deleted, and returns the number of those values.
func (w *killedWriter) clean(below, copies uint64) (count uint64) {
	next := uint64(0) // of the values stored since the last check
	for _, number := range w.seen {
		if w.cleaned <= number && number < below {
			count++
		}
		next = number + 1
	}
	if from := max(next, w.cleaned); from < below {
		count += copies * (below - from)
	}
	w.cleaned = max(w.cleaned, below)
	return count
}

// checkDirectory opens the directory and compares its values with what is known. A read-only Open
// leaves the log for the next child to recover; otherwise Open recovers it here.
func (k *killer) checkDirectory(readOnly bool) {
	k.Helper()
	if _, err := os.Stat(filepath.Join(k.dir, logName)); err != nil && readOnly {
		return // the first child was killed before it had made anything
	}
	db, err := Open(k.dir, &Options{ReadOnly: readOnly, Logger: discard})
	if err != nil {
		k.Fatalf("Open: %v", err)
	}
	for writer := range k.writers {
		k.lookAt(db, writer)
	}
	k.lookAtStream(db)
	k.lookAtHold(db)
	for _, change := range changesOf(k.T, db, daybook.Cursor{}) {
		k.see(change)
	}
	mustClose(k, db)
}

// lookAtStream wants each value of the batches up to the position exactly once, and no others.
func (k *killer) lookAtStream(db *DB) {
	k.Helper()
	at, err := db.Position(ctx, killStream.Store, killStream.Epoch, killStream.Stream)
	if err != nil || at.Through < k.received {
		k.Errorf("the position of the stream is %d, %v; %d was acknowledged", at.Through, err, k.received)
	}
	values, err := db.Query(ctx, "received", daybook.QueryParams{Order: daybook.OldestFirst})
	for n := range at.Through / killStep {
		for range n % killStep {
			if len(values) == 0 || values[0].StoredAt != killLate+n {
				k.Fatalf("the next received value is %+v, %v; want one of batch %d",
					values[:min(1, len(values))], err, n)
			}
			values = values[1:]
		}
	}
	if len(values) > 0 {
		k.Errorf("%d received values are there that the position, %d, does not stand for", len(values), at.Through)
	}
}

// lookAtHold wants exactly the values to be missing that the hold has lost.
func (k *killer) lookAtHold(db *DB) {
	k.Helper()
	infos, err := db.Holds(ctx)
	values, queryErr := db.Query(ctx, "held", daybook.QueryParams{})
	if err != nil || queryErr != nil || len(values) == 0 {
		return // the child was killed before
	}
	if stored := values[0].StoredAt - killLate; len(infos) != 1 || uint64(len(values))+infos[0].Lost != stored {
		k.Errorf("of %d held values %d are there, and the holds say %+v", stored, len(values), infos)
	}
}

func (k *killer) lookAt(db *DB, writer int) {
	k.Helper()
	w, copies := &k.writers[writer], copiesOf(writer)
	values, err := db.Query(ctx, killRecord(writer), daybook.QueryParams{Order: daybook.OldestFirst})
	if err != nil {
		k.Fatalf("Query: %v", err)
	}
	counts := map[uint64]int{}
	w.seen = w.seen[:0]
	for _, v := range values {
		if want := killValue(v.StoredAt); string(v.Value) != string(want) {
			k.Errorf("writer %d: value %d is %s; want %s", writer, v.StoredAt, v.Value, want)
		}
		counts[v.StoredAt]++
		w.seen = append(w.seen, v.StoredAt)
	}
	if !slices.IsSorted(w.seen) {
		k.Errorf("writer %d: the oldest do not come first: %d", writer, w.seen)
	}
	last := w.acked
	for number, count := range counts {
		switch last = max(last, int64(number)); {
		case int64(number) > w.tried:
			k.Errorf("writer %d: value %d is there; none above %d was tried", writer, number, w.tried)
		case number < w.cleaned:
			k.Errorf("writer %d: value %d is there; those below %d had been deleted", writer, number, w.cleaned)
		case count > copies || count < copies && number >= w.begun:
			k.Errorf("writer %d: value %d is there %d times; want %d", writer, number, count, copies)
		}
	}
	for number := int64(w.begun); number <= w.acked; number++ {
		if counts[uint64(number)] == 0 {
			k.Errorf("writer %d: value %d is missing; values up to %d were acknowledged; below %d they may be deleted",
				writer, number, w.acked, w.begun)
		}
	}
	w.tried, w.acked = last, last
}
