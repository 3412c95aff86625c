// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/proof/testenv"
)

var (
	epochsRuns = flag.Int("epochs.runs", 0, "how many random histories TestEpochs runs; 0: 6, or 500 with -long")
	epochsSeed = flag.Uint64("epochs.seed", 0, "the seed of the first history of TestEpochs")
)

// TestEpochs runs random histories: values are stored while the process is killed, the log loses
// its end as in a power cut, or is damaged and quarantined, the tree is lost, backups are restored,
// and directories are copied, and both copies go on. It is the oracle of identities:
//
//   - No cursor ever means two values, for any reader: not for one that reads each frame of the log
//     as soon as it is written, and not across copies.
//   - Each consumer has each value once, or was told that it was deleted, or that history has
//     forked.
func TestEpochs(t *testing.T) {
	t.Parallel()
	runs := *epochsRuns
	if runs == 0 {
		runs = 6
		if testenv.Long() {
			runs = 500
		}
	}
	for seed := *epochsSeed; seed < *epochsSeed+uint64(runs); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { newHistories(t, seed).run(60) })
	}
}

// histories is the state of a run.
type histories struct {
	t      *testing.T
	random *rand.Rand
	log    []string // the operations, for a failure

	meaning   map[daybook.Cursor]string // every cursor that was ever seen, and its value
	cursorOf  map[string]daybook.Cursor // every value that was ever seen, and its cursor
	gone      map[string]bool           // values that were deleted, or lost in a way that was reported
	consumers []*consumer
	branches  []*branch // copies of the directory that are in use
	backups   [][]byte
	stored    int
}

// branch is one directory.
type branch struct {
	dir      string
	db       *DB
	follower *Follower
}

// consumer keeps what it has received, and its place, durably.
type consumer struct {
	place    daybook.Cursor
	received []daybook.Cursor
}

func newHistories(t *testing.T, seed uint64) *histories {
	h := &histories{
		t: t, random: rand.New(rand.NewPCG(seed, 14)), meaning: map[daybook.Cursor]string{},
		cursorOf: map[string]daybook.Cursor{}, gone: map[string]bool{},
	}
	for range 3 {
		h.consumers = append(h.consumers, &consumer{})
	}
	h.branches = []*branch{h.newBranch(filepath.Join(testenv.DirInMemory(t), "daybook"))}
	return h
}

func (h *histories) newBranch(dir string) *branch {
	b := &branch{dir: dir}
	h.open(b)
	return b
}

func (h *histories) fatalf(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf(format+"\nafter:\n%s", append(args, strings.Join(h.log, "\n"))...)
}

func (h *histories) run(steps int) {
	defer func() {
		for _, b := range h.branches {
			_ = b.db.Close()
		}
	}()
	operations := []struct {
		name   string
		weight int
		do     func(*branch)
	}{
		{"store", 30, h.store}, {"consume", 25, h.consume}, {"kill", 6, h.kill}, {"lose the log's end", 6, h.loseEnd},
		{"close", 4, h.close}, {"checkpoint", 4, h.checkpoint}, {"prune", 3, h.prune}, {"compact", 2, h.compact},
		{"back up", 3, h.backup}, {"restore", 3, h.restore}, {"copy", 3, h.copy}, {"damage the log", 3, h.damageLog},
		{"lose the tree", 2, h.loseTree},
	}
	total := 0
	for _, op := range operations {
		total += op.weight
	}
	for range steps {
		b := h.branches[h.random.IntN(len(h.branches))]
		pick := h.random.IntN(total)
		for _, op := range operations {
			if pick -= op.weight; pick < 0 {
				h.log = append(h.log, op.name+" "+filepath.Base(b.dir))
				op.do(b)
				break
			}
		}
		h.look(b)
	}
	for _, b := range h.branches {
		for range h.consumers {
			h.consume(b)
		}
	}
}

// open opens the directory, sometimes after a read-only Open, or after Opens that end at once.
func (h *histories) open(b *branch) {
	h.t.Helper()
	opts := &Options{Durability: DurabilityOS, OnCorruption: OnCorruptionQuarantine, Logger: discard,
		Tuning: Tuning{HeadSize: 8 << 10}}
	if exists, _ := Exists(b.dir); exists && h.random.IntN(3) == 0 {
		if reader, err := Open(b.dir, &Options{ReadOnly: true}); err == nil {
			h.see(changesOf(h.t, reader, daybook.Cursor{}))
			_ = reader.Close()
		}
	}
	for again := h.random.IntN(3); ; again-- {
		db, err := Open(b.dir, opts)
		if err != nil {
			h.fatalf("Open: %v", err)
		}
		if b.db = db; again <= 0 {
			break
		}
		if err := db.abandon(); err != nil {
			h.fatalf("abandon: %v", err)
		}
	}
	var err error
	if b.follower, err = Follow(b.dir, daybook.Pattern{}, daybook.Cursor{}); err != nil {
		h.fatalf("Follow: %v", err)
	}
}

