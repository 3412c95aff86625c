// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/daybook-db/daybook"
)

// killDirEnv tells a child of this test where to store until it is killed.
const killDirEnv = "DAYBOOK_TEST_KILL_DIR"

const (
	killWriters = 4
	killBatch   = 3 // values in the batches of the odd writers
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDirEnv); dir != "" {
		fmt.Fprintln(os.Stderr, storeUntilKilled(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// storeUntilKilled stores from several goroutines, each going on where the writer of its name stopped, and
// prints "writer number" after each acknowledgement.
func storeUntilKilled(dir string) error {
	db, err := Open(dir, &Options{HeadSize: 8 << 10, ChunkValues: 16, Logger: discard})
	if err != nil {
		return err
	}
	var mu sync.Mutex // a line is printed whole
	failed := make(chan error)
	for writer := range killWriters {
		name := fmt.Sprintf("writer.%d", writer)
		next, err := nextNumber(db, name)
		if err != nil {
			return err
		}
		go func() {
			for number := next; ; number++ {
				if err := storeNumber(db, name, writer, number); err != nil {
					failed <- err
					return
				}
				mu.Lock()
				fmt.Printf("%d %d\n", writer, number)
				mu.Unlock()
			}
		}()
	}
	return <-failed
}

func nextNumber(db *DB, name string) (uint64, error) {
	latest, err := db.Query(ctx, name, daybook.Latest(1))
	if err != nil || len(latest) == 0 {
		return 0, err
	}
	return latest[0].StoredAt + 1, nil
}

func storeNumber(db *DB, name string, writer int, number uint64) error {
	value := json.RawMessage(fmt.Sprintf(`{"number":%d}`, number))
	if writer%2 == 0 {
		return db.Store(ctx, name, value, number)
	}
	batch := make([]daybook.StoredValue, killBatch)
	for i := range batch {
		batch[i] = daybook.StoredValue{RecordName: name, Value: value, StoredAt: number}
	}
	return db.StoreBatch(ctx, batch)
}

// TestKill kills a process in the middle of concurrent stores, twenty times in a row on one directory.
// After each, every acknowledged value is there, in order, batches whole, and nothing that was never
// attempted.
func TestKill(t *testing.T) {
	const rounds = 20
	dir := t.TempDir()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var acked [killWriters]int64 // greatest acknowledged number
	for i := range acked {
		acked[i] = -1
	}
	for round := range rounds {
		storeAndKill(t, dir, 50+random.IntN(1500), &acked)
		// Reading alone leaves the log for the next child to recover; opening recovers it here.
		db, err := Open(dir, &Options{ReadOnly: round%2 == 0, Logger: discard})
		if err != nil {
			t.Fatalf("round %d: Open: %v", round, err)
		}
		for writer := range acked {
			checkWriter(t, db, writer, &acked[writer])
		}
		mustClose(t, db)
		if t.Failed() {
			t.Fatalf("round %d failed", round)
		}
	}
	t.Logf("acknowledged in the end: %v", acked)
}

// storeAndKill runs a child, notes what it acknowledges, and kills it after so many lines.
func storeAndKill(t *testing.T, dir string, lines int, acked *[killWriters]int64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), killDirEnv+"="+dir)
	var stderr strings.Builder
	child.Stderr = &stderr
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewScanner(stdout)
	for seen := 0; out.Scan(); seen++ {
		var writer, number int64
		if n, _ := fmt.Sscanf(out.Text(), "%d %d", &writer, &number); n == 2 {
			acked[writer] = max(acked[writer], number)
		}
		if seen == lines { // lines that are in the pipe already are read all the same
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait()
	if stderr.Len() > 0 {
		t.Fatalf("the child failed: %s", &stderr)
	}
}

// checkWriter holds a writer's values against what was acknowledged. One more may be there: the one that
// was being stored.
func checkWriter(t *testing.T, db *DB, writer int, acked *int64) {
	t.Helper()
	copies := 1
	if writer%2 == 1 {
		copies = killBatch
	}
	values, err := db.Query(ctx, fmt.Sprintf("writer.%d", writer), daybook.QueryParams{Order: daybook.OldestFirst})
	if err != nil {
		t.Fatalf("Query: %v", err)
	}
	if len(values)%copies != 0 {
		t.Errorf("writer %d: %d values; batches have %d", writer, len(values), copies)
	}
	for i, v := range values {
		if want := uint64(i / copies); v.StoredAt != want || string(v.Value) != fmt.Sprintf(`{"number":%d}`, want) {
			t.Fatalf("writer %d: value %d is %s at %d; want number %d", writer, i, v.Value, v.StoredAt, want)
		}
	}
	if last := int64(len(values)/copies) - 1; last < *acked || last > *acked+1 {
		t.Errorf("writer %d: the last value is %d; %d was acknowledged", writer, last, *acked)
	} else {
		*acked = last
	}
}
