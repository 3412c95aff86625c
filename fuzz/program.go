// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"bytes"
	"fmt"
	"strings"
)

// Program is a list of operations on a store that is opened with some options. It has two forms. Bytes are
// for a fuzzer: Decode makes a program of any bytes, so that whatever a fuzzer changes means something. Text
// is for people, one operation a line:
//
//	options head 4096 values 2 bytes 100
//	store a.b {"n":1} at 17
//	crash unseen
//	query a* glob from - to 40 limit 1 newest
//
// Text can say all that bytes can, and more: names, times and numbers of its own.
type Program struct {
	Options Options
	Ops     []Op
}

// Options are those of the store that make a difference to the way of a value.
type Options struct {
	HeadSize    int // bytes
	ChunkValues int
	ChunkBytes  int
}

func (o *Options) fields() []field {
	return []field{
		word("options"), word("head"), number(&o.HeadSize, 4<<10, 4<<10, 16<<10, 1<<20),
		word("values"), number(&o.ChunkValues, 2, 1, 4, 16, 512),
		word("bytes"), number(&o.ChunkBytes, 100, 1, 1000, 32<<10),
	}
}

// Most of what Decode makes of bytes, which bounds how long a program runs.
const (
	mostOps    = 80
	mostValues = 1500
)

// Decode makes a program of any bytes.
func Decode(data []byte) Program {
	in := &input{data}
	p := Program{}
	decodeFields(in, p.Options.fields())
	for next := 1; len(in.data) > 0 && len(p.Ops) < mostOps && next <= mostValues; {
		next = p.add(decodeOp(in), next)
	}
	return p
}

// add adds an operation, gives each of its values a number of its own from next on, and returns the one to
// go on with.
func (p *Program) add(op Op, next int) (after int) {
	p.Ops = append(p.Ops, op)
	if op, ok := op.(storing); ok {
		return op.number(next)
	}
	return next
}

// Compose makes a program of operations that have bytes of their own each, for a generator that leaves out
// some of them.
func Compose(options []byte, ops [][]byte) Program {
	p := Decode(options[:min(len(options), optionBytes)])
	next := 1
	for _, op := range ops {
		if next <= mostValues {
			next = p.add(decodeOp(&input{op}), next)
		}
	}
	return p
}

// optionBytes is how many bytes the options take.
const optionBytes = 3

func decodeOp(in *input) Op {
	op := opcodes[int(in.next())%len(opcodes)].new()
	decodeFields(in, op.fields())
	return op
}

// Encode returns bytes that Decode makes the program of, but for the numbers of its values, or an error when
// there are none.
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
	fmt.Fprintln(&text, join(p.Options.fields()))
	for _, op := range p.Ops {
		fmt.Fprintln(&text, describe(op))
	}
	return text.String()
}

// describe returns an operation as text.
func describe(op Op) string { return strings.TrimSpace(verbOf(op) + " " + join(op.fields())) }

// Parse reads a program's text. Empty lines and those that begin with # say nothing.
func Parse(text []byte) (p Program, err error) {
	begun := false
	for i, data := range bytes.Split(text, []byte("\n")) {
		line := strings.TrimSpace(string(data))
		if line == "" || line[0] == '#' {
			continue
		}
		if begun {
			err = p.parseOp(line)
		} else {
			err = parseFields(line, p.Options.fields())
			begun = true
		}
		if err != nil {
			return Program{}, fmt.Errorf("line %d, %s: %w", i+1, line, err)
		}
	}
	return p, nil
}

func (p *Program) parseOp(line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	op, err := opNamed(verb)
	if err != nil {
		return err
	}
	p.Ops = append(p.Ops, op)
	return parseFields(rest, op.fields())
}
