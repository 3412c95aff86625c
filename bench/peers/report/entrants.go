// SPDX-License-Identifier: Apache-2.0

package main

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// daybook is the entrant all others are compared with.
const daybook = "daybook"

// entrant is who or what runs in the race: Daybook, its peers, and the physical limits. A limit is no store,
// and nobody loses against it: it says how much better anything could be.
type entrant struct {
	name  string // as in /peer=name
	label string
	limit bool
	line  color.RGBA
	shape draw.GlyphDrawer
}

// entrants are in the order of columns, bars and legends. The colours are those of Okabe and Ito that stand
// out on white, and a wine red, which differ for colour-blind eyes too; curves have shapes besides.
var entrants = []entrant{
	{daybook, "Daybook", false, rgb(0x000000), draw.CircleGlyph{}},
	{"sqlite", "SQLite", false, rgb(0x0072b2), draw.SquareGlyph{}},
	{"sqlite-modernc", "SQLite (modernc)", false, rgb(0x56b4e9), draw.BoxGlyph{}},
	{"sqlite-tuned", "SQLite, tuned", false, rgb(0x332288), draw.CrossGlyph{}},
	{"bbolt", "bbolt", false, rgb(0x009e73), draw.PyramidGlyph{}},
	{"pebble", "Pebble", false, rgb(0xd55e00), draw.RingGlyph{}},
	{"badger", "Badger", false, rgb(0xcc79a7), draw.TriangleGlyph{}},
	{"buntdb", "BuntDB", false, rgb(0xe69f00), draw.PlusGlyph{}},
	{"tstorage", "tstorage", false, rgb(0x882255), draw.CrossGlyph{}},
	{"limit", "disk", true, rgb(0x8a8a8a), nil},
	{"memcpy", "memory copy", true, rgb(0x8a8a8a), nil},
	{"zstd", "zstd", true, rgb(0x8a8a8a), nil},
}

// dashes tell the limits, which share a grey, from one another.
var dashes = map[string][]vg.Length{
	"limit":  {6, 3},
	"memcpy": {2, 2},
	"zstd":   {8, 2, 2, 2},
}

func rgb(hex uint32) color.RGBA {
	return color.RGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 0xff}
}

// rivals are the entrants that Daybook can be ahead of or behind.
func rivals() []entrant {
	return pick(func(e entrant) bool { return !e.limit && e.name != daybook })
}

func limits() []entrant {
	return pick(func(e entrant) bool { return e.limit })
}

func pick(wanted func(entrant) bool) []entrant {
	var picked []entrant
	for _, e := range entrants {
		if wanted(e) {
			picked = append(picked, e)
		}
	}
	return picked
}