// changesOf returns all changes after a cursor, up to a fork.
func changesOf(t *testing.T, db *DB, after daybook.Cursor) (changes []daybook.Change) {
	t.Helper()
	for change, err := range db.Changes(ctx, daybook.ChangesParams{After: after}) {
		if err != nil {
			t.Fatalf("Changes after %v: %v", after, err)
		}
		if !change.IsPlace() {
			changes = append(changes, change)
		}
	}
	return changes
}

// see compares what was read with what was read before.
func (h *histories) see(changes []daybook.Change) {
	h.t.Helper()
	for _, c := range changes {
		value := string(c.Value)
		if before, ok := h.meaning[c.Cursor]; ok && before != value {
			h.fatalf("%v was value %s, and is value %s now", c.Cursor, before, value)
		}
		if before, ok := h.cursorOf[value]; ok && before != c.Cursor {
			h.fatalf("value %s had cursor %v, and has %v now", value, before, c.Cursor)
		}
		h.meaning[c.Cursor], h.cursorOf[value] = value, c.Cursor
	}
}

// look reads the branch as a whole, and the log as a Follower does.
func (h *histories) look(b *branch) {
	h.t.Helper()
	h.see(changesOf(h.t, b.db, daybook.Cursor{}))
	h.follow(b)
}

func (h *histories) follow(b *branch) {
	var changes []daybook.Change
	events, err := readEvents(b.follower)
	for _, event := range events {
		changes = append(changes, event.Change)
	}
	if err != nil && !errors.Is(err, daybook.ErrForked) {
		h.fatalf("Follower: %v", err)
	}
	h.see(changes)
}

func (h *histories) store(b *branch) {
	var batch []daybook.StoredValue
	for range 1 + h.random.IntN(20) {
		h.stored++
		value := json.RawMessage(fmt.Sprintf(`"%d %s"`, h.stored, digits(h.random.IntN(200))))
		batch = append(batch, daybook.StoredValue{RecordName: fmt.Sprint("r", h.random.IntN(3)), Value: value,
			StoredAt: uint64(h.stored)})
	}
	if err := b.db.StoreBatch(ctx, batch); err != nil {
		h.fatalf("StoreBatch: %v", err)
	}
	h.follow(b)
}

// consume lets a consumer take what it has not taken, and then compares what it has with what the
// directory has.
func (h *histories) consume(b *branch) {
	c := h.consumers[h.random.IntN(len(h.consumers))]
	for caughtUp := false; !caughtUp; {
		limit := h.random.IntN(60) // then it stops, as if it had been killed
		for change, err := range b.db.Changes(ctx, daybook.ChangesParams{After: c.place}) {
			var fork *daybook.ForkedError
			if errors.As(err, &fork) {
				c.takeBack(fork.Common)
				break
			}
			if err != nil {
				h.fatalf("Changes after %v: %v", c.place, err)
			}
			if limit--; limit < 0 {
				break
			}
			if c.place = change.Cursor; change.IsPlace() {
				caughtUp = true
				break
			}
			h.see([]daybook.Change{change})
			c.received = append(c.received, change.Cursor)
		}
	}
	h.compare(c, b)
}

// takeBack forgets what was received after a place that both histories share.
func (c *consumer) takeBack(common daybook.Cursor) {
	c.received = slices.DeleteFunc(c.received, func(r daybook.Cursor) bool { return r.Sequence > common.Sequence })
	c.place = common
}

// compare wants each value of the directory once in what the consumer has. What it has beyond that
// must be gone in a way that it was told of. It may also lack a value that another copy of the
// directory has deleted, because it read that copy then.
func (h *histories) compare(c *consumer, b *branch) {
	var want []daybook.Cursor
	for _, change := range changesOf(h.t, b.db, daybook.Cursor{}) {
		want = append(want, change.Cursor)
	}
	without := func(cursors, others []daybook.Cursor) []daybook.Cursor {
		return slices.DeleteFunc(slices.Clone(cursors), func(r daybook.Cursor) bool {
			return !slices.Contains(others, r) && h.gone[h.meaning[r]]
		})
	}
	got := without(c.received, want)
	want = without(want, c.received)
	if !slices.Equal(got, want) {
		h.fatalf("the consumer has %d values, and the directory %d:\n%v\n%v", len(got), len(want), got, want)
	}
}

func (h *histories) kill(b *branch) {
	if err := b.db.abandon(); err != nil {
		h.fatalf("abandon: %v", err)
	}
	h.open(b)
}

func (h *histories) close(b *branch) {
	if err := b.db.Close(); err != nil {
		h.fatalf("Close: %v", err)
	}
	h.open(b)
}

func (h *histories) checkpoint(b *branch) {
	if err := b.db.Checkpoint(ctx); err != nil {
		h.fatalf("Checkpoint: %v", err)
	}
}

func (h *histories) compact(b *branch) {
	if err := b.db.Compact(ctx); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		h.fatalf("Compact: %v", err)
	}
}

