// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"encoding/json"
	"fmt"
	"io/fs"
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
)

const (
	rotTree  = "daybook.db"
	rotLog   = "wal"
	rotModel = "model.json"
	rotStore = "store"
)

// rotOptions make many small pages out of few values. A head never fills, so that a checkpoint happens when a
// victim asks for one and at no other time.
func rotOptions(readOnly bool) *engine.Options {
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

// rotValue is a value that a victim holds.
type rotValue struct {
	Record   string
	Value    string
	At       uint64
	Sequence uint64
}

// rotContents is all that a victim holds, in the order in which it was stored, and nothing else.
type rotContents struct {
	Values       []rotValue
	LastSequence uint64
	Watermark    uint64
}

// rotVictim is a store to be damaged: a directory, and what is in it.
type rotVictim struct {
	name     string
	dir      string // with the store in it, and the contents
	contents rotContents
}

func (v *rotVictim) store() string { return filepath.Join(v.dir, rotStore) }

// rotBuilder makes a victim and keeps account of its contents.
type rotBuilder struct {
	t      *testing.T
	victim *rotVictim
	db     *engine.DB
	random *rand.Rand
}

// rotVictims makes all victims below dir, or reads those that an earlier run left there.
func rotVictims(t *testing.T, dir string, seed uint64) []*rotVictim {
	t.Helper()
	makers := []struct {
		name string
		make func(b *rotBuilder)
	}{
		{"deep", (*rotBuilder).deep},
		{"tiny", (*rotBuilder).tiny},
		{"young", (*rotBuilder).young},
		{"behind", (*rotBuilder).behind},
		{"recycled", (*rotBuilder).recycled},
	}
	var victims []*rotVictim
	for _, m := range makers {
		v := &rotVictim{name: m.name, dir: filepath.Join(dir, m.name)}
		if _, err := os.Stat(filepath.Join(v.dir, rotModel)); err == nil {
			v.contents = rotReadContents(t, v.dir)
		} else {
			m.make(newRotBuilder(t, v, seed))
			rotWriteContents(t, v)
		}
		victims = append(victims, v)
	}
	return victims
}

func newRotBuilder(t *testing.T, v *rotVictim, seed uint64) *rotBuilder {
	t.Helper()
	db, err := engine.Open(v.store(), rotOptions(false))
	if err != nil {
		t.Fatal(err)
	}
	return &rotBuilder{t: t, victim: v, db: db, random: rand.New(rand.NewPCG(seed, uint64(len(v.name))))}
}

func rotReadContents(t *testing.T, dir string) (contents rotContents) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, rotModel))
	if err == nil {
		err = json.Unmarshal(data, &contents)
	}
	if err != nil {
		t.Fatal(err)
	}
	return contents
}

func rotWriteContents(t *testing.T, v *rotVictim) {
	t.Helper()
	data, err := json.Marshal(v.contents)
	if err == nil {
		err = os.WriteFile(filepath.Join(v.dir, rotModel), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (b *rotBuilder) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatalf("making victim %s: %v", b.victim.name, err)
	}
}

func (b *rotBuilder) put(record, value string, at uint64) {
	b.t.Helper()
	b.must(b.db.Store(b.t.Context(), record, json.RawMessage(value), at))
	b.note(record, value, at)
}

func (b *rotBuilder) note(record, value string, at uint64) {
	c := &b.victim.contents
	c.LastSequence++
	c.Values = append(c.Values, rotValue{record, value, at, c.LastSequence})
}

func (b *rotBuilder) checkpoint() {
	b.t.Helper()
	b.must(b.db.Checkpoint(b.t.Context()))
	b.victim.contents.Watermark = b.victim.contents.LastSequence
}

func (b *rotBuilder) cleanup(olderThan uint64) {
	b.t.Helper()
	_, err := b.db.Cleanup(b.t.Context(), olderThan)
	b.must(err)
	c := &b.victim.contents
	c.Watermark = c.LastSequence
	c.Values = slices.DeleteFunc(c.Values, func(v rotValue) bool { return v.At < olderThan })
}

// close ends a victim that was closed.
func (b *rotBuilder) close() {
	b.t.Helper()
	b.must(b.db.Check(b.t.Context()))
	b.must(b.db.Close())
	b.victim.contents.Watermark = b.victim.contents.LastSequence
}

// kill ends a victim as a killed process does: what its files hold while it is open is all that is left.
func (b *rotBuilder) kill() {
	b.t.Helper()
	b.must(b.db.Check(b.t.Context()))
	left := filepath.Join(b.victim.dir, "left")
	before := ""
	for now := rotListing(b.t, b.victim.store()); now != before; now = rotListing(b.t, b.victim.store()) {
		before = now // the next segment is still being prepared
		time.Sleep(50 * time.Millisecond)
	}
	b.must(os.CopyFS(left, os.DirFS(b.victim.store())))
	b.must(b.db.Close())
	b.must(os.RemoveAll(b.victim.store()))
	b.must(os.Rename(left, b.victim.store()))
}

// rotListing says which files a directory holds, and when they were written.
func rotListing(t *testing.T, dir string) string {
	t.Helper()
	var listing strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			fmt.Fprintln(&listing, path, info.Size(), info.ModTime().UnixNano())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return listing.String()
}

// noise is a value that does not compress to nothing.
func (b *rotBuilder) noise(n int) string {
	bytes := make([]byte, n)
	for i := range bytes {
		bytes[i] = byte(b.random.Uint32())
	}
	return fmt.Sprintf(`{"n":%d,"noise":"%x"}`, b.random.IntN(1000), bytes)
}

// deep has branch pages above branch pages in both buckets, by long names; chunks that start at one
// millisecond; a value that overflows its page; and free pages with former versions of many leaves. Its last
// transaction adds values, so that the meta page before the last tells another story.
func (b *rotBuilder) deep() {
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
		round(1085+uint64(i), 20, 3, names[6*i:6*i+6]...) // out of order
	}
	round(1077, 1, 3, names[36:]...)
	b.cleanup(1045)
	for i := range 8 {
		round(1300+uint64(i), 1, 1, names[5*i])
	}
	round(2000, 10, 1, names[:20]...)
	b.close()
}

