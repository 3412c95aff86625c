// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/journal"
)

const (
	treeName  = "daybook.db"
	logName   = "wal"
	modelName = "model.json"
	storeName = "store"
)

// storeOptions returns options with which few values make many pages. A head never fills, so the
// only checkpoints are those that a victim's maker asks for.
func storeOptions(readOnly bool) *engine.Options {
	return &engine.Options{
		Tuning: engine.Tuning{
			HeadSize:    16 << 20,
			ChunkValues: 8,
			ChunkBytes:  2 << 10,
		},
		LockTimeout: -1,
		ReadOnly:    readOnly,
		Logger:      slog.New(slog.DiscardHandler),
	}
}

// modelValue is a value of a victim.
type modelValue struct {
	Record   string
	Value    string
	At       uint64
	Sequence uint64
}

// modelPosition is a position of a stream, and the last value of the batch that moved it.
type modelPosition struct {
	Sequence uint64
	Position daybook.Position
}

// model has all values of a victim, in the order in which they were stored.
type model struct {
	Values       []modelValue
	Positions    []modelPosition // of the stream in the log, after each batch
	LastSequence uint64
	Watermark    uint64
}

// victim is a store to be damaged.
type victim struct {
	name  string
	dir   string // of the store and the file with the model
	model model
}

func (v *victim) store() string { return filepath.Join(v.dir, storeName) }

// victimBuilder makes a victim's store, and its model.
type victimBuilder struct {
	t      *testing.T
	victim *victim
	db     *engine.DB
	random *rand.Rand
}

// makeVictims makes all victims below dir. It reads those that exist there from an earlier run.
func makeVictims(t *testing.T, dir string, seed uint64) []*victim {
	t.Helper()
	makers := []struct {
		name string
		make func(b *victimBuilder)
	}{
		{"deep", (*victimBuilder).deep},
		{"tiny", (*victimBuilder).tiny},
		{"young", (*victimBuilder).young},
		{"partly posted", (*victimBuilder).partlyPosted},
		{"recycled", (*victimBuilder).recycled},
	}
	var victims []*victim
	for _, m := range makers {
		v := &victim{name: m.name, dir: filepath.Join(dir, m.name)}
		if _, err := os.Stat(filepath.Join(v.dir, modelName)); err == nil {
			v.model = readModel(t, v.dir)
		} else {
			m.make(newVictimBuilder(t, v, seed))
			writeModel(t, v)
		}
		victims = append(victims, v)
	}
	return victims
}

func newVictimBuilder(t *testing.T, v *victim, seed uint64) *victimBuilder {
	t.Helper()
	db, err := engine.Open(v.store(), storeOptions(false))
	if err != nil {
		t.Fatal(err)
	}
	_, receiveErr := db.StoreBatchFrom(t.Context(), someBatch)
	if err := errors.Join(receiveErr, db.SetHold(t.Context(), someHold)); err != nil {
		t.Fatal(err)
	}
	return &victimBuilder{t: t, victim: v, db: db, random: rand.New(rand.NewPCG(seed, uint64(len(v.name))))}
}