// loseEnd kills the process and takes away the last writes to the log that were not synced: the end
// of the last segment, sometimes with its header.
func (h *histories) loseEnd(b *branch) {
	if err := b.db.abandon(); err != nil {
		h.fatalf("abandon: %v", err)
	}
	if path, data := h.lastSegment(b); path != "" {
		from := h.random.IntN(len(data))
		if used := len(bytes.TrimRight(data, "\x00")); h.random.IntN(3) > 0 {
			from = max(used-1-h.random.IntN(used), 104)
		}
		if clear(data[max(from, 104):]); h.random.IntN(4) == 0 {
			prepared := h.preparedHeader(data)
			clear(data)
			copy(data, prepared)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
	h.open(b)
}

// lastSegment returns the last segment in use; an empty path if there is none.
func (h *histories) lastSegment(b *branch) (path string, data []byte) {
	paths, err := filepath.Glob(filepath.Join(b.dir, logName, strings.Repeat("[0-9]", 20)+".log"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, path := range slices.Backward(paths) {
		if data, err = os.ReadFile(path); err == nil && segmentInUse(path, data) {
			return path, data
		}
	}
	return "", nil
}

// damageLog kills the process, and changes a byte of a frame. Open quarantines the log.
func (h *histories) damageLog(b *branch) {
	if err := b.db.abandon(); err != nil {
		h.fatalf("abandon: %v", err)
	}
	if path, data := h.lastSegment(b); path != "" {
		if used := len(bytes.TrimRight(data, "\x00")); used > 104 {
			data[104+h.random.IntN(used-104)] ^= 0x40
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
	h.open(b)
}

// loseTree kills the process, and removes the tree. Open goes on with the log. The values in the
// tree are lost, which Quarantine reports.
func (h *histories) loseTree(b *branch) {
	if err := b.db.abandon(); err != nil {
		h.fatalf("abandon: %v", err)
	}
	if err := os.Remove(filepath.Join(b.dir, TreeFile)); err != nil {
		h.t.Fatal(err)
	}
	h.open(b)
	has := h.valuesOf(b)
	for value := range h.cursorOf {
		h.gone[value] = h.gone[value] || !has[value]
	}
}

func (h *histories) valuesOf(b *branch) map[string]bool {
	values := map[string]bool{}
	for _, change := range changesOf(h.t, b.db, daybook.Cursor{}) {
		values[string(change.Value)] = true
	}
	return values
}

func (h *histories) prune(b *branch) {
	before := h.valuesOf(b)
	if _, err := b.db.Cleanup(ctx, uint64(h.random.IntN(h.stored+1))); err != nil {
		h.fatalf("Cleanup: %v", err)
	}
	after := h.valuesOf(b)
	for value := range maps.Keys(before) {
		h.gone[value] = h.gone[value] || !after[value]
	}
}

// backup backs up an open directory, or one of a killed process, which is opened for reading.
func (h *histories) backup(b *branch) {
	db := b.db
	if h.random.IntN(2) == 0 {
		var err error
		if err = db.abandon(); err == nil {
			db, err = Open(b.dir, &Options{ReadOnly: true})
		}
		if err != nil {
			h.fatalf("to read-only: %v", err)
		}
		defer h.open(b)
		defer db.Close()
	}
	var backup bytes.Buffer
	if err := db.Backup(ctx, &backup); err != nil {
		h.fatalf("Backup: %v", err)
	}
	h.backups = append(h.backups, backup.Bytes())
}

// restore replaces the directory by one that is restored from an older backup.
func (h *histories) restore(b *branch) {
	if len(h.backups) == 0 {
		return
	}
	if err := b.db.Close(); err != nil {
		h.fatalf("Close: %v", err)
	}
	if err := os.RemoveAll(b.dir); err != nil {
		h.t.Fatal(err)
	}
	if err := Restore(ctx, b.dir, bytes.NewReader(h.backups[h.random.IntN(len(h.backups))])); err != nil {
		h.fatalf("Restore: %v", err)
	}
	h.open(b)
}

// copy copies the directory, closed or killed, and from then on uses both.
func (h *histories) copy(b *branch) {
	if len(h.branches) == 3 {
		return
	}
	end := b.db.Close
	if h.random.IntN(2) == 0 {
		end = b.db.abandon
	}
	if err := end(); err != nil {
		h.fatalf("the end: %v", err)
	}
	to := filepath.Join(testenv.DirInMemory(h.t), fmt.Sprint("copy", len(h.branches)))
	if err := os.CopyFS(to, os.DirFS(b.dir)); err != nil {
		h.t.Fatal(err)
	}
	h.open(b)
	h.branches = append(h.branches, h.newBranch(to))
}

// preparedHeader returns the header that a segment had before its first frame, as a power cut may
// leave it. See go doc ./internal/wal for the format.
func (h *histories) preparedHeader(segment []byte) []byte {
	header := bytes.Clone(segment[:104])
	clear(header[24:32])
	binary.LittleEndian.PutUint32(header[40:], crc32.Checksum(header[:40], codec.Castagnoli))
	clear(header[44:100])
	binary.LittleEndian.PutUint32(header[100:], crc32.Checksum(header[:100], codec.Castagnoli))
	return header
}
