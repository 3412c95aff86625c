// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestDefaults fills in the options of a program that sets none.
func TestDefaults(t *testing.T) {
	want := Options{
		LockTimeout: DefaultLockTimeout,
		Tuning: Tuning{
			HeadSize: DefaultHeadSize, TransactionSize: DefaultHeadSize / 4, ChunkValues: DefaultChunkValues,
			ChunkBytes: DefaultChunkBytes,
		},
		Logger: slog.Default(),
	}
	got, err := (*Options)(nil).withDefaults()
	same := cmp.Options{
		cmpopts.IgnoreUnexported(Options{}), cmp.Comparer(func(a, b *slog.Logger) bool { return a == b }),
	}
	if diff := cmp.Diff(want, got, same, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Errorf("(-want +got): %v\n%s", err, diff)
	}
	interval, err := (&Options{Durability: DurabilityInterval}).withDefaults()
	if interval.SyncInterval != DefaultSyncInterval || err != nil {
		t.Errorf("with DurabilityInterval: SyncInterval is %v, %v; want %v",
			interval.SyncInterval, err, DefaultSyncInterval)
	}
}

// TestErrMaxSizeNamesReaders wants the error to name queries and backups only while there are any.
func TestErrMaxSizeNamesReaders(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{MaxSize: MinMaxSize})
	s, err := db.snapshot(allRecords)
	if err != nil {
		t.Fatal(err)
	}
	const readers = "running queries"
	if err := db.errMaxSize(); !errors.Is(err, daybook.ErrNoSpace) || !strings.Contains(err.Error(), readers) {
		t.Errorf("beside a query: got %v; want ErrNoSpace, which names running queries", err)
	}
	s.close()
	if err := db.errMaxSize(); !errors.Is(err, daybook.ErrNoSpace) || strings.Contains(err.Error(), readers) {
		t.Errorf("without a query: got %v; want ErrNoSpace, which names none", err)
	}
}

// TestSessionSize wants the file session to count while it is there.
func TestSessionSize(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, nil)
	if got := db.session.size(); got != sessionLen {
		t.Errorf("of a new daybook: %d bytes; want %d", got, sessionLen)
	}
	mustClose(t, db)
	reader := mustOpen(t, dir, &Options{ReadOnly: true})
	if got := reader.session.size(); got != sessionLen {
		t.Errorf("as a reader sees it: %d bytes; want %d", got, sessionLen)
	}
	if got := (&session{}).size(); got != 0 {
		t.Errorf("without a file: %d bytes; want 0", got)
	}
}

// TestWithoutMaxSizeNoFileIsTooLarge shows that 0 is no maximum.
func TestWithoutMaxSizeNoFileIsTooLarge(t *testing.T) {
	if (budget{}).isTooLarge(sizes{file: 1 << 40}) {
		t.Error("a file of a tebibyte is too large without MaxSize")
	}
	if b := (budget{maxSize: MinMaxSize}); !b.isTooLarge(sizes{file: b.treePart() + reserveSize + 1}) ||
		b.isTooLarge(sizes{file: b.treePart() + reserveSize}) {
		t.Error("with MaxSize a file is not too large from one byte more than its part and the reserve")
	}
}

// TestHoldsOfSeveralEpochs renews the epoch of a hold after one that needs none.
func TestHoldsOfSeveralEpochs(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	for n := range uint64(3) {
		mustStore(t, db, "r", "1", n)
	}
	mustSetHold(t, db, daybook.Hold{Name: "a beginning", MaxBytes: 1 << 20})
	mustSetHold(t, db, daybook.Hold{Name: "b old", At: db.cursorAt(2), MaxBytes: 1 << 20})
	old := db.identity.get().Current().ID
	nothing := daybook.Cursor{Epoch: old} // has been taken of the epoch
	mustSetHold(t, db, daybook.Hold{Name: "c nothing", At: nothing, MaxBytes: 1 << 20})
	for range maxHoldEpochs + 1 {
		begun, _ := db.identity.get().BeginRandom(db.heads.last(), true)
		db.identity.set(begun)
	}
	if err := db.withTurn(ctx, (*turn).renewHoldEpochs); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a beginning", "c nothing"} {
		if got := mustHold(t, db, name).At; got != (daybook.Cursor{}) {
			t.Errorf("the hold %q is at %v; want the beginning", name, got)
		}
	}
	got := mustHold(t, db, "b old").At
	if got.Epoch == old || got.Sequence != 2 || len(db.identity.get().Epochs) > identity.MaxEpochs {
		t.Errorf("the other hold is at %v; want number 2 in a later epoch than %x", got, old)
	}
}

