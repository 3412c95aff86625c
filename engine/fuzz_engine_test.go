// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"os"
	"runtime/debug"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-db/daybook/fuzz"
	"github.com/daybook-db/daybook/proof/testenv"
)

// FuzzEngine reads bytes as a program and runs it. Its seeds are the programs in testdata/programs.
func FuzzEngine(f *testing.F) {
	for name, program := range programs(f) {
		data, err := program.Encode()
		if err != nil {
			f.Fatalf("%s: %v", name, err)
		}
		f.Add(data)
	}
	defer collectLess()()
	parent := testenv.TempDir(f)
	f.Fuzz(func(t *testing.T, data []byte) { runProgram(t, parent, fuzz.Decode(data)) })
}

// TestModel runs random programs. More of them: -rapid.checks=10000; longer ones: -rapid.steps=100.
func TestModel(t *testing.T) {
	defer collectLess()()
	parent := testenv.TempDir(t)
	rapid.Check(t, func(t *rapid.T) {
		options := rapid.SliceOfN(anyByte, 3, 3).Draw(t, "options")
		var ops [][]byte
		t.Repeat(map[string]func(*rapid.T){"operation": func(t *rapid.T) {
			ops = append(ops, rapid.SliceOfN(anyByte, 12, 63).Draw(t, "of bytes"))
		}})
		runProgram(t, parent, fuzz.Compose(options, ops))
	})
}

// anyByte draws all bytes with equal probability.
var anyByte = rapid.SampledFrom(func() (bytes []byte) {
	for b := range 256 {
		bytes = append(bytes, byte(b))
	}
	return bytes
}())

// collectLess makes the garbage collector run less often until its result is called. Programs keep
// little memory and allocate much, and take half the time then.
func collectLess() (restore func()) {
	before := debug.SetGCPercent(400)
	return func() { debug.SetGCPercent(before) }
}

// runProgram runs a program, and reports a shorter one when it fails.
func runProgram(t interface{ Fatal(args ...any) }, parent string, program fuzz.Program) {
	err := tryProgram(parent, program)
	if err == nil {
		return
	}
	program.Shrink(func(shorter fuzz.Program) bool {
		shorterErr := tryProgram(parent, shorter)
		if shorterErr != nil {
			err = shorterErr
		}
		return shorterErr != nil
	})
	t.Fatal(err)
}

// tryProgram runs a program in a directory of its own, and removes that.
func tryProgram(parent string, program fuzz.Program) error {
	dir, err := os.MkdirTemp(parent, "")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return program.Run(programDir(dir))
}
