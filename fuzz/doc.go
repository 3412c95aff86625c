// SPDX-License-Identifier: Apache-2.0

// Package fuzz holds the fuzz targets of Daybook's formats, patterns and values, and the language in which
// the engine is fuzzed. Each target takes arbitrary bytes and holds what becomes of them against a simple
// reference, or against the same bytes encoded again:
//
//	FuzzKey      a key decodes to what encodes to it, and keys and their encodings have one order
//	FuzzChunk    a chunk decodes, or is refused, in bounded memory; what decodes encodes to the same values
//	FuzzBatch    a batch decodes, or is refused; what decodes encodes to the same values
//	FuzzGlob     a glob matches what a table of all its matches says, and a store narrows to the same names
//	FuzzTopic    a topic pattern matches what trying everything says, and a store narrows to the same names
//	FuzzJSON     a value is taken exactly when encoding/json and the grammar of RFC 8259 say that it is one
//	FuzzProgram  a program means the same as bytes and as text
//
// Two targets need what is internal to the engine, and are there: FuzzLogRecovery, with the log, and
// FuzzEngine, which runs a [Program] on a store and on the model, backendtest.Memory, and compares all that
// both hold after each operation. The engine's TestModel draws programs at random. One that fails is
// printed as text; saved under engine/testdata/programs it is run by TestPrograms from then on, and
// is one that FuzzEngine begins with.
//
// `go test ./fuzz ./engine/...` runs the seeds and the inputs kept in testdata/fuzz;
//
//	go test ./fuzz -run '^$' -fuzz '^FuzzChunk$' -fuzztime 5m
//	TMPDIR=/dev/shm go test ./engine -run '^$' -fuzz '^FuzzEngine$' -fuzztime 5m -fuzzminimizetime 10x
//
// looks for new ones. What the engine does in the background makes the coverage of a program vary, so that
// minimizing each interesting one would take most of the time. An input that fails is written to
// testdata/fuzz; it belongs into the commit that mends what it found.
//
// # Reading the source
//
// program.go is the language's two forms; ops.go its operations, each with its fields; fields.go and value.go
// what fields there are; run.go what compares, and run_ops.go what each operation does.
package fuzz
