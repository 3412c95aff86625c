// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package powercut

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/crashstate"
	"github.com/daybook-db/daybook/proof/history"
	"github.com/daybook-db/daybook/proof/journal"
	"github.com/daybook-db/daybook/proof/testenv"
)

var quiet = slog.New(slog.DiscardHandler)

// cutter tries crash states, and counts them.
type cutter struct {
	t       testing.TB
	scratch string // a directory for what is opened
	size    size
	hash    maphash.Seed

	workloads, recoveries int
	kinds                 map[journal.OpKind]int // operations that were cut behind

	mu       sync.Mutex // guards what follows
	images   map[uint64]bool
	tried    map[attempt]bool
	prefixes int
	states   int
	again    int
	failures int
}

// attempt is an image and how much was known of it. Trying it twice would show nothing new.
type attempt struct {
	recording *recording
	image     uint64
	done      int // acknowledgements
}

func newCutter(t testing.TB, size size) *cutter {
	t.Helper()
	return &cutter{
		t: t, scratch: testenv.DirInMemory(t), size: size, hash: maphash.MakeSeed(),
		kinds: make(map[journal.OpKind]int), images: make(map[uint64]bool), tried: make(map[attempt]bool),
	}
}

// cutAll cuts the power at every prefix of a journal, and tries so many random states there, beside the two
// extremes.
func (c *cutter) cutAll(r *recording, random int) {
	for _, op := range r.Journal[r.Base:] {
		c.kinds[op.Kind]++
	}
	clear(c.tried)
	var workers sync.WaitGroup
	count := runtime.GOMAXPROCS(0)
	for worker := range count {
		workers.Go(func() {
			dir := filepath.Join(c.scratch, fmt.Sprint(worker))
			disk, known := crashstate.New(), r.Start.Later()
			for i := range r.Journal {
				r.step(disk, known, i)
				// Behind notes that follow one another, more is known, and the disk is the same.
				noted := i+1 < len(r.Journal) && r.Journal[i+1].Kind == journal.Mark
				if i+1 < r.Base || noted || i%count != worker || c.enough() {
					continue
				}
				c.cutAt(r, disk, known, i+1, random, dir)
			}
		})
	}
	workers.Wait()
}

func (c *cutter) operations() (total int) {
	for _, n := range c.kinds {
		total += n
	}
	return total
}

// census says how many operations of each kind there were, since a run without renames, say, proves little.
func (c *cutter) census() string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(c.kinds)) {
		parts = append(parts, fmt.Sprintf("%d %v", c.kinds[kind], kind))
	}
	return strings.Join(parts, ", ")
}

func (c *cutter) enough() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failures >= mostFailures
}

func (c *cutter) cutAt(r *recording, disk *crashstate.Tracker, known *history.History, prefix, random int, dir string) {
	numbers := []uint64{crashstate.NothingUnsynced, crashstate.EverythingUnsynced}
	choices := rand.New(rand.NewPCG(r.Seed, uint64(prefix)))
	if !known.Begun() {
		random *= randomPerBirth
	}
	for range random {
		numbers = append(numbers, max(2, choices.Uint64()))
	}
	c.mu.Lock()
	c.prefixes++
	c.mu.Unlock()
	for _, number := range numbers {
		image := disk.State(number)
		reopen, ok := c.isNew(r, &image, known)
		if !ok {
			continue
		}
		if err := tryState(image, known, r.options(), dir, reopen); err != nil {
			c.report(r, prefix, number, err)
		}
	}
}

