// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// besideDirEnv makes the test binary a writer that stores in a directory until it is killed. It
// drops the oldest values itself if besideDropEnv is set.
const (
	besideDirEnv  = "DAYBOOK_TEST_BESIDE_DIR"
	besideDropEnv = "DAYBOOK_TEST_BESIDE_DROP"
)

func init() {
	if dir := os.Getenv(besideDirEnv); dir != "" {
		fmt.Fprintln(os.Stderr, new(besideChild).run(dir))
		os.Exit(1)
	}
}

// besideChild stores as fast as it can from two goroutines, with heads so small that checkpoints
// follow one another. Beside them it deletes, compacts, and closes the directory and opens it
// again. It prints, one whole line at a time:
//
//	ack WRITER NUMBER      the value has been stored
//	clean WRITER BELOW     the values below the number are about to be deleted
//	tick 0 NANOSECONDS     everything that was printed or deleted before that time is printed
type besideChild struct {
	db     *DB
	open   sync.RWMutex // is held while db is replaced
	failed chan error
}

const besideWriters = 2

func (c *besideChild) run(dir string) error {
	opts := &Options{Durability: DurabilityOS, Logger: discard,
		Tuning: Tuning{HeadSize: 16 << 10, TransactionSize: 16 << 10, ChunkValues: 16}}
	if os.Getenv(besideDropEnv) != "" {
		opts.MaxSize, opts.WhenFull = MinMaxSize, WhenFullDropOldest
	}
	c.failed = make(chan error)
	var err error
	if c.db, err = Open(dir, opts); err != nil {
		return err
	}
	for writer := range besideWriters {
		go c.store(writer)
	}
	go c.maintain(dir, opts)
	go func() {
		for ; ; time.Sleep(time.Millisecond) {
			fmt.Printf("tick 0 %d\n", time.Now().UnixNano())
		}
	}()
	return <-c.failed
}

func (c *besideChild) store(writer int) {
	for number := uint64(0); ; number++ {
		v := daybook.StoredValue{RecordName: killRecord(writer), Value: killValue(number), StoredAt: number}
		batch := []daybook.StoredValue{v, v, v}[:copiesOf(writer)]
		c.open.RLock()
		err := c.db.StoreBatch(ctx, batch)
		c.open.RUnlock()
		if err != nil {
			c.failed <- err
		}
		fmt.Printf("ack %d %d\n", writer, number)
	}
}

// maintain does what changes the files other than Store.
func (c *besideChild) maintain(dir string, opts *Options) {
	drops := opts.WhenFull == WhenFullDropOldest
	for err := error(nil); err == nil; {
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		switch n := rand.IntN(20); {
		case n < 10 && !drops:
			err = c.clean(rand.IntN(besideWriters))
		case n < 12:
			err = c.db.Checkpoint(ctx)
		case n < 14:
			if err = c.db.Compact(ctx); errors.Is(err, daybook.ErrNoSpace) {
				err = nil
			}
		case n == 14: // a pause, in which a large answer can be read
			c.open.Lock()
			time.Sleep(50 * time.Millisecond)
			c.open.Unlock()
		case n == 15:
			c.open.Lock()
			if err = c.db.Close(); err == nil {
				c.db, err = Open(dir, opts)
			}
			c.open.Unlock()
		}
		if err != nil {
			c.failed <- err
		}
	}
}

func (c *besideChild) clean(writer int) error {
	last, err := c.db.Query(ctx, killRecord(writer), daybook.Latest(1))
	if err != nil || len(last) == 0 || last[0].StoredAt < 500 {
		return err
	}
	below := last[0].StoredAt - uint64(rand.IntN(500))
	fmt.Printf("clean %d %d\n", writer, below)
	_, err = c.db.Prune(ctx, killRecord(writer), daybook.PruneParams{OlderThan: below})
	return err
}

// besideTest is what the test knows of the child.
type besideTest struct {
	*testing.T
	dir   string
	drops bool // the child deletes without a word
	child *exec.Cmd

	mu      sync.Mutex // guards the fields below
	acked   [besideWriters]int64
	cleaned [besideWriters]uint64 // below it, values may have been deleted
	ticked  int64
	ended   chan struct{}
}

func startBeside(t *testing.T, drops bool) *besideTest {
	t.Helper()
	b := &besideTest{T: t, dir: testenv.DirInMemory(t), drops: drops, ended: make(chan struct{})}
	b.acked = [besideWriters]int64{-1, -1}
	b.child = exec.Command(os.Args[0])
	b.child.Env = append(os.Environ(), besideDirEnv+"="+b.dir)
	if drops {
		b.child.Env = append(b.child.Env, besideDropEnv+"=1")
	}
	var stderr strings.Builder
	b.child.Stderr = &stderr
	out, err := b.child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.child.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(b.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			b.hear(lines.Text())
		}
	}()
	t.Cleanup(func() {
		_ = b.child.Process.Kill()
		<-b.ended
		_ = b.child.Wait()
		if stderr.Len() > 0 {
			t.Errorf("the child failed: %s", &stderr)
		}
	})
	return b
}