// TestEvidenceIsReleased opens a directory that was not closed. Once the tree knows the new epoch,
// the log needs no evidence of it. The log has no values that the tree has not: otherwise they are
// posted in the background after Open, and the epoch with them.
func TestEvidenceIsReleased(t *testing.T) {
	dir := testenv.TempDir(t)
	killed := mustOpen(t, dir, nil)
	mustStore(t, killed, "r", "1", 1)
	if err := errors.Join(killed.Checkpoint(ctx), killed.abandon()); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, dir, nil)
	taken := mustTakeTurn(t, db)
	defer taken.end()
	if !db.log.KeepsEvidence() {
		t.Fatal("the log keeps no evidence of the new epoch")
	}
	taken.releaseLog()
	if keeps, saved := db.log.KeepsEvidence(), taken.tree().IdentitySaved(); keeps || !saved {
		t.Errorf("evidence is kept: %v; the tree knows the epoch: %v", keeps, saved)
	}
}

// TestDropOldestDropsNoMoreThanItMust calls dropOldest while there is room.
func TestDropOldestDropsNoMoreThanItMust(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest})
	for n := range uint64(50) {
		mustStore(t, db, "r", `"`+digits(1000)+`"`, n)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	if err := db.withTurn(ctx, func(t *turn) error { return t.dropOldest(ctx, ctx, demand{values: 1}) }); err != nil {
		t.Fatal(err)
	}
	if got := mustStats(t, db); got.Values != 50 || got.ValuesDropped != 0 {
		t.Errorf("%d values remain, %d were dropped; want 50 and 0", got.Values, got.ValuesDropped)
	}
}

// TestPruneLeavesNoSelection prunes some records. A later deletion of another kind must not go on
// where that Prune stopped.
func TestPruneLeavesNoSelection(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	if err := db.Store(ctx, "r", json.RawMessage("1"), 1); err != nil {
		t.Fatal(err)
	}
	if deleted, err := db.Prune(ctx, "r", daybook.PruneParams{OlderThan: 2}); deleted != 1 || err != nil {
		t.Fatalf("Prune = %d, %v", deleted, err)
	}
	taken := mustTakeTurn(t, db)
	defer taken.end()
	if taken.selection != "" || taken.place.selection != "" || taken.place.done != nil {
		t.Errorf("the turn still has the selection %q and the place %+v", taken.selection, taken.place)
	}
}

// TestWindowGoesOnAfterItsEnd ends a window of changes earlier. The next one begins with the value
// after that end, neither earlier nor later.
func TestWindowGoesOnAfterItsEnd(t *testing.T) {
	w := changeWindow{through: 9, nextAfter: 10}
	for sequence := range uint64(9) {
		w.changes = append(w.changes, tree.Change{Record: "r", Entry: codec.Entry{Sequence: sequence + 1}})
	}
	w.endAt(4)
	if w.through != 4 || w.nextAfter != 5 || len(w.changes) != 4 {
		t.Errorf("the window has %d values, through %d; the next follows %d; want 4, 4 and 5",
			len(w.changes), w.through, w.nextAfter)
	}
}

// TestBoundOfHolds divides half of MaxSize among holds that spare too much together.
func TestBoundOfHolds(t *testing.T) {
	const half = 1 << 20
	holds := func(bounds ...uint64) (all []*hold) {
		for _, b := range bounds {
			all = append(all, &hold{Hold: daybook.Hold{MaxBytes: b}})
		}
		return all
	}
	for _, test := range []struct {
		name    string
		maxSize int64
		bounds  []uint64
		want    []uint64
	}{
		{"no MaxSize", 0, []uint64{0, 5}, []uint64{0, 5}},
		{"all fit", 2 * half, []uint64{100, half - 101}, []uint64{100, half - 101}},
		{"just too many", 2 * half, []uint64{100, half - 100}, []uint64{100, half / 2}},
		{"one without a bound", 2 * half, []uint64{0, 100}, []uint64{half / 2, 100}},
		{"larger than any sum", 2 * half, []uint64{math.MaxUint64, math.MaxUint64}, []uint64{half / 2, half / 2}},
	} {
		db, all := &DB{opts: Options{MaxSize: test.maxSize}}, holds(test.bounds...)
		for i, h := range all {
			if got := db.maxBytesOf(h, all); got != test.want[i] {
				t.Errorf("%s: hold %d: got %d; want %d", test.name, i, got, test.want[i])
			}
		}
	}
}

