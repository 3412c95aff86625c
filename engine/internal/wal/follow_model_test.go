// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// follows is a log that is used, closed and recovered, and a Follower of it.
type follows struct {
	t        *rapid.T
	dir      string
	fs       disk.FS
	log      *Log
	follower *Follower

	payloads  map[uint64]string // of the frames, by the sequence number of the first value
	values    map[uint64]int
	origins   []identity.Origin // of the log's segments
	next      uint64            // sequence number of the next value
	unread    uint64            // the next value that the follower has not read; 0: any
	watermark uint64
	number    uint64 // that the tree keeps
	serial    int

	saved identity.Identity // that the tree has
	now   identity.Identity // of the log
}

func (m *follows) open(*rapid.T) {
	if m.log != nil {
		return
	}
	r, err := Scan(m.dir, m.fs, Known{Watermark: m.watermark, Identity: m.saved})
	if err != nil {
		m.t.Fatal(err)
	}
	opts := testOptions()
	m.now, opts.Origin = r.Identity(), r.Identity().Origin()
	if r.Unclean() {
		m.now, opts.Origin = m.now.BeginRandom(r.NextSequence()-1, r.EpochUsed())
	}
	if m.log, err = r.Open(m.number, opts); err != nil {
		m.t.Fatal(err)
	}
}

func (m *follows) close(clear bool) {
	if err := m.log.Close(clear); err != nil {
		m.t.Fatal(err)
	}
	m.log = nil
}

func (m *follows) append(*rapid.T) {
	m.open(m.t)
	var frames []Frame
	for range rapid.IntRange(1, 3).Draw(m.t, "frames") {
		m.serial++
		length := rapid.SampledFrom([]int{1, 30, 700, 3000}).Draw(m.t, "length")
		f := Frame{Payload: fmt.Appendf(nil, "%d %s", m.serial, strings.Repeat("x", length)),
			Values: rapid.IntRange(1, 3).Draw(m.t, "values")}
		m.payloads[m.next], m.values[m.next] = string(f.Payload), f.Values
		m.next += uint64(f.Values)
		frames = append(frames, f)
	}
	if first, err := m.log.Append(frames); err != nil || m.payloads[first] != string(frames[0].Payload) {
		m.t.Fatalf("Append: value %d, %v", first, err)
	}
	if origin := m.log.active.origin; len(m.origins) == 0 || m.origins[len(m.origins)-1] != origin {
		m.origins = append(m.origins, origin)
	}
}

// read reads frames, until it stops or there are no more. Each frame must be the one after those
// that count as read, or as many values later as are reported as missed.
func (m *follows) read(most int) {
	m.t.Helper()
	frames := 0
	err := m.follower.Read(func(first, missed uint64, payload []byte, values int) bool {
		frames++
		if string(payload) != m.payloads[first] || values != m.values[first] || frames > most {
			m.t.Fatalf("read frame %.8q of %d values at %d; want %.8q of %d", payload, values, first,
				m.payloads[first], m.values[first])
		}
		want := uint64(0)
		if m.unread > 0 {
			want = first - min(first, m.unread)
		}
		if missed != want || first+uint64(values) <= m.unread {
			m.t.Fatalf("%d values at %d, %d missed; want those from %d on, %d missed",
				values, first, missed, m.unread, want)
		}
		m.unread = first + uint64(values)
		return frames < most
	})
	if err != nil || m.follower.Replaced {
		m.t.Fatalf("Read: %v, replaced: %v", err, m.follower.Replaced)
	}
}

// TestFollowAnyLog has a follower read a log while it is appended to, released, recovered and
// emptied. It must read each value once and in order, or count it as missed.
func TestFollowAnyLog(t *testing.T) {
	parent := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		at, err := os.MkdirTemp(parent, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(at)
		fsys, err := (disk.OS{}).OpenDirectory(at)
		if err != nil {
			t.Fatal(err)
		}
		defer fsys.Close()
		m := &follows{t: t, dir: filepath.Join(at, "wal"), fs: fsys, next: 1, saved: testIdentity,
			follower: NewFollower(disk.OS{}, at, "wal", 0),
			payloads: make(map[uint64]string), values: make(map[uint64]int)}
		defer m.close(false)
		m.read(0) // there is no directory yet
		m.open(t)
		t.Repeat(map[string]func(*rapid.T){
			"append":      m.append,
			"append more": m.append,
			"read":        func(*rapid.T) { m.read(1 << 20) },
			"read some":   func(*rapid.T) { m.read(rapid.IntRange(1, 4).Draw(t, "frames")) },
			"skip": func(*rapid.T) {
				after := rapid.Uint64Range(0, m.next-1).Draw(t, "after")
				if m.follower.Skip(after); after > 0 {
					m.unread = max(m.unread, after+1)
				}
			},
			"release": func(*rapid.T) {
				m.watermark = rapid.Uint64Range(m.watermark, m.next-1).Draw(t, "watermark")
				m.saved = m.now
				m.log.Release(m.watermark)
			},
			"reopen": func(*rapid.T) {
				m.close(false)
				m.open(t)
			},
			"empty": func(*rapid.T) {
				m.watermark, m.number, m.saved = m.next-1, m.log.LastSegment(), m.now
				m.close(true)
				m.open(t)
			},
		})
		m.append(t)
		m.read(1 << 20)
		if m.unread != m.next {
			t.Fatalf("the follower has read up to %d; want %d", m.unread, m.next)
		}
		m.checkOrigins()
		after := rapid.Uint64Range(0, m.next-1).Draw(t, "begin after")
		if m.follower, m.unread = NewFollower(disk.OS{}, at, "wal", after), 0; after > 0 {
			m.unread = after + 1
		}
		m.read(1 << 20)
		if m.unread != m.next {
			t.Fatalf("another follower has read up to %d; want %d", m.unread, m.next)
		}
	})
}

// checkOrigins verifies that the follower has seen the origins of the log, in order. Those of
// segments that were released before it read them are missing.
func (m *follows) checkOrigins() {
	m.t.Helper()
	left := m.origins
	for _, origin := range m.follower.Origins {
		at := slices.Index(left, origin)
		if at < 0 {
			m.t.Fatalf("origins %v; want some of %v, in order", m.follower.Origins, m.origins)
		}
		left = left[at+1:]
	}
	if len(left) > 0 {
		m.t.Fatalf("origins %v; want the last one of %v", m.follower.Origins, m.origins)
	}
}
