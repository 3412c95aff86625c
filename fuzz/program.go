// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"bytes"
	"fmt"
	"strings"
)

// Program is a list of operations on a store, and the options with which the store is opened. It
// has two forms. Bytes are for a fuzzer: Decode returns a program for any bytes, so that each
// change of a fuzzer has a meaning. Text is for people, with one operation on each line:
//
//	options head 4096 values 2 bytes 100
//	store a.b {"n":1} at 17
//	crash unseen
//	query a* glob from - to 40 limit 1 newest
//
// Text can express every program that bytes can, and also any other name, timestamp and number.
type Program struct {
	Options StoreOptions
	Ops     []Operation
}

// StoreOptions are the options of a store that decide when a value moves from the head into which
// chunk.
type StoreOptions struct {
	HeadSize    int // bytes
	ChunkValues int
	ChunkBytes  int
}

func (o *StoreOptions) fields() []field {
	return []field{
		word("options"), word("head"), number(&o.HeadSize, 4<<10, 4<<10, 16<<10, 1<<20),
		word("values"), number(&o.ChunkValues, 2, 1, 4, 16, 512),
		word("bytes"), number(&o.ChunkBytes, 100, 1, 1000, 32<<10),
	}
}

// The largest program that Decode returns. It bounds how long a program runs.
const (
	maxOps    = 80
	maxValues = 1500
)

// Decode returns the program that bytes stand for.
func Decode(data []byte) Program {
	in := &byteReader{data}
	p := Program{}
	decodeFields(in, p.Options.fields())
	for next := 1; len(in.data) > 0 && len(p.Ops) < maxOps && next <= maxValues; {
		next = p.add(decodeOp(in), next)
	}
	return p
}

// add adds an operation. It numbers the operation's values from next on, and returns the number for
// the value that follows.
func (p *Program) add(op Operation, next int) (after int) {
	p.Ops = append(p.Ops, op)
	if op, ok := op.(storingOperation); ok {
		return op.number(next)
	}
	return next
}

// Compose returns a program whose options and operations are decoded from separate bytes. It is for
// a generator that can leave out single operations.
func Compose(options []byte, ops [][]byte) Program {
	p := Decode(options[:min(len(options), optionBytes)])
	next := 1
	for _, op := range ops {
		if next <= maxValues {
			next = p.add(decodeOp(&byteReader{op}), next)
		}
	}
	return p
}

// optionBytes is the number of bytes that the options take.
const optionBytes = 3

func decodeOp(in *byteReader) Operation {
	op := opcodes[int(in.next())%len(opcodes)].new()
	decodeFields(in, op.fields())
	return op
}

// Encode returns bytes from which Decode makes the program again, except for the numbers of its
// values. It returns an error if bytes cannot express the program.
func (p Program) Encode() ([]byte, error) {
	data, err := encodeFields(nil, p.Options.fields())
	if err != nil {
		return nil, err
	}
	for _, op := range p.Ops {
		if data, err = encodeFields(append(data, opcodeOf(op)), op.fields()); err != nil {
			return nil, fmt.Errorf("%s: %w", describe(op), err)
		}
	}
	return data, nil
}

// String returns the program as text.
func (p Program) String() string {
	var text strings.Builder
	fmt.Fprintln(&text, textOf(p.Options.fields()))
	for _, op := range p.Ops {
		fmt.Fprintln(&text, describe(op))
	}
	return text.String()
}

// describe returns an operation as text.
func describe(op Operation) string { return strings.TrimSpace(verbOf(op) + " " + textOf(op.fields())) }

// Parse parses the text of a program. It skips empty lines, and lines that begin with #.
func Parse(text []byte) (p Program, err error) {
	optionsParsed := false
	for i, data := range bytes.Split(text, []byte("\n")) {
		line := strings.TrimSpace(string(data))
		if line == "" || line[0] == '#' {
			continue
		}
		if optionsParsed {
			err = p.parseOp(line)
		} else {
			err = parseFields(line, p.Options.fields())
			optionsParsed = true
		}
		if err != nil {
			return Program{}, fmt.Errorf("line %d, %s: %w", i+1, line, err)
		}
	}
	return p, nil
}

func (p *Program) parseOp(line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	op, err := operationNamed(verb)
	if err != nil {
		return err
	}
	p.Ops = append(p.Ops, op)
	return parseFields(rest, op.fields())
}
