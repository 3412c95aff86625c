// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package powercut

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/crashstate"
	"github.com/daybook-db/daybook/proof/fusedisk"
	"github.com/daybook-db/daybook/proof/journal"
	"github.com/daybook-db/daybook/proof/testenv"
)

// A directedCut is one rare operation, which the random workloads do not do. The power is cut after
// each operation of the disk in it and after its end.
type directedCut struct {
	name, reason string

	// base makes the directory before the operation.
	base func(t *testing.T, dir string)
	// act does the operation. What it leaves open is closed by a cleanup of t, after the power cut.
	act func(t *testing.T, disk *fusedisk.Disk, dir string) error
	// check judges a state. passed has the marks before the power cut.
	check func(dir string, passed map[string]bool) error
}

// finished is the mark of the end of an operation.
const finished = "finished"

var directedCuts = []directedCut{
	{
		name: "restore", reason: "after Restore has returned, the history is there, whole",
		base:  func(*testing.T, string) {},
		act:   restoreBackup,
		check: wantRestored,
	},
	{
		name: "quarantine of the tree", reason: "the damaged file stays, and so do the log's values and later ones",
		base:  damagedTreeAndLog,
		act:   openAndStore,
		check: wantAfterQuarantine("daybook", "from the log", "stored after the quarantine"),
	},
	{
		name: "quarantine of the log", reason: "the damaged log stays, and so do the tree's values and later ones",
		base:  damagedLog,
		act:   openAndStore,
		check: wantAfterQuarantine("wal", "from the tree", "stored after the quarantine"),
	},
	{
		name: "an append that fails", reason: "the value whose Store failed must not come back after the next one",
		base:  func(*testing.T, string) {},
		act:   failAnAppend,
		check: wantNoRefusedValue,
	},
	{
		name: "a log in one segment", reason: "the last segment is used again, and nothing acknowledged is lost",
		base:  func(*testing.T, string) {},
		act:   storeInOneSegment,
		check: wantStoredPrefix,
	},
}

// TestDirectedCuts cuts the power everywhere in each directed operation.
func TestDirectedCuts(t *testing.T) {
	disk := fusedisk.MountFor(t)
	for _, cut := range directedCuts {
		t.Run(cut.name, func(t *testing.T) {
			cut.run(t, disk)
		})
	}
}

