// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package powercut

import (
	"encoding/gob"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/crashstate"
	"github.com/daybook-db/daybook/proof/history"
	"github.com/daybook-db/daybook/proof/journal"
	"github.com/daybook-db/daybook/proof/testenv"
)

// recording has the journal of a workload or of a recovery, and the actions that it belongs to.
// Prefix and Number select one of its crash states. A recording that is saved contains all that is
// needed to try that state again.
type recording struct {
	Seed        uint64
	Durability  engine.Durability
	Files       layout
	HeadSize    int64
	ChunkValues int
	Start       *history.History // the knowledge before the journal
	Base        int              // number of first operations, which only make the initial image
	Journal     []journal.Op
	Nested      bool // the journal is that of a recovery
	Ledger      ledger

	Prefix int    // the power is cut after this number of operations
	Number uint64 // of the crash state
}

func (r *recording) options() engine.Options {
	return engine.Options{
		Durability: r.Durability,
		Tuning: engine.Tuning{
			HeadSize:        r.HeadSize,
			TransactionSize: transactionSize,
			ChunkValues:     r.ChunkValues,
			ChunkBytes:      chunkBytes,
		},
		Logger: quiet,
	}
}

// at returns the disk and the knowledge after the first operations of the journal.
func (r *recording) at(prefix int) (*crashstate.Tracker, *history.History) {
	disk, known := crashstate.New(), r.Start.Later()
	for i := range prefix {
		r.step(disk, known, i)
	}
	return disk, known
}

// step applies one operation of the journal to the disk, and a mark to the knowledge.
func (r *recording) step(disk *crashstate.Tracker, known *history.History, i int) {
	op := r.Journal[i]
	disk.Apply(op)
	if op.Kind == journal.Mark {
		known.Note(op.Mark, i)
	}
}

// describe lists the operations that were in doubt, the last operations, and the effect of the
// power cut.
func (r *recording) describe() string {
	disk, _ := r.at(r.Prefix)
	var b strings.Builder
	b.WriteString("These operations were in doubt, or were the last ones:\n")
	inDoubt := make(map[int]bool)
	for _, place := range disk.Unsynced() {
		inDoubt[place] = true
	}
	for i, op := range r.Journal[:r.Prefix] {
		if inDoubt[i] || i >= r.Prefix-5 {
			fmt.Fprintf(&b, "%6d %v\n", i, op)
		}
	}
	b.WriteString("After the power cut:\n")
	for _, line := range disk.Explain(r.Number) {
		fmt.Fprintf(&b, "       %s\n", line)
	}
	return b.String()
}

// save writes the recording to a new file, which replay reads.
func (r *recording) save(t testing.TB) (path string) {
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

// replay tries the crash state of a saved recording again.
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
	if err := tryState(disk.State(r.Number), &r, known, dir, true); err != nil {
		t.Error(err)
	}
}
