// SPDX-License-Identifier: Apache-2.0

package crashstate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook/proof/journal"
	"github.com/daybook-db/daybook/proof/testenv"
)

// script is a journal to be built. Files are given by their inodes, and their parent is the root
// directory.
type script []journal.Op

func (s *script) do(op journal.Op) { *s = append(*s, op) }

func (s *script) create(inode uint64, name string) {
	s.do(journal.Op{Kind: journal.Create, Inode: inode, Parent: journal.Root, Name: name, Path: name})
}

func (s *script) write(inode uint64, offset int64, data string) {
	s.do(journal.Op{Kind: journal.Write, Inode: inode, Offset: offset, Data: []byte(data)})
}

func (s *script) truncate(inode uint64, size int64) {
	s.do(journal.Op{Kind: journal.Truncate, Inode: inode, Size: size})
}

func (s *script) rename(inode uint64, from, to string, replaced uint64) {
	s.do(journal.Op{
		Kind: journal.Rename, Inode: inode, Parent: journal.Root, Name: from, NewName: to, Replaced: replaced,
	})
}

func (s *script) unlink(inode uint64, name string) {
	s.do(journal.Op{Kind: journal.Unlink, Inode: inode, Parent: journal.Root, Name: name})
}

func (s *script) sync(inode uint64) {
	s.do(journal.Op{Kind: journal.Sync, Inode: inode, Began: len(*s)})
}

func (s *script) failSync(inode uint64) {
	s.do(journal.Op{Kind: journal.Sync, Inode: inode, Began: len(*s), Errno: syscall.EIO})
}

func (s *script) syncDir(inode uint64) {
	s.do(journal.Op{Kind: journal.SyncDir, Inode: inode, Began: len(*s)})
}

// sectors returns a sector for each letter, filled with it.
func sectors(letters string) (data string) {
	for _, letter := range letters {
		data += strings.Repeat(string(letter), sectorSize)
	}
	return data
}

// brief formats an image as "name=letters", with a letter for each sector: "." is a sector of
// zeros, and "?" one of different bytes.
func brief(image journal.Image) string {
	var parts []string
	for _, dir := range image.Dirs {
		parts = append(parts, dir+"/")
	}
	for _, name := range slices.Sorted(maps.Keys(image.Files)) {
		letters := ""
		for part := range slices.Chunk(image.Files[name], sectorSize) {
			switch letter := part[0]; {
			case strings.Trim(string(part), string(letter)) != "":
				letters += "?"
			case letter == 0:
				letters += "."
			default:
				letters += string(letter)
			}
		}
		parts = append(parts, name+"="+letters)
	}
	return strings.Join(parts, " ")
}