// TestPruneOfOthersBeginsAnew wants a Prune to go on only where one of the same records stopped.
func TestPruneOfOthersBeginsAnew(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	taken := mustTakeTurn(t, db)
	defer taken.end()
	rule := tree.Rule{OlderThan: 5}
	taken.place = prunePlace{selection: "a", rule: rule, done: []tree.Rule{rule}, damage: daybook.ErrCorrupt}
	for selection, wantDone := range map[string]bool{"a": true, "b": false, "": false} {
		taken.selection = selection
		place, isDone := taken.resumed(rule, nil)
		if isDone != wantDone || (place.damage != nil) != wantDone || place.selection != selection {
			t.Errorf("selection %q: done is %v, place %+v; want %v", selection, isDone, place, wantDone)
		}
	}
	for selection, wantKept := range map[string]bool{"a": false, "b": true} {
		taken.selection, taken.place = selection, prunePlace{selection: "a", rule: rule}
		taken.remember(ctx, prunePlace{selection: selection}, daybook.ErrFailed)
		if kept := taken.place.selection == "a"; kept != wantKept {
			t.Errorf("a Prune of %q fails: the place of \"a\" is kept: %v; want %v", selection, kept, wantKept)
		}
	}
	taken.selection, taken.place = "", prunePlace{}
}

// TestSessionIsOver compares a session with trees that later processes wrote, or that know nothing
// of it.
func TestSessionIsOver(t *testing.T) {
	parent, own, other := [16]byte{1}, [16]byte{2}, [16]byte{3}
	r := sessionRecord{origin: identity.Origin{Epoch: own, Parent: parent, Shared: 10}}
	epochs := func(all ...identity.Epoch) identity.Identity { return identity.Identity{Epochs: all} }
	for _, test := range []struct {
		name      string
		saved     identity.Identity
		watermark uint64
		want      bool
	}{
		{"the tree is in the session's epoch", epochs(identity.Epoch{ID: parent}, identity.Epoch{ID: own, Shared: 10}),
			20, false},
		{"the tree does not know the epoch yet", epochs(identity.Epoch{ID: parent}), 10, false},
		{"it has values after the beginning of the epoch", epochs(identity.Epoch{ID: parent}), 11, true},
		{"a later epoch follows", epochs(identity.Epoch{ID: own, Shared: 10}, identity.Epoch{ID: other, Shared: 10}),
			10, true},
		{"another epoch begins there", epochs(identity.Epoch{ID: parent}, identity.Epoch{ID: other, Shared: 10}),
			10, true},
		{"another epoch begins before", epochs(identity.Epoch{ID: parent}, identity.Epoch{ID: other, Shared: 9}),
			10, false},
	} {
		if got := r.isOver(test.saved, test.watermark); got != test.want {
			t.Errorf("%s: got %v; want %v", test.name, got, test.want)
		}
	}
}

// TestTrailerVersion: an older program reads a backup unless values follow its tree.
func TestTrailerVersion(t *testing.T) {
	for unposted, want := range map[int64]uint32{0: 1, 5: 2} {
		trailer := appendTrailer(nil, 100, unposted, sha256.New())
		if got := binary.LittleEndian.Uint32(trailer[8:]); got != want || unpostedLen(trailer) != unposted {
			t.Errorf("with %d bytes of values: version %d, %d bytes; want version %d",
				unposted, got, unpostedLen(trailer), want)
		}
		if err := verifyTrailer(trailer, 100, sha256.New()); err != nil {
			t.Error(err)
		}
		for _, version := range []uint32{0, backupVersion + 1} {
			binary.LittleEndian.PutUint32(trailer[8:], version)
			binary.LittleEndian.PutUint32(trailer[60:], crc32.Checksum(trailer[:60], codec.Castagnoli))
			if err := verifyTrailer(trailer, 100, sha256.New()); !errors.Is(err, daybook.ErrVersion) {
				t.Errorf("version %d: got %v; want ErrVersion", version, err)
			}
		}
	}
}