// isNew reports whether a state has not been tried yet, and whether it is among the sample that is also
// stored to and opened again.
func (c *cutter) isNew(r *recording, image *journal.Image, known *history.History) (reopen, ok bool) {
	a := attempt{recording: r, image: image.Sum(c.hash)}
	for i := range known.Times {
		if known.Times[i].Done != history.Never {
			a.done++
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tried[a] {
		return false, false
	}
	c.tried[a], c.images[a.image] = true, true
	c.states++
	if reopen = c.states%4 == 0; reopen {
		c.again++
	}
	return reopen, true
}

// tryState opens an image and judges what is visible.
func tryState(image journal.Image, known *history.History, opts engine.Options, dir string, reopen bool) error {
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return err
	}
	if err := image.WriteTo(dir); err != nil {
		return err
	}
	dir = filepath.Join(dir, filepath.FromSlash(dbDir))
	db, err := engine.Open(dir, &opts)
	if err != nil {
		return fmt.Errorf("Open: %w", err)
	}
	visible, err := everything(db)
	if err == nil {
		err = known.Judge(visible)
	}
	if err == nil && reopen {
		return useAndReopen(db, dir, opts, visible)
	}
	return errors.Join(err, db.Close())
}

func everything(db *engine.DB) ([]daybook.StoredValue, error) {
	return db.Query(context.Background(), "*", daybook.QueryParams{})
}

// useAndReopen shows that what was recovered is whole, takes another value, and is there the next time.
func useAndReopen(db *engine.DB, dir string, opts engine.Options, visible []daybook.StoredValue) error {
	ctx := context.Background()
	more := daybook.StoredValue{RecordName: "~after", Value: json.RawMessage(`"the crash"`), StoredAt: 1}
	err := errors.Join(db.Check(ctx), db.Store(ctx, more.RecordName, more.Value, more.StoredAt))
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("after the recovery: %w", err)
	}
	db, err = engine.Open(dir, &opts)
	if err != nil {
		return fmt.Errorf("Open again: %w", err)
	}
	got, err := everything(db)
	if stats, statsErr := db.Stats(ctx); statsErr != nil || stats.Values != uint64(len(got)) {
		err = errors.Join(err, statsErr, fmt.Errorf("Stats counts %d values of %d", stats.Values, len(got)))
	}
	if want := append(visible, more); err == nil && !slices.EqualFunc(want, got, same) {
		err = fmt.Errorf("opened again it shows %d values, or others; want the same %d", len(got), len(want))
	}
	return errors.Join(err, db.Check(ctx), db.Close())
}

func same(a, b daybook.StoredValue) bool {
	return a.RecordName == b.RecordName && a.StoredAt == b.StoredAt && bytes.Equal(a.Value, b.Value)
}

// report says what failed and how to try it again, alone.
func (c *cutter) report(r *recording, prefix int, number uint64, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failures++; c.failures > mostFailures {
		return
	}
	failed := *r
	failed.Prefix, failed.Number = prefix, number
	c.t.Errorf("after operation %d of %d, state %d (seed %d, %v, of a recovery: %v): %v\n%s\ntry it again: go test ./proof/powercut -proof.replay=%s",
		prefix, len(r.Journal), number, r.Seed, r.Durability, r.Nested, cause, failed.describe(), save(c.t, &failed))
}

// describe lists what was in doubt and what became of it.
func (r *recording) describe() string {
	disk, _ := r.at(r.Prefix)
	var b strings.Builder
	b.WriteString("In doubt were these operations, and the last ones:\n")
	places := make(map[int]bool)
	for _, place := range disk.Unsynced() {
		places[place] = true
	}
	for i, op := range r.Journal[:r.Prefix] {
		if places[i] || i >= r.Prefix-5 {
			fmt.Fprintf(&b, "%6d %v\n", i, op)
		}
	}
	b.WriteString("Of them the power cut left:\n")
	for _, line := range disk.Explain(r.Number) {
		fmt.Fprintf(&b, "       %s\n", line)
	}
	return b.String()
}

func save(t testing.TB, r *recording) (path string) {
	file, err := os.CreateTemp("", "daybook-powercut-*.gob")
	if err != nil {
		t.Error(err)
		return ""
	}
	defer file.Close()
	if err := gob.NewEncoder(file).Encode(r); err != nil {
		t.Error(err)
	}
	return file.Name()
}

// replay tries a state again that was saved.
func replay(t *testing.T, path string) {
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var r recording
	if err := gob.NewDecoder(file).Decode(&r); err != nil {
		t.Fatal(err)
	}
	disk, known := r.at(r.Prefix)
	t.Log(r.describe())
	dir := filepath.Join(testenv.DirInMemory(t), "replay")
	if err := tryState(disk.State(r.Number), known, r.options(), dir, true); err != nil {
		t.Error(err)
	}
}
