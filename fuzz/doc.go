// SPDX-License-Identifier: Apache-2.0

// Package fuzz holds the fuzz targets of Daybook's formats, patterns and values, and the language
// of programs that fuzz the engine. Each target takes arbitrary bytes and compares the result with
// a simple reference, or with the same bytes encoded again:
//
//	FuzzKey            a key decodes to the encoded key; keys and encodings have one order
//	FuzzChunk          a chunk decodes or is refused, in bounded memory; its values encode again
//	FuzzBatch          a batch decodes or is refused, in bounded memory; its values encode again
//	FuzzGlob           a glob matches the same names as a reference, and so does a store
//	FuzzTopic          a topic pattern matches the same names as a reference, and so does a store
//	FuzzJSON           a value is valid exactly if encoding/json and a grammar of RFC 8259 say so
//	FuzzValueValidator a value is valid after another value exactly if it is valid on its own
//	FuzzProgram        a program means the same as bytes and as text
//
// Two targets need internals of the engine, and are there. FuzzLogRecovery is beside the log.
// FuzzEngine runs a [Program] on a store and on the model, backendtest.Memory, and compares their
// contents after each operation.
//
// The engine's TestModel draws programs at random. A program that fails is printed as text. Saved
// under engine/testdata/programs, it is run by TestPrograms, and is a seed of FuzzEngine.
//
// `go test ./fuzz ./engine/...` runs the seeds and the inputs in testdata/fuzz. To look for new
// inputs:
//
//	go test ./fuzz -run '^$' -fuzz '^FuzzChunk$' -fuzztime 5m
//	TMPDIR=/dev/shm go test ./engine -run '^$' -fuzz '^FuzzEngine$' -fuzztime 5m \
//		-fuzzminimizetime 10x
//
// The engine's work in the background makes the coverage of a program vary, so that minimizing each
// interesting program would take most of the time. An input that fails is written to testdata/fuzz.
// It belongs into the commit that fixes the fault.
//
// # Reading the source
//
//   - program.go: the two forms of a program
//   - ops.go: the operations, each with its fields
//   - fields.go and value.go: the kinds of fields
//   - run.go: running a program, and comparing the store with the model
//   - run_ops.go and run_holds.go: running each operation
package fuzz
