// SPDX-License-Identifier: Apache-2.0

package main

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// daybook is the name of the entrant that all others are compared with.
const daybook = "daybook"

// daybookBefore is the name of Daybook as it was at an earlier commit.
const daybookBefore = "daybook-before"

// entrant is a participant of the race: Daybook, today or before, one of its peers, or a limit.
type entrant struct {
	name  string // as in /peer=name
	label string
	kind  entrantKind
	line  color.RGBA
	shape draw.GlyphDrawer
}

// entrantKind is what an entrant does.
type entrantKind int

const (
	// keepsJSON does all the work, durably.
	keepsJSON entrantKind = iota
	// keepsFloats stores numbers only, and does not sync them.
	keepsFloats
	// earlier is Daybook itself, as it was at an earlier commit.
	earlier
	// physicalLimit is no store. It does the part of the work that no store can avoid, and so shows
	// how much better a store could be.
	physicalLimit
)

// entrants are in the order of rows, bars and legends. The colours are those of Okabe and Ito that
// stand out on white, and a wine red. Colour-blind people can tell them apart, and curves have
// different marks too.
var entrants = []entrant{
	{daybook, "Daybook", keepsJSON, rgb(0x000000), draw.CircleGlyph{}},
	{daybookBefore, "Daybook, before", earlier, rgb(0x1a1a1a), draw.CircleGlyph{}},
	{"sqlite", "SQLite", keepsJSON, rgb(0x0072b2), draw.SquareGlyph{}},
	{"sqlite-modernc", "SQLite (modernc)", keepsJSON, rgb(0x56b4e9), draw.BoxGlyph{}},
	{"sqlite-tuned", "SQLite, tuned", keepsJSON, rgb(0x332288), draw.CrossGlyph{}},
	{"bbolt", "bbolt", keepsJSON, rgb(0x009e73), draw.PyramidGlyph{}},
	{"pebble", "Pebble", keepsJSON, rgb(0xd55e00), draw.RingGlyph{}},
	{"badger", "Badger", keepsJSON, rgb(0xcc79a7), draw.TriangleGlyph{}},
	{"buntdb", "BuntDB", keepsJSON, rgb(0xe69f00), draw.PlusGlyph{}},
	{"tstorage", "tstorage", keepsFloats, rgb(0x882255), draw.CrossGlyph{}},
	{"limit", "disk", physicalLimit, rgb(0x8a8a8a), nil},
	{"memcpy", "memory copy", physicalLimit, rgb(0x8a8a8a), nil},
	{"zstd", "zstd", physicalLimit, rgb(0x8a8a8a), nil},
	{"s2", "S2", physicalLimit, rgb(0x8a8a8a), nil},
}

// dashes tell the limits apart, which are all grey.
var dashes = map[string][]vg.Length{
	"limit":  {6, 3},
	"memcpy": {2, 2},
	"zstd":   {8, 2, 2, 2},
	"s2":     {4, 4},
}

func rgb(hex uint32) color.RGBA {
	return color.RGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 0xff}
}

// rivals are the entrants that Daybook is compared with: all other stores.
func rivals() []entrant {
	return pick(func(e entrant) bool { return (e.kind == keepsJSON || e.kind == keepsFloats) && e.name != daybook })
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

// entrantNamed returns the entrant with that name, which must exist.
func entrantNamed(name string) entrant {
	return pick(func(e entrant) bool { return e.name == name })[0]
}
