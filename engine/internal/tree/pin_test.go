// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
)

// pinTest is a writer that has posted some rounds. It looks for readers in its own directory.
type pinTest struct {
	*testing.T
	fs     disk.FS
	path   string
	writer *Tree
	rounds int
}

func newPinTest(t *testing.T) *pinTest {
	t.Helper()
	if FillsMapping {
		t.Skip("in the mapping of a small file no commit has room beside a pin there")
	}
	dir := t.TempDir()
	p := &pinTest{T: t, fs: openDirectory(t, dir), path: filepath.Join(dir, "tree.db")}
	var err error
	if p.writer, err = Open(p.fs, p.path, p.options()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.writer.Close() })
	p.post(3)
	return p
}

func (p *pinTest) options() Options {
	opts := options()
	opts.Log = filepath.Dir(p.path)
	return opts
}

func (p *pinTest) post(rounds int) {
	p.Helper()
	for range rounds {
		mustPost(p.T, p.writer, p.rounds)
		p.rounds++
	}
}

// openReader opens a reader beside the writer. It returns the number of rounds that it shows.
func (p *pinTest) openReader() (reader *Tree, rounds int) {
	p.Helper()
	reader, err := OpenBeside(p.fs, p.path, p.options())
	if err != nil {
		p.Fatal(err)
	}
	if !reader.IsNewest() || !reader.IsBeside() {
		p.Fatal("a reader beside a writer that does nothing does not show the newest commit")
	}
	return reader, p.rounds
}

// isPinned posts a round, and reports whether the writer has a pin then.
func (p *pinTest) isPinned() bool {
	p.Helper()
	p.post(1)
	return p.writer.pin.tx != nil
}

// TestPinKeepsPages replaces the pages of a reader that has read none of them.
func TestPinKeepsPages(t *testing.T) {
	p := newPinTest(t)
	if p.isPinned() {
		t.Fatal("there is a pin without a reader")
	}
	reader, rounds := p.openReader()
	p.post(5)
	later, laterRounds := p.openReader()
	p.post(5)
	for of, want := range map[*Tree]int{reader: rounds, later: laterRounds} {
		entries, err := read(of, "record.150")
		if err != nil || len(entries) != want*valuesPerRound {
			t.Errorf("a reader of %d rounds reads %d values, %v", want, len(entries), err)
		}
		if of.IsNewest() {
			t.Error("a reader of an earlier commit is said to show the newest one")
		}
	}
	if err := later.Close(); err != nil || !p.isPinned() {
		t.Errorf("Close: %v, or the pin has ended before the last reader", err)
	}
	if err := reader.Close(); err != nil || p.isPinned() {
		t.Errorf("Close: %v, or the pin has not ended with the last reader", err)
	}
	wantRounds(t, p.writer, p.rounds)
}

// TestPinEnds keeps a reader open, as one that was stopped. The writer gives the pin up, and makes
// another one only after that reader.
func TestPinEnds(t *testing.T) {
	for name, limit := range map[string]func(p *pin){
		"after a time": func(p *pin) { p.maxTime = time.Nanosecond },
		"when much is pinned": func(p *pin) {
			p.minBytes = 0 // then a quarter of the file
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPinTest(t)
			limit(&p.writer.pin)
			reader, _ := p.openReader()
			sizes := [2]int64{}
			for i := range sizes {
				p.post(10)
				sizes[i] = p.writer.pinnedBytes()
			}
			if p.writer.pin.tx != nil || !p.writer.pin.isUsedUp {
				t.Fatal("the pin goes on for ever")
			}
			if _, err := read(reader, "record.150"); !errors.Is(err, daybook.ErrLocked) {
				t.Errorf("the reader got %v after the pin; want ErrLocked", err)
			}
			if sizes[1] > 2*sizes[0]+1<<20 {
				t.Errorf("%d bytes are pinned, then %d", sizes[0], sizes[1])
			}
			if err := reader.Close(); err != nil || p.isPinned() {
				t.Errorf("Close: %v, or there is a pin without a reader", err)
			}
			p.writer.pin.maxTime, p.writer.pin.minBytes = time.Hour, defaultMinPinBytes
			reader, _ = p.openReader()
			if !p.isPinned() {
				t.Error("another reader has no pin")
			}
			if err := reader.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPinGivesWay makes a commit that has no space, or that may outgrow the mapping, beside a pin.
func TestPinGivesWay(t *testing.T) {
	p := newPinTest(t)
	reader, _ := p.openReader()
	defer reader.Close()
	if !p.isPinned() {
		t.Fatal("there is no pin")
	}
	calls := 0
	err := p.writer.commit(0, func(*bbolt.Tx) error {
		if calls++; calls == 1 {
			return syscall.ENOSPC
		}
		return nil
	})
	if err != nil || calls != 2 || p.writer.pin.tx != nil {
		t.Errorf("on a full disk: %v after %d calls; want a second one without the pin", err, calls)
	}
	p.writer.pin.isUsedUp = false
	if !p.isPinned() {
		t.Fatal("there is no pin again")
	}
	snapshot, err := p.writer.Snapshot() // then a commit is tried that seems too large
	if err != nil {
		t.Fatal(err)
	}
	err = p.writer.commit(p.writer.mapping, func(*bbolt.Tx) error { return nil })
	if snapshot.Close(); err != nil || p.writer.pin.tx != nil {
		t.Errorf("a commit that may outgrow the mapping beside a snapshot: %v, or it has kept the pin", err)
	}
	if !p.isPinned() {
		t.Fatal("there is no pin after that")
	}
	done := make(chan error, 1)
	go func() { done <- p.writer.commit(p.writer.mapping, func(*bbolt.Tx) error { return nil }) }()
	select {
	case err := <-done:
		if err != nil || p.writer.pin.tx != nil {
			t.Errorf("a commit that may outgrow the mapping: %v, or it has kept the pin", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("a commit that may outgrow the mapping waits for the pin")
	}
	if p.writer.SetMaxBytes(1 << 40); p.isPinned() {
		t.Error("there is a pin although the size of the file has a maximum")
	}
}
