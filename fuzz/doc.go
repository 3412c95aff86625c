// SPDX-License-Identifier: Apache-2.0

// Package fuzz holds the fuzz targets of Daybook's formats and patterns. Each takes arbitrary bytes and
// holds what becomes of them against a simple reference, or against the same bytes encoded again:
//
//	FuzzKey    a key decodes to what encodes to it, and keys and their encodings have one order
//	FuzzChunk  a chunk decodes, or is refused, in bounded memory; what decodes encodes to the same values
//	FuzzBatch  a batch decodes, or is refused; what decodes encodes to the same values
//	FuzzGlob   a glob pattern matches what a table of all its matches says, within its prefix
//	FuzzTopic  a topic pattern matches what trying everything says, within its prefix
//
// The log's target, FuzzLogRecovery, is with the log, which is internal to the engine.
//
// `go test ./fuzz` runs the seeds and the inputs kept in testdata/fuzz;
//
//	go test ./fuzz -run '^$' -fuzz '^FuzzChunk$' -fuzztime 5m
//
// looks for new ones. An input that fails is written to testdata/fuzz; it belongs into the commit that
// mends what it found.
package fuzz
