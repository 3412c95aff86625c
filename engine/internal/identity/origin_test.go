// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOrigin checks what a segment of the log knows of its epoch, and the identity that it shows.
func TestOrigin(t *testing.T) {
	first := Identity{Store: storeS, Epochs: []Epoch{{ID: id('A')}}}
	for _, test := range []struct {
		name    string
		history Identity
		want    Origin
		shows   []Epoch
	}{
		{"the first epoch", first, Origin{Store: storeS, Epoch: id('A')}, []Epoch{{ID: id('A')}}},
		{"the second", first.Begin(id('B'), 700, true),
			Origin{Store: storeS, Epoch: id('B'), Parent: id('A'), Shared: 700},
			[]Epoch{{ID: id('A')}, {id('B'), 700}}},
		{"the third", picture(), Origin{Store: storeS, Epoch: id('C'), Parent: id('B'), Shared: 850},
			[]Epoch{{ID: id('B')}, {id('C'), 850}}},
	} {
		if diff := cmp.Diff(test.want, test.history.Origin()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.name, diff)
		}
		if diff := cmp.Diff(Identity{storeS, test.shows}, FromOrigin(test.want)); diff != "" {
			t.Errorf("%s: the identity that it shows (-want +got)\n%s", test.name, diff)
		}
	}
}

// TestExtend meets a segment of the log after value 850 of the history A, B.
func TestExtend(t *testing.T) {
	history := Identity{Store: storeS, Epochs: []Epoch{{ID: id('A')}}}.Begin(id('B'), 700, true)
	origin := func(epoch, parent byte, shared uint64) Origin {
		return Origin{Store: storeS, Epoch: id(epoch), Parent: id(parent), Shared: shared}
	}
	foreign := origin('C', 'B', 850)
	foreign.Store = [16]byte{'T'}
	for _, test := range []struct {
		name   string
		origin Origin
		used   bool
		want   []Epoch // nil: it belongs to another store or to another copy
	}{
		{"of the current epoch", origin('B', 'A', 700), true, history.Epochs},
		{"of an older epoch", origin('A', 0, 0), true, history.Epochs},
		{"of the next epoch", origin('C', 'B', 850), true, append(history.Epochs[:2:2], Epoch{id('C'), 850})},
		{"of the next epoch, and this one has no values", origin('C', 'B', 850), false,
			append(history.Epochs[:1:1], Epoch{id('C'), 850})},
		{"of a next epoch that shares more", origin('C', 'B', 851), true,
			append(history.Epochs[:2:2], Epoch{id('C'), 851})},
		{"of a next epoch that has lost values", origin('C', 'B', 849), true, nil},
		{"of an epoch after another one", origin('D', 'C', 850), true, nil},
		{"of an epoch that began in the oldest one", origin('C', 'A', 850), true, nil},
		{"of another store", foreign, true, nil},
	} {
		got, ok := history.Extend(test.origin, 850, test.used)
		want := Identity{storeS, test.want}
		if test.want == nil {
			want = history
		}
		if diff := cmp.Diff(want, got); diff != "" || ok != (test.want != nil) {
			t.Errorf("%s: got %v; want %v (-want +got)\n%s", test.name, ok, !ok, diff)
		}
	}
}

// TestBeginRandom begins epochs. The origin of each leads to the epoch before it, which the tree
// may have, even if no value is in it.
func TestBeginRandom(t *testing.T) {
	for _, used := range []bool{true, false} {
		begun, origin := picture().BeginRandom(900, used)
		want := picture().Begin(begun.Current().ID, 900, used)
		if diff := cmp.Diff(want, begun); diff != "" {
			t.Errorf("used %v (-want +got)\n%s", used, diff)
		}
		if diff := cmp.Diff(Origin{storeS, begun.Current().ID, id('C'), 900}, origin); diff != "" {
			t.Errorf("used %v: the origin (-want +got)\n%s", used, diff)
		}
		if extended, ok := picture().Extend(origin, 900, used); !ok || !extended.Equal(begun) {
			t.Errorf("used %v: the identity before it is not extended by the origin: %v, %v", used, extended, ok)
		}
		if again, _ := picture().BeginRandom(900, used); again.Current().ID == begun.Current().ID {
			t.Errorf("used %v: two epochs have one name", used)
		}
	}
	if begun := (Identity{Store: storeS}).Begin(id('A'), 0, false); len(begun.Epochs) != 1 {
		t.Errorf("got %v; want the first epoch", begun)
	}
}

// TestEqual compares the history of the picture with others.
func TestEqual(t *testing.T) {
	for _, test := range []struct {
		name  string
		other Identity
		want  bool
	}{
		{"itself", picture(), true},
		{"another store's", Identity{id('T'), picture().Epochs}, false},
		{"one with another epoch", picture().Begin(id('D'), 900, true), false},
		{"one with another number", Identity{storeS, picture().Epochs[:2]}.Begin(id('C'), 849, true), false},
		{"none", Identity{}, false},
	} {
		if picture().Equal(test.other) != test.want || test.other.Equal(picture()) != test.want {
			t.Errorf("equal to %s: got %v; want %v", test.name, !test.want, test.want)
		}
	}
	if (Identity{}).Current() != (Epoch{}) || !(Identity{}).IsZero() || picture().IsZero() {
		t.Error("an identity from before there were identities has no epoch")
	}
}