// TestFewRecordsAreCounted wants Stats to estimate only where there are many records.
func TestFewRecordsAreCounted(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	for n := range uint64(10) {
		mustStore(t, db, fmt.Sprint(n%5), "1", n)
	}
	if got := mustStats(t, db); got.RecordsEstimated || got.Records != 5 || got.Values != 10 {
		t.Errorf("%d records, estimated: %v; %d values; want 5, exactly, and 10",
			got.Records, got.RecordsEstimated, got.Values)
	}
}

// TestClaimOfAFilledTree claims a tree that another process has made since the directory was empty.
func TestClaimOfAFilledTree(t *testing.T) {
	dir := mustOpenDirectory(t, testenv.TempDir(t))
	if err := os.WriteFile(dir.file(TreeFile), []byte("a tree"), 0o600); err != nil {
		t.Fatal(err)
	}
	if claim, err := dir.claimTree(); !errors.Is(err, fs.ErrExist) || claim != nil {
		t.Errorf("got %v, %v; want fs.ErrExist", claim, err)
	}
}

// TestWatcherBeginsAfterTheLastValue adds a watcher beside one that has values already.
func TestWatcherBeginsAfterTheLastValue(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	if _, err := db.Watch(watching, "*", daybook.WatchParams{}); err != nil {
		t.Fatal(err)
	}
	for n := range uint64(3) {
		mustStore(t, db, "r", "1", n)
	}
	w := &watcher{pattern: allRecords, maxWaiting: 1, wake: make(chan struct{}, 1)}
	if err := db.watchers.add(ctx, w); err != nil {
		t.Fatal(err)
	}
	defer db.watchers.remove(w)
	if w.after != 3 {
		t.Errorf("it receives values after number %d; want 3", w.after)
	}
}

// TestRemovedFileIsForgotten wants no note of a file that was removed from quarantine: the next one
// may get its name.
func TestRemovedFileIsForgotten(t *testing.T) {
	dir, files := quarantineLogAndTree(t)
	db := mustOpen(t, dir, nil)
	db.quarantined.add(files[0].Path, daybook.ErrCorrupt)
	if err := db.RemoveQuarantined(ctx, files[0].Name); err != nil {
		t.Fatal(err)
	}
	if notes := db.quarantined.toSave(); notes[quarantineNotes+files[0].Name] != nil {
		t.Errorf("the note of %s would be saved: %s", files[0].Name, notes)
	}
}

