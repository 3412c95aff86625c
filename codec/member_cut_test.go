// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestMembersCut: whether a tail of members is cut off column by column, or encoded again.
func TestMembersCut(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct {
		name   string
		value  func(i int) string
		isCut  bool
		reason string // why the row is here
	}{
		{"numbers and words", func(i int) string {
			return fmt.Sprintf(`{"state":"%s","n":%d,"x":%d.5}`, words[random.IntN(7)], i, i%40)
		}, true, "all templates and forms have values in the tail"},
		{"texts around numbers", func(i int) string {
			return fmt.Sprintf(`{"by":"%s-%d","n":%d}`, words[i%3], random.IntN(1e6), i%7)
		}, true, "a form's numbers are cut, too"},
		{"identifiers", func(i int) string {
			return fmt.Sprintf(`{"id":"%s","n":%d}`, identifier(uint64(i)), i)
		}, true, "digits are moved by bits"},
		{"two templates", func(i int) string {
			if i%3 == 0 {
				return fmt.Sprintf(`{"state":"%s","n":%d}`, words[random.IntN(7)], i)
			}
			return fmt.Sprintf(`{"state":"%s","m":%d.5}`, words[random.IntN(7)], i%40)
		}, true, "each column loses as many scalars as its templates lose values"},
		{"a template that ends", func(i int) string {
			if i < 100 {
				return fmt.Sprintf(`{"state":"%s","n":%d}`, words[random.IntN(7)], i)
			}
			return fmt.Sprintf(`{"state":"%s","m":%d.5}`, words[random.IntN(7)], i%40)
		}, false, "a body has no template without a value"},
		{"a form that ends", func(i int) string {
			form := "early"
			if i >= 100 {
				form = "late"
			}
			return fmt.Sprintf(`{"by":"%s-%d","state":"%s"}`, form, random.IntN(1e6), words[random.IntN(7)])
		}, false, "a column of numbers is not empty"},
		{"long forms that end", func(i int) string {
			return fmt.Sprintf(`{"by":"%s","n":%d}`, bytes.Repeat([]byte{'a' + byte(i/25)}, 300), i)
		}, false, "the tail would keep the forms of the values that are deleted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			entries := memberEntries(400, test.value)
			key, chunk := memberChunk(entries)
			if chunk == nil {
				t.Fatal("the values are not encoded as members")
			}
			var o Opened
			if err := coder.Open(&o, key, chunk); err != nil {
				t.Fatal(err)
			}
			tailKey, tail, err := coder.cutMembers(&o, []byte("r"), 350)
			if err != nil || (tail != nil) != test.isCut {
				t.Fatalf("got %d bytes, %v; cut: want %v (%s)", len(tail), err, test.isCut, test.reason)
			}
			if tail == nil {
				tailKey, tail, err = o.Tail(350)
			}
			if err != nil {
				t.Fatal(err)
			}
			var b Buffer
			checkDecodes(t, &b, tailKey, tail, entries[350:])
		})
	}
}