func (d *directedCut) run(t *testing.T, disk *fusedisk.Disk) {
	prepared := testenv.DirInMemory(t)
	if err := os.MkdirAll(filepath.Join(prepared, dbDir), 0o700); err != nil {
		t.Fatal(err)
	}
	d.base(t, filepath.Join(prepared, dbDir))
	image, err := journal.ReadImage(prepared)
	if err != nil {
		t.Fatal(err)
	}
	base, err := disk.Load(image)
	if err == nil {
		err = d.act(t, disk, filepath.Join(disk.Dir(), dbDir))
	}
	if err == nil {
		_, err = disk.Mark(finished)
	}
	if err != nil {
		t.Fatal(err)
	}
	ops, err := disk.Journal(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d operations (%s)", len(ops)-base, d.reason)
	d.cutEverywhere(t, ops, base)
}

func (d *directedCut) cutEverywhere(t *testing.T, ops []journal.Op, base int) {
	dir := testenv.DirInMemory(t)
	tracker, passed, failures := crashstate.New(), make(map[string]bool), 0
	for i, op := range ops {
		tracker.Apply(op)
		passed[op.Mark] = true
		if i+1 < base {
			continue
		}
		for _, number := range []uint64{
			crashstate.NothingUnsynced, crashstate.EverythingUnsynced, 2 + rand.Uint64()>>1,
		} {
			state := filepath.Join(dir, fmt.Sprint(i, "-", number))
			err := errors.Join(os.Mkdir(state, 0o700), tracker.State(number).WriteTo(state))
			if err == nil {
				err = d.check(filepath.Join(state, dbDir), passed)
			}
			if err != nil {
				t.Errorf("power cut after operation %d of %d (%v), state %d: %v\n%s", i, len(ops), op, number, err,
					strings.Join(tracker.Explain(number), "\n"))
				failures++
			}
			if err := os.RemoveAll(state); err != nil {
				t.Fatal(err)
			}
			if failures == maxFailures {
				return
			}
		}
	}
}

// fill stores the texts as values.
func fill(db *engine.DB, texts ...string) error {
	for i, text := range texts {
		value, err := json.Marshal(text)
		if err != nil {
			return err
		}
		if err := db.Store(context.Background(), "r", value, uint64(i+1)); err != nil {
			return err
		}
	}
	return nil
}

// textsIn returns the texts of all values, sorted.
func textsIn(db *engine.DB) ([]string, error) {
	values, err := queryAll(db)
	texts := make(map[string]bool)
	for _, v := range values {
		var text string
		if err := json.Unmarshal(v.Value, &text); err != nil {
			return nil, err
		}
		texts[text] = true
	}
	return slices.Sorted(maps.Keys(texts)), err
}

func quietOptions() *engine.Options {
	return &engine.Options{Logger: quiet, OnCorruption: engine.OnCorruptionQuarantine}
}

func restoreBackup(_ *testing.T, _ *fusedisk.Disk, dir string) error {
	source, err := os.MkdirTemp("", "daybook")
	if err != nil {
		return err
	}
	defer os.RemoveAll(source)
	db, err := engine.Open(source, quietOptions())
	if err != nil {
		return err
	}
	var backup bytes.Buffer
	err = errors.Join(fill(db, "a", "b", "c"), db.Backup(context.Background(), &backup), db.Close())
	if err != nil {
		return err
	}
	return engine.Restore(context.Background(), dir, &backup)
}

func wantRestored(dir string, passed map[string]bool) error {
	db, err := engine.Open(dir, &engine.Options{Logger: quiet})
	if err != nil {
		return err
	}
	texts, err := textsIn(db)
	if err == nil && !slices.Equal(texts, []string{"a", "b", "c"}) && (passed[finished] || len(texts) > 0) {
		err = fmt.Errorf("it has the values %q; want a, b and c, or before the end none", texts)
	}
	return errors.Join(err, db.Check(context.Background()), db.Close())
}

// damagedTreeAndLog makes a directory whose tree cannot be opened, and whose log has a value.
func damagedTreeAndLog(t *testing.T, dir string) {
	whole := testenv.DirInMemory(t)
	db, err := engine.Open(whole, quietOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := fill(db, "from the log"); err != nil {
		t.Fatal(err)
	}
	killed(t, whole, dir) // while it is open
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, engine.TreeFile)
	tree, err := os.ReadFile(path)
	if err == nil {
		clear(tree[:2*os.Getpagesize()])
		err = os.WriteFile(path, tree, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// damagedLog makes a directory whose tree has a value, and whose log is damaged.
func damagedLog(t *testing.T, dir string) {
	whole := testenv.DirInMemory(t)
	db, err := engine.Open(whole, quietOptions())
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(fill(db, "from the tree"), db.Checkpoint(context.Background()),
		fill(db, "lost with the log", "too"))
	if err != nil {
		t.Fatal(err)
	}
	killed(t, whole, dir)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "wal", "*.log"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("segments %q, %v", segments, err)
	}
	for _, path := range segments {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(data, []byte("lost with the log")); at >= 0 {
			data[at] ^= 1
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// killed copies an open directory, as the death of its process would leave it.
func killed(t *testing.T, from, to string) {
	if err := journal.CopyOpenDir(to, from); err != nil {
		t.Fatal(err)
	}
}

func openAndStore(t *testing.T, _ *fusedisk.Disk, dir string) error {
	db, err := engine.Open(dir, quietOptions())
	if err != nil {
		return err
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := fill(db, "stored after the quarantine"); err != nil {
		return err
	}
	stats, err := db.Stats(context.Background())
	if err == nil && len(stats.Quarantined) == 0 {
		err = errors.New("nothing was quarantined: the directory is not damaged enough for this test")
	}
	return err
}

// wantAfterQuarantine wants the damaged file or directory, under its own name or that of a file in
// quarantine, and the values that must be visible: the second only after the end.
func wantAfterQuarantine(damaged, before, after string) func(string, map[string]bool) error {
	return func(dir string, passed map[string]bool) error {
		kept, err := filepath.Glob(filepath.Join(dir, damaged+".corrupt-*"))
		if err != nil {
			return err
		}
		if passed[finished] && len(kept) == 0 {
			return fmt.Errorf("the damaged file is not there: got %q; want %s.corrupt-*", kept, damaged)
		}
		db, err := engine.Open(dir, quietOptions())
		if err != nil {
			return err
		}
		texts, err := textsIn(db)
		if err == nil && (!slices.Contains(texts, before) || passed[finished] && !slices.Contains(texts, after)) {
			err = fmt.Errorf("it has the values %q; want %q, and after the end %q", texts, before, after)
		}
		stats, statsErr := db.Stats(context.Background())
		// An unfinished new tree is put into quarantine too.
		if statsErr == nil && len(kept)+len(stats.Quarantined) == 0 {
			err = errors.Join(err, errors.New("the damaged file is not in quarantine"))
		}
		return errors.Join(err, statsErr, db.Check(context.Background()), db.Close())
	}
}

const refused = "refused"

// failAnAppend stores a value whose frame reaches the disk although the write fails, and another
// one after it.
func failAnAppend(t *testing.T, disk *fusedisk.Disk, dir string) error {
	db, err := engine.Open(dir, quietOptions())
	if err != nil {
		return err
	}
	t.Cleanup(func() { _ = db.Close() })
	err = errors.Join(fill(db, "acknowledged"), disk.Inject(fusedisk.Fault{
		Kinds: []journal.OpKind{journal.Write}, Glob: dbDir + "/wal/" + strings.Repeat("?", 20) + ".log",
		Times: 1, Errno: syscall.ENOSPC, Written: 1 << 20,
	}))
	if err != nil {
		return err
	}
	if err := fill(db, "refused"); !errors.Is(err, daybook.ErrNoSpace) {
		return fmt.Errorf("Store on a full disk: got %w; want ErrNoSpace", err)
	}
	if _, err := disk.Mark(refused); err != nil {
		return err
	}
	return errors.Join(disk.Inject(), fill(db, "stored later"))
}

func wantNoRefusedValue(dir string, passed map[string]bool) error {
	db, err := engine.Open(dir, quietOptions())
	if err != nil {
		return err
	}
	texts, err := textsIn(db)
	switch {
	case err != nil:
	case passed[refused] && slices.Contains(texts, "refused"):
		err = fmt.Errorf("a value is there whose Store returned ErrNoSpace: %q", texts)
	case passed[refused] && !slices.Contains(texts, "acknowledged"),
		passed[finished] && !slices.Contains(texts, "stored later"):
		err = fmt.Errorf("an acknowledged value is missing: %q", texts)
	}
	return errors.Join(err, db.Check(context.Background()), db.Close())
}
