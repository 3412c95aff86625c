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

// script builds a journal. Files are named by their inode; operations on the root are in directory 1.
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
	s.do(journal.Op{Kind: journal.Rename, Inode: inode, Parent: journal.Root, Name: from, NewName: to, Replaced: replaced})
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

// sectors are sectors of one letter each.
func sectors(letters string) (data string) {
	for _, letter := range letters {
		data += strings.Repeat(string(letter), sectorSize)
	}
	return data
}

// brief writes an image as "name=letters", a letter for each sector: "." for zeros, "?" for a mixed one.
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

// states returns all states that many random cuts find, sorted.
func states(t *testing.T, s script) []string {
	t.Helper()
	d := New()
	for _, op := range s {
		d.Apply(op)
	}
	numbers := uint64(4000)
	if testenv.Long() {
		numbers = 40_000
	}
	found := make(map[string]bool)
	for number := range numbers {
		one := brief(d.State(number))
		if again := brief(d.State(number)); again != one {
			t.Fatalf("state %d is %q, and then %q", number, one, again)
		}
		found[one] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// TestStates holds all states that may be left of small journals against those that random cuts find.
func TestStates(t *testing.T) {
	for _, c := range []struct {
		name   string
		script func(s *script)
		want   []string
	}{
		{"a new file and what was synced into it are lost without the directory's sync", func(s *script) {
			s.create(2, "a")
			s.write(2, 0, sectors("x"))
			s.sync(2)
		}, []string{"", "a=x"}},
		{"what was synced is there", func(s *script) {
			s.create(2, "a")
			s.write(2, 0, sectors("xy"))
			s.sync(2)
			s.syncDir(1)
		}, []string{"a=xy"}},
		{"a write in doubt: any of its sectors, any size", func(s *script) {
			s.create(2, "a")
			s.syncDir(1)
			s.write(2, 0, sectors("xy"))
		}, []string{"a=", "a=..", "a=.y", "a=x.", "a=xy"}},
		{"each sector has any of the versions since the sync", func(s *script) {
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
		{"lengthened by a truncation: zeros", func(s *script) {
			s.create(2, "a")
			s.syncDir(1)
			s.truncate(2, 1024)
			s.write(2, 512, sectors("b"))
		}, []string{"a=", "a=..", "a=.b"}},
		{"what a truncation cut off does not come back with what was written later", func(s *script) {
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
		{"new files are lost from the end, or one by one", func(s *script) {
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
		{"a rename does not make the content durable", func(s *script) {
			s.create(2, "a")
			s.syncDir(1)
			s.write(2, 0, sectors("x"))
			s.rename(2, "a", "b", 0)
			s.syncDir(1)
		}, []string{"b=", "b=.", "b=x"}},
		{"a name that is used again", func(s *script) {
			s.create(2, "a")
			s.syncDir(1)
			s.unlink(2, "a")
			s.create(3, "a")
			s.write(3, 0, sectors("x"))
			s.sync(3)
		}, []string{"", "a=", "a=x"}},
		{"a removed file comes back without the directory's sync, and not with it", func(s *script) {
			s.create(2, "a")
			s.create(3, "b")
			s.syncDir(1)
			s.unlink(3, "b")
			s.syncDir(1)
			s.unlink(2, "a")
		}, []string{"", "a="}},
		{"a directory's content is not there without the directory", func(s *script) {
			s.do(journal.Op{Kind: journal.Mkdir, Inode: 2, Parent: 1, Name: "d"})
			s.do(journal.Op{Kind: journal.Create, Inode: 3, Parent: 2, Name: "a"})
			s.syncDir(2)
		}, []string{"", "d/ d/a="}},
		{"what a failed operation did not do", func(s *script) {
			s.do(journal.Op{Kind: journal.Create, Parent: 1, Name: "a", Errno: syscall.EIO})
		}, []string{""}},
		{"a failed write did a part", func(s *script) {
			s.create(2, "a")
			s.syncDir(1)
			s.do(journal.Op{Kind: journal.Write, Inode: 2, Data: []byte(sectors("x")), Errno: syscall.EIO})
			s.sync(2)
		}, []string{"a=x"}},
		{"after a failed sync a later one does not help", func(s *script) {
			s.create(2, "a")
			s.truncate(2, 512)
			s.syncDir(1)
			s.sync(2)
			s.write(2, 0, sectors("x"))
			s.failSync(2)
			s.sync(2)
		}, []string{"a=.", "a=x"}},
		{"unless the page is written to again", func(s *script) {
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

// TestExtremes shows the two states that are always tried, and what is said of the operations in doubt.
func TestExtremes(t *testing.T) {
	var s script
	s.create(2, "a")
	s.syncDir(1)
	s.write(2, 0, sectors("xy"))
	s.create(3, "b")
	d := New()
	for _, op := range s {
		d.Apply(op)
	}
	if got := brief(d.State(NothingUnsynced)); got != "a=" {
		t.Errorf("with nothing: %q", got)
	}
	if got := brief(d.State(EverythingUnsynced)); got != "a=xy b=" {
		t.Errorf("with everything: %q", got)
	}
	if got := fmt.Sprint(d.Unsynced()); got != "[2 3]" {
		t.Errorf("in doubt: %s", got)
	}
	want := []string{
		"a directory keeps operations [] of 3 to 3",
		"a has 0 bytes, durable were 0, last were 1024; 0 of its 2 sectors in doubt changed",
	}
	if diff := cmp.Diff(want, d.Explain(NothingUnsynced)); diff != "" {
		t.Errorf("the explanation (-want +got):\n%s", diff)
	}
}