func readModel(t *testing.T, dir string) (m model) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, modelName))
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func writeModel(t *testing.T, v *victim) {
	t.Helper()
	data, err := json.Marshal(v.model)
	if err == nil {
		err = os.WriteFile(filepath.Join(v.dir, modelName), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (b *victimBuilder) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatalf("making victim %s: %v", b.victim.name, err)
	}
}

// put stores a value.
func (b *victimBuilder) put(record, value string, at uint64) {
	b.t.Helper()
	b.must(b.db.Store(b.t.Context(), record, json.RawMessage(value), at))
	b.note(record, value, at)
}

// note adds a value to the model.
func (b *victimBuilder) note(record, value string, at uint64) {
	m := &b.victim.model
	m.LastSequence++
	m.Values = append(m.Values, modelValue{record, value, at, m.LastSequence})
}

// receive stores a batch of a stream. Its position is in the frame of its values.
func (b *victimBuilder) receive(values int) {
	b.t.Helper()
	batch, m := loggedStream, &b.victim.model
	if n := len(m.Positions); n > 0 {
		batch.From, batch.Previous = m.Positions[n-1].Position.Through, m.Positions[n-1].Position.Digest
	}
	batch.Through = batch.From + 100
	for i := range uint64(values) {
		at, value := 6000+batch.From+i, b.noise(20)
		v := daybook.StoredValue{RecordName: "received", Value: json.RawMessage(value), StoredAt: at}
		batch.Values = append(batch.Values, v)
		b.note(v.RecordName, value, at)
	}
	batch.Digest = daybook.DigestOf(&batch)
	_, err := b.db.StoreBatchFrom(b.t.Context(), batch)
	b.must(err)
	m.Positions = append(m.Positions, modelPosition{m.LastSequence, batch.Position()})
}

func (b *victimBuilder) checkpoint() {
	b.t.Helper()
	b.must(b.db.Checkpoint(b.t.Context()))
	b.victim.model.Watermark = b.victim.model.LastSequence
}

func (b *victimBuilder) cleanup(olderThan uint64) {
	b.t.Helper()
	_, err := b.db.Cleanup(b.t.Context(), olderThan)
	b.must(err)
	m := &b.victim.model
	m.Watermark = m.LastSequence
	m.Values = slices.DeleteFunc(m.Values, func(v modelValue) bool { return v.At < olderThan })
}

// close finishes a victim that is a closed store.
func (b *victimBuilder) close() {
	b.t.Helper()
	b.must(b.db.Check(b.t.Context()))
	b.must(b.db.Close())
	b.victim.model.Watermark = b.victim.model.LastSequence
}

// kill finishes a victim that is the store of a killed process: it has copies of the files of the
// open store.
func (b *victimBuilder) kill() {
	b.t.Helper()
	b.must(b.db.Check(b.t.Context()))
	killed := filepath.Join(b.victim.dir, "killed")
	waitForNextSegment(b.t, b.victim.store())
	b.must(journal.CopyOpenDir(killed, b.victim.store()))
	b.must(b.db.Close())
	b.must(os.RemoveAll(b.victim.store()))
	b.must(os.Rename(killed, b.victim.store()))
}

// waitForNextSegment waits until the log has made its next segment, in the background.
func waitForNextSegment(t *testing.T, store string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		segments := readLog(t, store)
		if n := len(segments); n > 0 && segments[n-1].header && segments[n-1].first == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the last of %d segments is in use", len(segments))
		}
	}
}

// noise returns a value with n random bytes.
func (b *victimBuilder) noise(n int) string {
	bytes := make([]byte, n)
	for i := range bytes {
		bytes[i] = byte(b.random.Uint32())
	}
	return fmt.Sprintf(`{"n":%d,"noise":"%x"}`, b.random.IntN(1000), bytes)
}

// deep makes a tree with many kinds of pages. Long names make branch pages above branch pages in
// both buckets. Some chunks start at the same millisecond, and a value overflows its page. Free
// pages have former versions of many leaves. The last transaction adds values, so the former meta
// page leads to other values.
func (b *victimBuilder) deep() {
	var names []string
	for i := range 36 {
		names = append(names, fmt.Sprintf("sensor.%02d.kind", i))
	}
	for i := range 9 {
		names = append(names, fmt.Sprintf("long.%d.%s", i, strings.Repeat("x", 900)))
	}
	round := func(from, step, count uint64, names ...string) {
		for i := range count {
			for _, name := range names {
				b.put(name, b.noise(8+b.random.IntN(24)), from+step*i)
			}
		}
		b.checkpoint()
	}
	round(1000, 10, 10, names...)
	round(1100, 10, 10, names...)
	for range 20 {
		b.put("same.moment", b.noise(60), 1500)
	}
	b.put("big.value", b.noise(5000), 1500)
	b.put("big.value", b.noise(9), 1600)
	b.checkpoint()
	b.cleanup(1030)
	for i := range 6 {
		round(1085+uint64(i), 20, 3, names[6*i:6*i+6]...) // older than other values
	}
	round(1077, 1, 3, names[36:]...)
	b.cleanup(1045)
	for i := range 8 {
		round(1300+uint64(i), 1, 1, names[5*i])
	}
	round(2000, 10, 1, names[:20]...)
	b.close()
}