// states returns all different states of many random power cuts, sorted.
func states(t *testing.T, s script) []string {
	t.Helper()
	tracker := track(s)
	numbers := uint64(4000)
	if testenv.Long() {
		numbers = 40_000
	}
	found := make(map[string]bool)
	for number := range numbers {
		one := brief(tracker.State(number))
		if again := brief(tracker.State(number)); again != one {
			t.Fatalf("state %d is %q at first and %q at the second time", number, one, again)
		}
		found[one] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// track returns a tracker that has applied the journal.
func track(s script) *Tracker {
	tracker := New()
	for _, op := range s {
		tracker.Apply(op)
	}
	return tracker
}

// TestStates lists all states that a power cut may leave after small journals, and compares them
// with the states that random numbers give.
func TestStates(t *testing.T) {
	for _, c := range []struct {
		name   string
		script func(s *script)
		want   []string
	}{
		{"a new file is lost with its synced content unless the directory is synced", func(s *script) {
			s.create(2, "a")
			s.write(2, 0, sectors("x"))
			s.sync(2)
		}, []string{"", "a=x"}},
		{"a file survives when its content and its directory are synced", func(s *script) {
			s.create(2, "a")
			s.write(2, 0, sectors("xy"))
			s.sync(2)
			s.syncDir(1)
		}, []string{"a=xy"}},
		{"of a write in doubt, any sectors and any size survive", func(s *script) {
			s.create(2, "a")
			s.syncDir(1)
			s.write(2, 0, sectors("xy"))
		}, []string{"a=", "a=..", "a=.y", "a=x.", "a=xy"}},
		{"each sector has any of its versions after the sync", func(s *script) {
			s.create(2, "a")
			s.write(2, 0, sectors("aa"))
			s.syncDir(1)
			s.sync(2)
			s.write(2, 0, sectors("bb"))
			s.write(2, 512, sectors("c"))
		}, []string{"a=aa", "a=ab", "a=ac", "a=ba", "a=bb", "a=bc"}},
		{"a sector is not torn", func(s *script) {
			s.create(2, "a")
			s.write(2, 0, sectors("aa"))
			s.syncDir(1)
			s.sync(2)
			s.write(2, 256, sectors("b"))
		}, []string{"a=??", "a=?a", "a=a?", "a=aa"}},
		{"bytes that a truncation adds are zeros", func(s *script) {
			s.create(2, "a")
			s.syncDir(1)
			s.truncate(2, 1024)
			s.write(2, 512, sectors("b"))
		}, []string{"a=", "a=..", "a=.b"}},
		{"bytes before a truncation do not come back with those written after it", func(s *script) {
			s.create(2, "a")
			s.write(2, 0, sectors("aa"))
			s.syncDir(1)
			s.sync(2)
			s.truncate(2, 512)
			s.write(2, 512, sectors("b"))
		}, []string{"a=a", "a=a.", "a=aa", "a=ab"}},
		{"a sync that began before a write does not cover it", func(s *script) {
			s.create(2, "a")
			s.syncDir(1)
			s.write(2, 0, sectors("a"))
			s.write(2, 0, sectors("b"))
			s.do(journal.Op{Kind: journal.Sync, Inode: 2, Began: 3})
		}, []string{"a=a", "a=b"}},
		{"new files are lost from the last one on, or one by one", func(s *script) {
			s.create(2, "a")
			s.create(3, "b")
		}, []string{"", "a=", "a= b=", "b="}},
		{"a new file is lost though a later rename survives", func(s *script) {
			s.create(2, "a")
			s.syncDir(1)
			s.create(3, "b")
			s.rename(2, "a", "c", 0)
		}, []string{"a=", "a= b=", "b= c=", "c="}},
		{"a rename over a file is done or not", func(s *script) {
			s.create(2, "a")
			s.create(3, "b")
			s.syncDir(1)
			s.write(3, 0, sectors("b"))
			s.sync(3)
			s.rename(3, "b", "a", 2)
		}, []string{"a= b=b", "a=b"}},
		{"a rename and a sync of the directory do not make the content durable", func(s *script) {
			s.create(2, "a")
			s.syncDir(1)
			s.write(2, 0, sectors("x"))
			s.rename(2, "a", "b", 0)
			s.syncDir(1)
		}, []string{"b=", "b=.", "b=x"}},
		{"a name that a second file gets", func(s *script) {
			s.create(2, "a")
			s.syncDir(1)
			s.unlink(2, "a")
			s.create(3, "a")
			s.write(3, 0, sectors("x"))
			s.sync(3)
		}, []string{"", "a=", "a=x"}},
		{"a removed file may come back until the directory is synced", func(s *script) {
			s.create(2, "a")
			s.create(3, "b")
			s.syncDir(1)
			s.unlink(3, "b")
			s.syncDir(1)
			s.unlink(2, "a")
		}, []string{"", "a="}},
		{"the entries of a directory are lost with the directory", func(s *script) {
			s.do(journal.Op{Kind: journal.Mkdir, Inode: 2, Parent: 1, Name: "d"})
			s.do(journal.Op{Kind: journal.Create, Inode: 3, Parent: 2, Name: "a"})
			s.syncDir(2)
		}, []string{"", "d/ d/a="}},
		{"a failed operation does nothing", func(s *script) {
			s.do(journal.Op{Kind: journal.Create, Parent: 1, Name: "a", Errno: syscall.EIO})
		}, []string{""}},
		{"a failed write applies its bytes", func(s *script) {
			s.create(2, "a")
			s.syncDir(1)
			s.do(journal.Op{Kind: journal.Write, Inode: 2, Data: []byte(sectors("x")), Errno: syscall.EIO})
			s.sync(2)
		}, []string{"a=x"}},
		{"a sync after a failed one does not make the writes durable", func(s *script) {
			s.create(2, "a")
			s.truncate(2, 512)
			s.syncDir(1)
			s.sync(2)
			s.write(2, 0, sectors("x"))
			s.failSync(2)
			s.sync(2)
		}, []string{"a=.", "a=x"}},
		{"a sync after a failed one makes pages durable that were written again", func(s *script) {
			s.create(2, "a")
			s.truncate(2, 1024)
			s.syncDir(1)
			s.sync(2)
			s.write(2, 0, sectors("x"))
			s.failSync(2)
			s.write(2, 512, sectors("y"))
			s.sync(2)
		}, []string{"a=xy"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s script
			c.script(&s)
			if diff := cmp.Diff(c.want, states(t, s)); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
		})
	}
}

// TestExtremes compares the two extreme states, the list of operations in doubt and the explanation
// of a state.
func TestExtremes(t *testing.T) {
	var s script
	s.create(2, "a")
	s.syncDir(1)
	s.write(2, 0, sectors("xy"))
	s.create(3, "b")
	tracker := track(s)
	if got, want := brief(tracker.State(NothingUnsynced)), "a="; got != want {
		t.Errorf("without the operations in doubt: got %q; want %q", got, want)
	}
	if got, want := brief(tracker.State(EverythingUnsynced)), "a=xy b="; got != want {
		t.Errorf("with the operations in doubt: got %q; want %q", got, want)
	}
	if got, want := fmt.Sprint(tracker.Unsynced()), "[2 3]"; got != want {
		t.Errorf("operations in doubt: got %s; want %s", got, want)
	}
	want := []string{
		"a directory keeps operations [] of 3 to 3",
		"a has 0 bytes (durable: 0, with all edits: 1024); of its sectors in doubt, 0 of 2 changed",
	}
	if diff := cmp.Diff(want, tracker.Explain(NothingUnsynced)); diff != "" {
		t.Errorf("the explanation (-want +got):\n%s", diff)
	}
}