// tiny has its buckets within the root page.
func (b *rotBuilder) tiny() {
	for i := range uint64(4) {
		b.put("a", fmt.Sprint(i), 1000+10*i)
		b.put("b", fmt.Sprintf(`{"n":%d}`, i), 1000+10*i)
		b.put("c.d", fmt.Sprintf(`"%d"`, i), 1000+10*i)
		b.checkpoint()
	}
	b.put("a", "4", 2000)
	b.close()
}

// young has everything in its first segment, and one of zeros prepared.
func (b *rotBuilder) young() {
	for i := range uint64(12) {
		b.put(fmt.Sprintf("young.%d", i%3), b.noise(10), 1000+i)
	}
	b.group()
	b.kill()
}

// bulk stores so many bytes in the log, and next to none in the tree.
func (b *rotBuilder) bulk(size int) {
	const length = 16 << 10
	value := `"` + strings.Repeat("compressible", length/12) + `"`
	for at := uint64(1000); size > 0; at++ {
		b.put("bulk", value, at+b.victim.contents.LastSequence)
		size -= length
	}
}

// behind has a tree, a sealed segment of which a part is in the tree, one in use, and a recycled one prepared.
func (b *rotBuilder) behind() {
	for i := range uint64(60) {
		b.put(fmt.Sprintf("behind.%02d", i%20), b.noise(20), 1000+i)
	}
	b.bulk(270 << 10) // the first segment is sealed
	b.checkpoint()    // and released
	for i := range uint64(40) {
		b.put(fmt.Sprintf("behind.%02d", i%20), b.noise(20), 2000+i)
	}
	b.bulk(520 << 10) // the second is sealed; the first becomes the fourth
	for i := range uint64(20) {
		b.put(fmt.Sprintf("behind.%02d", i), b.noise(20), 3000+i)
	}
	b.group()
	b.kill()
}

// recycled has a recycled segment in use, with what it held before behind its end.
func (b *rotBuilder) recycled() {
	b.bulk(270 << 10)
	b.checkpoint()
	b.bulk(520 << 10)
	b.checkpoint()
	for i := range uint64(20) {
		b.put(fmt.Sprintf("recycled.%d", i%5), b.noise(20), 1000+i)
	}
	b.bulk(1024 << 10) // the third is sealed; the fourth was the first
	for i := range uint64(20) {
		b.put(fmt.Sprintf("recycled.%d", i%5), b.noise(20), 2000+i)
	}
	b.group()
	b.kill()
}

// group stores from several goroutines at once, so that the last commit may be a group of frames, none of which
// vouches for another. In which order they were stored, the log says.
func (b *rotBuilder) group() {
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
	for _, record := range rotLastRecords(b.t, b.victim.store(), writers) {
		b.note(record, values[record], 5000)
	}
}
