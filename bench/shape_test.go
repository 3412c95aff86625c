// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// allShapes returns the shapes of this package.
func allShapes() []Shape {
	all := make([]Shape, shapeCount)
	for i := range all {
		all[i] = Shape(i)
	}
	return all
}

// TestShapes shows that each shape makes JSON of the width that its comment states, and the same
// values from the same seed.
func TestShapes(t *testing.T) {
	const records, ticks = 20, 500
	for _, shape := range allShapes() {
		t.Run(shape.String(), func(t *testing.T) {
			w, length := NewWorkload(records, 3, shape), 0
			for _, v := range w.Ticks(ticks) {
				if !json.Valid(v.Value) {
					t.Fatalf("%s is not JSON", v.Value)
				}
				length += len(v.Value)
			}
			mean, want := float64(length)/(records*ticks), float64(shapes[shape].width)
			if math.Abs(mean-want) > max(0.04*want, 1) {
				t.Errorf("a value has %.1f bytes; want about %.0f", mean, want)
			}
			first := checksum(NewWorkload(records, 3, shape), 5)
			if again := checksum(NewWorkload(records, 3, shape), 5); again != first {
				t.Error("want the same values from the same seed")
			}
			if other := checksum(NewWorkload(records, 4, shape), 5); other == first {
				t.Error("want other values from another seed")
			}
		})
	}
}

// TestEntropy compares the stated information of a shape with what the slowest level of zstd makes
// of one record's values. zstd cannot take less, and finds a part of what there is to find: it
// knows texts that repeat, and not numbers that are near the one before.
func TestEntropy(t *testing.T) {
	const bytes = 250_000 // of values, about
	level := zstd.EncoderLevelFromZstd(19)
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithWindowSize(8<<20))
	if err != nil {
		t.Fatal(err)
	}
	for _, shape := range allShapes() {
		if shape == Mixed {
			continue // its records have the other shapes
		}
		t.Run(shape.String(), func(t *testing.T) {
			t.Parallel()
			ticks, values := bytes/shapes[shape].width, []byte(nil)
			for _, v := range NewWorkload(1, 5, shape).Ticks(ticks) {
				values = append(append(values, v.Value...), '\n')
			}
			bits := 8 * float64(len(encoder.EncodeAll(values, nil))) / float64(ticks)
			stated := shapes[shape].bits
			t.Logf("zstd takes %.2f bits a value, of %.2f", bits, stated)
			if bits < stated || bits > 4*stated {
				t.Errorf("zstd takes %.2f bits a value; want 1 to 4 times the stated %.2f", bits, stated)
			}
		})
	}
}
