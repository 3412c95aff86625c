// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-db/daybook/fuzz"
)

// FuzzEngine runs whatever bytes mean as a program, beginning with those in testdata/programs.
func FuzzEngine(f *testing.F) {
	for name, program := range programs(f) {
		data, err := program.Encode()
		if err != nil {
			f.Fatalf("%s: %v", name, err)
		}
		f.Add(data)
	}
	parent := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) { runProgram(t, parent, fuzz.Decode(data)) })
}

// TestModel runs random programs. More of them: -rapid.checks=10000.
func TestModel(t *testing.T) {
	parent := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		options := rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "options")
		ops := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 60), 0, 60).Draw(t, "operations")
		runProgram(t, parent, fuzz.Compose(options, ops))
	})
}

// runProgram runs a program in a directory of its own, which is gone afterwards.
func runProgram(t interface{ Fatal(args ...any) }, parent string, program fuzz.Program) {
	dir, err := os.MkdirTemp(parent, "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := program.Run(programDir(dir)); err != nil {
		t.Fatal(err)
	}
}
