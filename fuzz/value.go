// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/daybook-db/daybook"
)

// Value is what a program stores: an object with a number, and so many bytes long, which text says as
// {"n":3}, {"n":3,"zeros":256} or {"n":3,"noise":5000}.
type Value struct {
	Number int
	size
}

// size is how long a value is, in bytes, unless its number takes more, and with what it is filled.
type size struct {
	Len   int
	Noise bool // what does not compress
}

// Most values are short. A catalogue entry has a newest value of 256 bytes, and no longer one.
var sizes = []size{
	{}, {}, {60, false}, {60, true}, {100, false}, {256, false}, {257, true}, {1000, false}, {5000, true}, {5000, false},
	{}, {}, {}, {60, false}, {}, {60, true}, {100, false}, {}, {257, false}, {}, {300, true}, {}, {60, true}, {},
}

// JSON returns the value.
func (v Value) JSON() json.RawMessage {
	text := fmt.Sprintf(`{"n":%d`, v.Number)
	if missing := v.Len - len(text) - len(`,"p":""}`); missing > 0 {
		text += `,"p":"` + v.filling(missing) + `"`
	}
	return json.RawMessage(text + "}")
}

func (v Value) filling(size int) string {
	if !v.Noise {
		return strings.Repeat("0", size)
	}
	noise, state := make([]byte, size), uint32(v.Number)
	for i := range noise {
		state = state*1664525 + 1013904223
		noise[i] = 'a' + byte(state>>24)%26
	}
	return string(noise)
}

// valueField is a byte for the size; the number is given to it.
type valueField struct{ to *Value }

func (f valueField) choice() choice[size] {
	return choice[size]{to: &f.to.size, from: sizes, print: size.String}
}

func (f valueField) decode(in *input)                   { f.choice().decode(in) }
func (f valueField) encode(data []byte) ([]byte, error) { return f.choice().encode(data) }
func (f valueField) text() string                       { return fmt.Sprintf(`{"n":%d%s}`, f.to.Number, f.to.size) }

func (s size) String() string {
	switch {
	case s.Len == 0:
		return ""
	case s.Noise:
		return fmt.Sprintf(`,"noise":%d`, s.Len)
	}
	return fmt.Sprintf(`,"zeros":%d`, s.Len)
}

func (f valueField) parse(in *words) error {
	word, err := in.next()
	if err != nil {
		return err
	}
	var parsed struct{ N, Zeros, Noise int }
	if err := json.Unmarshal([]byte(word), &parsed); err != nil {
		return fmt.Errorf("%q: %w", word, err)
	}
	*f.to = Value{parsed.N, size{max(parsed.Zeros, parsed.Noise), parsed.Noise > 0}}
	return nil
}

// Element is a value with where it goes.
type Element struct {
	Name  string
	Value Value
	At    uint64
}

func (e *Element) fields() []field {
	return []field{name(&e.Name), valueField{&e.Value}, word("at"), timestamp(&e.At)}
}

func (e *Element) stored() daybook.StoredValue {
	return daybook.StoredValue{RecordName: e.Name, Value: e.Value.JSON(), StoredAt: e.At}
}

// Elements are those of a batch.
type Elements []Element

var batchSizes = []int{3, 1, 2, 5, 0, 3, 8, 2, 20}

func (es Elements) stored() (values []daybook.StoredValue) {
	for i := range es {
		values = append(values, es[i].stored())
	}
	return values
}

func (es Elements) number(next int) int {
	for i := range es {
		es[i].Value.Number = next
		next++
	}
	return next
}

// elementsField is a byte for how many there are, and then they; as text, they with commas between.
type elementsField struct{ to *Elements }

const noElements = "nothing"

func (f elementsField) decode(in *input) {
	count := 0
	number(&count, batchSizes...).decode(in)
	*f.to = make(Elements, count)
	for i := range *f.to {
		decodeFields(in, (*f.to)[i].fields())
	}
}

func (f elementsField) encode(data []byte) ([]byte, error) {
	count := len(*f.to)
	data, err := number(&count, batchSizes...).encode(data)
	for i := range *f.to {
		if err == nil {
			data, err = encodeFields(data, (*f.to)[i].fields())
		}
	}
	return data, err
}

func (f elementsField) text() string {
	var texts []string
	for i := range *f.to {
		texts = append(texts, join((*f.to)[i].fields()))
	}
	if len(texts) == 0 {
		return noElements
	}
	return strings.Join(texts, ", ")
}

func (f elementsField) parse(in *words) error {
	*f.to = Elements{}
	if in.line == noElements {
		in.line = ""
		return nil
	}
	for more := true; more; {
		var e Element
		parsed := e.fields()
		for _, f := range parsed[:len(parsed)-1] {
			if err := f.parse(in); err != nil {
				return err
			}
		}
		word, err := in.next()
		if err != nil {
			return err
		}
		if word, more = strings.CutSuffix(word, ","); more && in.line == "" {
			return errors.New("the line ends with a comma")
		}
		if e.At, err = parseTime(word); err != nil {
			return err
		}
		*f.to = append(*f.to, e)
	}
	return nil
}