// tiny makes a tree whose buckets are inline pages in the root page.
func (b *victimBuilder) tiny() {
	for i := range uint64(4) {
		b.put("a", fmt.Sprint(i), 1000+10*i)
		b.put("b", fmt.Sprintf(`{"n":%d}`, i), 1000+10*i)
		b.put("c.d", fmt.Sprintf(`"%d"`, i), 1000+10*i)
		b.checkpoint()
	}
	b.put("a", "4", 2000)
	b.close()
}

// young makes a log with all values in the first segment, and a prepared segment of zeros.
func (b *victimBuilder) young() {
	for i := range uint64(12) {
		b.put(fmt.Sprintf("young.%d", i%3), b.noise(10), 1000+i)
		if i%4 == 1 {
			b.receive(2)
		}
	}
	b.putGroup()
	b.kill()
}

// putBulk stores values that take size bytes in the log, and very few in the tree.
func (b *victimBuilder) putBulk(size int) {
	const length = 16 << 10
	value := `"` + strings.Repeat("compressible", length/12) + `"`
	for at := uint64(1000); size > 0; at++ {
		b.put("bulk", value, at+b.victim.model.LastSequence)
		size -= length
	}
}

// partlyPosted makes a tree, a sealed segment of which a part is in the tree, a segment in use, and
// a prepared segment that was used before.
func (b *victimBuilder) partlyPosted() {
	for i := range uint64(60) {
		b.put(fmt.Sprintf("posted.%02d", i%20), b.noise(20), 1000+i)
	}
	b.receive(2)
	b.putBulk(270 << 10) // the first segment is sealed
	b.checkpoint()       // and released
	for i := range uint64(40) {
		b.put(fmt.Sprintf("posted.%02d", i%20), b.noise(20), 2000+i)
	}
	b.receive(3)
	b.putBulk(520 << 10) // the second is sealed; the first becomes the fourth
	for i := range uint64(20) {
		b.put(fmt.Sprintf("posted.%02d", i), b.noise(20), 3000+i)
	}
	b.receive(1)
	b.putGroup()
	b.kill()
}

// recycled makes a log whose last segment was used before, and has old frames after its end.
func (b *victimBuilder) recycled() {
	b.putBulk(270 << 10)
	b.checkpoint()
	b.putBulk(520 << 10)
	b.checkpoint()
	for i := range uint64(20) {
		b.put(fmt.Sprintf("recycled.%d", i%5), b.noise(20), 1000+i)
	}
	b.putBulk(1024 << 10) // the third is sealed; the fourth was the first
	for i := range uint64(20) {
		b.put(fmt.Sprintf("recycled.%d", i%5), b.noise(20), 2000+i)
	}
	b.receive(2)
	b.putGroup()
	b.kill()
}

// putGroup stores from several goroutines at once. So the last commit may be a group of frames, of
// which none proves that another one was durable. The log has the order of these values.
func (b *victimBuilder) putGroup() {
	const writers = 16
	values := make(map[string]string)
	for i := range writers {
		values[fmt.Sprintf("group.%02d", i)] = b.noise(30)
	}
	var wait sync.WaitGroup
	for record, value := range values {
		wait.Go(func() {
			if err := b.db.Store(b.t.Context(), record, json.RawMessage(value), 5000); err != nil {
				b.t.Error(err)
			}
		})
	}
	wait.Wait()
	for value, err := range b.db.Scan(b.t.Context(), "group.*", daybook.QueryParams{}) {
		b.must(err)
		if string(value.Value) != values[value.RecordName] {
			b.t.Fatalf("record %q holds %s; want %s", value.RecordName, value.Value, values[value.RecordName])
		}
	}
	for _, record := range lastRecords(b.t, b.victim.store(), writers) {
		b.note(record, values[record], 5000)
	}
}
