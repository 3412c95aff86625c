// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestTextsPrevail: values that are mostly a text which was compressed, or is random, are not
// compressed a second time. That may not make a chunk longer.
func TestTextsPrevail(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct {
		name   string
		value  func(i int) string
		want   bool
		reason string // why the row is here
	}{
		{"log lines", func(i int) string { return fmt.Sprintf(`{"n":%d,"line":"%s"}`, i, randomWords(random)) }, true,
			"zstd has compressed the lines"},
		{"identifiers", func(int) string { return `{"id":"` + identifier(random.Uint64()) + `"}` }, true,
			"random digits"},
		{"noise", func(int) string { return `{"noise":"` + randomText(random, 100) + `"}` }, false,
			"zstd does not compress it alone, but together with what is around it"},
		{"two texts", func(int) string {
			words := randomWords(random)
			return `{"a":"` + words + `","b":"` + words + `"}`
		}, false, "zstd may find one in the other"},
	} {
		entries := memberEntries(600, test.value)
		h := headerOf(entries)
		members := coder.appendMemberBody(nil, entries, &h)
		if len(members) == 0 || h.textsPrevail != test.want || test.want && !h.isShort(members, encodingMembers) {
			t.Errorf("%s: texts prevail: %v; want %v (%s)", test.name, h.textsPrevail, test.want, test.reason)
		}
		_, chunk := encode(entries)
		shortest, _ := coder.shortestBody(members, encodingMembers, entries, &h)
		if test.want && len(chunk) > len(shortest)+len(shortest)/50+100 {
			t.Errorf("%s: %d bytes; the shortest body has %d", test.name, len(chunk), len(shortest))
		}
	}
}

// TestFloatsPrevail: values that are mostly floats which hardly repeat are not compressed. zstd
// makes their digits hardly shorter.
func TestFloatsPrevail(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct {
		name   string
		value  func(i int) string
		want   bool
		reason string // why the row is here
	}{
		{"a mean", func(int) string { return fmt.Sprint(random.Float64()) }, true, "random digits"},
		{"one that repeats", func(i int) string { return fmt.Sprint(1 / float64(3+i%4)) }, false,
			"zstd may find it again"},
		{"two of three repeat", func(i int) string {
			if i%3 == 0 {
				return fmt.Sprint(random.Float64())
			}
			return fmt.Sprint(1 / float64(3+i%4))
		}, false, "zstd may find most of them again"},
		{"one among integers", func(i int) string {
			return fmt.Sprintf("[%v,%d,%d]", random.Float64(), random.Int32(), random.Int64N(1<<40))
		}, false, "a float takes less than the integers"},
		{"one beside an integer", func(i int) string {
			return fmt.Sprintf("[%v,%d]", random.Float64(), random.Int32())
		}, true, "a float takes more than the integer"},
	} {
		entries := memberEntries(300, test.value)
		h, inMembers := headerOf(entries), headerOf(entries)
		templates := appendTemplateBody(nil, entries, &h, maxTemplates)
		members := coder.appendMemberBody(nil, entries, &inMembers)
		if len(templates) == 0 || len(members) == 0 ||
			h.floatsPrevail != test.want || inMembers.floatsPrevail != test.want {
			t.Errorf("%s: floats prevail: %v, as members %v; want %v (%s)",
				test.name, h.floatsPrevail, inMembers.floatsPrevail, test.want, test.reason)
		}
	}
}

// TestScratchIsDropped: one value with very many scalars leaves no memory that would be cleared for
// each chunk after it.
func TestScratchIsDropped(t *testing.T) {
	value := []byte("[" + strings.Repeat(`"a-1",`, 10*maxKeptPieces) + "1]")
	var members memberFinder
	var templates templateFinder
	templates.limit = maxTemplates
	if members.split(value); !templates.add(value) || len(members.scalars) < maxKeptPieces {
		t.Fatal("the value has too few scalars")
	}
	members.texts.pieces = append(members.texts.pieces, templates.pieces...)
	members.forget()
	templates.forget()
	for what, kept := range map[string]int{
		"scalars":            cap(members.scalars),
		"pieces of texts":    cap(members.texts.pieces),
		"pieces of a value":  cap(templates.pieces),
		"numbers of a value": cap(templates.found),
	} {
		if kept > maxKeptPieces {
			t.Errorf("%s: memory for %d is kept; want at most %d", what, kept, maxKeptPieces)
		}
	}
}