func (b *besideTest) hear(line string) {
	var verb string
	var writer int
	var number uint64
	if _, err := fmt.Sscan(line, &verb, &writer, &number); err != nil {
		return // it was killed amid the line
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch verb {
	case "ack":
		b.acked[writer] = int64(number)
	case "clean":
		b.cleaned[writer] = max(b.cleaned[writer], number)
	case "tick":
		b.ticked = int64(number)
	}
}

// known returns what has been acknowledged, and below which numbers values may have been deleted.
func (b *besideTest) known() (acked [besideWriters]int64, cleaned [besideWriters]uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.acked, b.cleaned
}

// catchUp waits until all is known that the child did before.
func (b *besideTest) catchUp() {
	b.Helper()
	for now, end := time.Now(), time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		ticked := b.ticked
		b.mu.Unlock()
		if ticked > now.UnixNano() {
			return
		}
		select {
		case <-b.ended:
			b.Fatal("the child has ended")
		default:
		}
		if time.Now().After(end) {
			b.Fatal("the child has said nothing for a minute")
		}
	}
}

// TestQueryBesideAWriter opens a directory again and again beside a process that stores at full
// speed, prunes or drops, compacts, and closes and opens the directory. Each answer has every value
// that was acknowledged before Open began, unless it was deleted, and no others; or it is
// ErrLocked.
func TestQueryBesideAWriter(t *testing.T) {
	for _, drops := range []bool{false, true} {
		t.Run(fmt.Sprintf("drops=%v", drops), func(t *testing.T) {
			b := startBeside(t, drops)
			for acked, _ := b.known(); acked[0] < 100 || acked[1] < 100; acked, _ = b.known() {
				b.catchUp()
			}
			limit, want := 500*time.Millisecond, 10
			if testenv.Long() {
				limit, want = 20*time.Second, 100
			}
			least, patience := want/2, time.Minute
			if drops { // then the writer keeps no pages for readers, and a slow one may never be in time
				want, least, patience = want/5, 0, 10*time.Second
			}
			var answered, beside, locked int
			for begin := time.Now(); time.Since(begin) < limit || answered < want && time.Since(begin) < patience; {
				switch isBeside, err := b.look(); {
				case errors.Is(err, daybook.ErrLocked):
					locked++
				case err != nil:
					t.Fatal(err)
				default:
					answered++
					if isBeside {
						beside++
					}
				}
			}
			t.Logf("%d answers, %d of them beside the writer; %d times it was locked", answered, beside, locked)
			if beside < least {
				t.Errorf("%d answers beside the writer, %d times locked; want at least %d", beside, locked, least)
			}
		})
	}
}

// look opens the directory, asks for everything, and compares the answers with what is known.
func (b *besideTest) look() (beside bool, err error) {
	b.Helper()
	acked, _ := b.known()
	db, err := Open(b.dir, &Options{ReadOnly: true, BesideWriter: true, Logger: discard})
	if err != nil {
		return false, fmt.Errorf("Open: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var values [besideWriters][]daybook.StoredValue
	total := uint64(0)
	for writer := range values {
		order := daybook.Order(rand.IntN(2))
		values[writer], err = db.Query(ctx, killRecord(writer), daybook.QueryParams{Order: order})
		if err != nil {
			return db.beside, fmt.Errorf("Query: %w", err)
		}
		total += uint64(len(values[writer]))
	}
	stats, err := db.Stats(ctx)
	if err != nil {
		return db.beside, fmt.Errorf("Stats: %w", err)
	}
	for info, err := range db.Records(ctx, "*", daybook.Glob) {
		if err != nil {
			return db.beside, fmt.Errorf("Records: %w", err)
		}
		for writer := range values {
			if got := len(values[writer]); info.RecordName == killRecord(writer) && info.Count != uint64(got) {
				b.Errorf("Records says %d values of writer %d; Query returns %d", info.Count, writer, got)
			}
		}
	}
	if stats.Values != total {
		b.Errorf("Stats says %d values; Query returns %d", stats.Values, total)
	}
	b.catchUp()
	after, cleaned := b.known()
	for writer := range values {
		b.judge(writer, values[writer], acked[writer], after[writer]+1, cleaned[writer])
	}
	return db.beside, nil
}

// judge wants a record to have the values from a number that may be the first one through a number
// from least through most, each as often as it was stored. A Prune takes several transactions, and
// so the first of them may be there in part.
func (b *besideTest) judge(writer int, values []daybook.StoredValue, least, most int64, cleaned uint64) {
	b.Helper()
	if len(values) == 0 {
		if least >= int64(cleaned) {
			b.Errorf("writer %d: there are no values; want those from %d through %d", writer, cleaned, least)
		}
		return
	}
	first, last := values[0].StoredAt, values[len(values)-1].StoredAt
	step := 1
	if first > last {
		first, last, step = last, first, -1
	}
	if !b.drops && first > cleaned {
		b.Errorf("writer %d: the values begin with %d; those below %d may be deleted", writer, first, cleaned)
	}
	if int64(last) < least || int64(last) > most {
		b.Errorf("writer %d: the values end with %d; want one from %d through %d", writer, last, least, most)
	}
	copies := copiesOf(writer)
	mayBeCut := b.drops || first < cleaned
	if cut := int(last-first+1)*copies - len(values); cut < 0 || cut >= copies || cut > 0 && !mayBeCut {
		b.Fatalf("writer %d: %d values from %d through %d; want %d of each", writer, len(values), first, last, copies)
	}
	number, left := values[0].StoredAt, len(values)%copies
	if left == 0 || step < 0 {
		left = copies
	}
	for _, v := range values {
		if v.StoredAt != number || string(v.Value) != string(killValue(number)) {
			b.Fatalf("writer %d: there is %d, %.40q; want value %d", writer, v.StoredAt, v.Value, number)
		}
		if left--; left == 0 {
			number, left = number+uint64(step), copies
		}
	}
}