// TestDropByCopy drops values by a copy of the others. It keeps those that were stored last, those
// that may not be dropped, and those that a hold spares.
func TestDropByCopy(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{
		MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest, DropExcept: []daybook.Pattern{{Text: "kept"}},
		Logger: discard,
	})
	mustStore(t, db, "kept", "1", 1)
	mustStore(t, db, "held", "2", 1)
	mustSetHold(t, db, daybook.Hold{Name: "h", Pattern: daybook.Pattern{Text: "held"}, MaxBytes: 1000})
	const all = 6000
	for n := uint64(0); n < all; {
		var batch []daybook.StoredValue
		for range 200 {
			value := json.RawMessage(`"` + digits(1000) + `"`)
			batch, n = append(batch, daybook.StoredValue{RecordName: "r", Value: value, StoredAt: n}), n+1
		}
		if err := db.StoreBatch(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
	mustCheckpointed(t, db)
	before := mustStats(t, db)
	taken := mustTakeTurn(t, db)
	deleted, err := taken.dropByCopy(ctx)
	taken.end()
	if err != nil || deleted == 0 || deleted >= before.Values-2 {
		t.Fatalf("dropByCopy = %d, %v; want some of %d values", deleted, err, before.Values)
	}
	after := mustStats(t, db)
	if after.Values != before.Values-deleted || after.TreeBytes >= before.TreeBytes {
		t.Errorf("%d values in %d bytes; want %d in less than %d",
			after.Values, after.TreeBytes, before.Values-deleted, before.TreeBytes)
	}
	wantRows(t, mustQuery(t, db, "kept", daybook.QueryParams{}), row{"kept", "1", 1})
	wantRows(t, mustQuery(t, db, "held", daybook.QueryParams{}), row{"held", "2", 1})
	left := mustQuery(t, db, "r", daybook.QueryParams{})
	if len(left) < all/8 || left[0].At != all-1 || left[len(left)-1].At != all-uint64(len(left)) {
		t.Errorf("%d values remain; want those that were stored last", len(left))
	}
	if hold := mustHold(t, db, "h"); hold.Lost != 0 {
		t.Errorf("the hold has lost %d values; want none", hold.Lost)
	}
}

// TestWindowKeepsALargeValue shortens a window whose first value alone is larger than a window.
func TestWindowKeepsALargeValue(t *testing.T) {
	w := changeWindow{through: 9, nextAfter: 10}
	for sequence, size := range map[uint64]int{3: maxWindowBytes + 1, 5: 1} {
		entry := codec.Entry{Sequence: sequence, Value: make([]byte, size)}
		w.changes = append(w.changes, tree.Change{Record: "r", Entry: entry})
	}
	w.shorten()
	changes, through := w.take()
	if len(changes) != 1 || changes[0].Sequence != 3 || through != 3 {
		t.Errorf("%d values, through %d; want the first one, through 3", len(changes), through)
	}
}

// TestIsUnposted wants a head to count only while it has values that are not in the tree.
func TestIsUnposted(t *testing.T) {
	reader := new(head.Reader)
	for _, test := range []struct {
		head capturedHead
		want bool
	}{
		{capturedHead{}, false}, {capturedHead{reader: reader}, false},
		{capturedHead{values: 1}, false}, {capturedHead{reader: reader, values: 1}, true},
	} {
		if got := test.head.isUnposted(); got != test.want {
			t.Errorf("%+v: got %v; want %v", test.head, got, test.want)
		}
	}
}

// TestSearchThatNobodyWaitsFor wants a search to go on without a caller, but not after Close.
func TestSearchThatNobodyWaitsFor(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	s := &cutoffSearch{db: db}
	want := func(when string, want error) {
		t.Helper()
		if got := s.Err(); !errors.Is(got, want) {
			t.Errorf("%s: got %v; want %v", when, got, want)
		}
	}
	want("while a caller waits", nil)
	s.abandoned.Store(true)
	want("without a caller", nil)
	mustClose(t, db)
	want("without a caller, after Close", context.Canceled)
	s.abandoned.Store(false)
	want("with a caller, after Close", nil)
	s.void.Store(true)
	want("void", context.Canceled)
}

// TestEstimateEndsWithItsContext estimates the number of records with a context that has ended.
func TestEstimateEndsWithItsContext(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	mustStore(t, db, "r", "1", 1)
	s, err := db.snapshot(allRecords)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.estimateRecords(ended, &daybook.Stats{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; want context.Canceled", err)
	}
}

// TestSampleChangesNoOtherHold samples a changed copy of a hold. It may turn out not to be saved.
func TestSampleChangesNoOtherHold(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	future := holdSample{Time: 2_000_000, Sequence: 5}
	h := &hold{Hold: daybook.Hold{MaxAge: time.Hour}, samples: []holdSample{future}}
	changed := *h
	changed.sample(now, 5)
	if h.samples[0] != future || changed.samples[0].Time != now.UnixMilli() {
		t.Errorf("the hold has %+v, its changed copy %+v; want %+v, and a sample of now",
			h.samples, changed.samples, future)
	}
}

// TestArrivalsAreBounded notes more arrivals than wait for the turn at most.
func TestArrivalsAreBounded(t *testing.T) {
	a, clock := &arrivals{}, &holdClock{}
	for n := range uint64(3 * maxArrivals) {
		a.note(clock, n+1)
	}
	samples := a.take()
	if n := len(samples); n == 0 || n >= maxArrivals || samples[n-1].Sequence != 3*maxArrivals {
		t.Errorf("%d samples; want fewer than %d, and the last arrival among them", n, maxArrivals)
	}
}
