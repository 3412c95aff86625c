// SPDX-License-Identifier: Apache-2.0

package codec

import "testing"

// TestIsOutdated asks it of chunks of the version before, and of the current one.
func TestIsOutdated(t *testing.T) {
	for version, want := range map[byte]bool{chunkVersion - 1: true, chunkVersion: false} {
		h := Header{version: version}
		if got := h.IsOutdated(); got != want {
			t.Errorf("version %d: got %v", version, got)
		}
	}
}

// TestPlacesOfTemplates parses templates with as many places as the budget of scalars allows, and
// with more.
func TestPlacesOfTemplates(t *testing.T) {
	const rows = 3
	for _, test := range []struct {
		name    string
		encoded []byte
		scalars int
		want    bool
	}{
		{"no place", []byte{0, 1}, 0, true},
		{"two places", []byte{2, 0, 0, 1, 1, 0}, 2 * rows, true},
		{"a scalar too many", []byte{2, 0, 0, 1, 1, 0}, 2*rows - 1, false},
		{"no piece with this number", []byte{1, 2, 0, 0}, 100, false},
		{"no column with this number", []byte{1, 0, 2, 0}, 100, false},
		{"no last piece with this number", []byte{1, 0, 0, 2}, 100, false},
		{"an end too early", []byte{2, 0, 0, 1, 1}, 100, false},
	} {
		body := memberBody{}
		body.pieces, body.columns = make([]pieceRef, 2), make([]storedColumn, 2)
		in, budget := fieldReader{data: test.encoded}, scalarBudget{scalars: test.scalars}
		stored := storedMembers{}
		stored.rows = rows
		if got := body.parseTemplate(&in, &stored, &budget); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
		if used := len(stored.places) * rows; test.want && budget.scalars != test.scalars-used {
			t.Errorf("%s: %d scalars remain; want %d", test.name, budget.scalars, test.scalars-used)
		}
	}
}

// TestPieces parses as many pieces as there may be in the bytes, and more.
func TestPieces(t *testing.T) {
	body := memberBody{}
	for _, test := range []struct {
		name    string
		encoded []byte
		want    bool
		length  int // of all pieces
	}{
		{"two pieces", []byte{2, 1, 'a', 2, 'b', 'c'}, true, 3},
		{"empty pieces", []byte{2, 0, 0}, true, 0},
		{"more pieces than bytes", []byte{3, 0, 0}, false, 0},
		{"more bytes than there are", []byte{2, 1, 'a', 2, 'b'}, false, 0},
		{"two pieces again", []byte{2, 1, 'a', 2, 'b', 'c'}, true, 3},
	} {
		in := fieldReader{data: test.encoded}
		if got := body.parsePieces(&in); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
		if test.want && (len(body.pieces) != int(test.encoded[0]) || len(body.texts.bytes) != test.length) {
			t.Errorf("%s: got %d pieces of %d bytes", test.name, len(body.pieces), len(body.texts.bytes))
		}
	}
}

// TestPiecesBeyondRoom merges the pieces of values that are as long as the header says, and longer.
func TestPiecesBeyondRoom(t *testing.T) {
	entries := memberEntries(minMerged, func(int) string { return `{"celsius":21.5,"n":7}` })
	h := headerOf(entries)
	h.encoding, h.version = encodingTemplates, chunkVersion
	h.body = appendTemplateBody(nil, entries, &h, maxTemplates)
	for room, want := range map[int]bool{len(entries[0].Value): true, len(entries[0].Value) - 1: false} {
		var body templateBody
		if !body.parse(&h) || !body.readNumbers(0, h.Count) {
			t.Fatal("the body is not valid")
		}
		if got := body.mergePieces(room); got != want {
			t.Errorf("room of %d bytes for a value of %d: got %v", room, len(entries[0].Value), got)
		}
	}
}
