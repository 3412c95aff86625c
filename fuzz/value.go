// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/daybook-db/daybook"
)

// Value is a value that a program stores: a JSON object with a number, padded to a length, or with
// states or a float. Its text is {"n":3}, {"n":3,"zeros":256}, {"n":3,"noise":5000},
// {"n":3,"states":1} or {"n":3,"float":1}.
type Value struct {
	Number int
	padding
}

// padding says how a value is padded.
type padding struct {
	Len    int  // of the padded value in bytes; a value that is longer without padding gets none
	Noise  bool // pad with text that does not compress; false: with zeros
	States bool // add texts out of a few, true, false and null, each of which some values lack
	Float  bool // add a float of up to 17 digits
}

// paddings are the paddings that a byte chooses from. Most values are short. A catalogue entry
// holds a newest value of 256 bytes, and no longer one.
var paddings = []padding{
	{}, {}, {Len: 60}, {Len: 60, Noise: true}, {Len: 100}, {Len: 256}, {Len: 257, Noise: true}, {Len: 1000},
	{Len: 5000, Noise: true}, {Len: 5000},
	{}, {Float: true}, {States: true}, {Len: 60}, {Float: true}, {Len: 60, Noise: true}, {Len: 100}, {States: true},
	{Len: 257}, {Float: true},
	{Len: 300, Noise: true}, {States: true}, {Len: 60, Noise: true}, {},
}

// JSON returns the value as it is stored.
func (v Value) JSON() json.RawMessage {
	text := fmt.Sprintf(`{"n":%d`, v.Number)
	if v.States {
		text += v.states()
	}
	if v.Float {
		text += `,"x":` + v.float()
	}
	if missing := v.Len - len(text) - len(`,"p":""}`); missing > 0 {
		text += `,"p":"` + v.pad(missing) + `"`
	}
	return json.RawMessage(text + "}")
}

// states returns members of which each is absent from some values.
func (v Value) states() (members string) {
	if v.Number%4 > 0 {
		members += fmt.Sprintf(`,"state":%q`, []string{"idle", "running", "fault 17"}[v.Number%3])
	}
	if v.Number%3 > 0 {
		members += `,"on":` + []string{"true", "false", "null"}[v.Number/5%3]
	}
	if v.Number%7 > 3 {
		members += fmt.Sprintf(`,"by":{"id":"A-%d"}`, v.Number*7)
	}
	return members
}

// float returns a float as JSON. Of some numbers, it is very small.
func (v Value) float() string {
	float := math.Cbrt(float64(v.Number)) / 7
	if v.Number%5 == 1 {
		float *= 1e-9
	}
	text, err := json.Marshal(float)
	if err != nil {
		panic(err) // only for what is not finite
	}
	return string(text)
}

// pad returns n bytes of padding.
func (v Value) pad(n int) string {
	if !v.Noise {
		return strings.Repeat("0", n)
	}
	noise, state := make([]byte, n), uint32(v.Number)
	for i := range noise {
		state = state*1664525 + 1013904223
		noise[i] = 'a' + byte(state>>24)%26
	}
	return string(noise)
}

// valueField is the field of a value. In bytes, it is the padding alone, because Decode numbers the
// values.
type valueField struct{ to *Value }

func (f valueField) choice() choice[padding] {
	return choice[padding]{to: &f.to.padding, from: paddings, print: padding.String}
}

func (f valueField) decode(in *byteReader)              { f.choice().decode(in) }
func (f valueField) encode(data []byte) ([]byte, error) { return f.choice().encode(data) }
func (f valueField) text() string                       { return fmt.Sprintf(`{"n":%d%s}`, f.to.Number, f.to.padding) }

// String returns the padding's member in the text of a value.
func (p padding) String() string {
	switch {
	case p.States:
		return `,"states":1`
	case p.Float:
		return `,"float":1`
	case p.Len == 0:
		return ""
	case p.Noise:
		return fmt.Sprintf(`,"noise":%d`, p.Len)
	}
	return fmt.Sprintf(`,"zeros":%d`, p.Len)
}

func (f valueField) parse(in *wordReader) error {
	word, err := in.next()
	if err != nil {
		return err
	}
	var parsed struct{ N, Zeros, Noise, States, Float int }
	if err := json.Unmarshal([]byte(word), &parsed); err != nil {
		return fmt.Errorf("%q: %w", word, err)
	}
	*f.to = Value{parsed.N, padding{
		max(parsed.Zeros, parsed.Noise), parsed.Noise > 0, parsed.States > 0, parsed.Float > 0,
	}}
	return nil
}

// Element is a value with its record and its timestamp.
type Element struct {
	Name  string
	Value Value
	At    uint64 // timestamp
}

func (e *Element) fields() []field {
	return []field{name(&e.Name), valueField{&e.Value}, word("at"), timestamp(&e.At)}
}

func (e *Element) stored() daybook.StoredValue {
	return daybook.StoredValue{RecordName: e.Name, Value: e.Value.JSON(), StoredAt: e.At}
}

// Elements are the values of a batch.
type Elements []Element

// batchLengths are the lengths that a byte chooses from.
var batchLengths = []int{3, 1, 2, 5, 0, 3, 8, 2, 20}

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

// elementsField is the field of a batch's values. In bytes, it is the number of elements and then
// their fields; in text, the elements with commas between them.
type elementsField struct{ to *Elements }

const noElements = "nothing"

func (f elementsField) decode(in *byteReader) {
	count := 0
	number(&count, batchLengths...).decode(in)
	*f.to = make(Elements, count)
	for i := range *f.to {
		decodeFields(in, (*f.to)[i].fields())
	}
}

func (f elementsField) encode(data []byte) ([]byte, error) {
	count := len(*f.to)
	data, err := number(&count, batchLengths...).encode(data)
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
		texts = append(texts, textOf((*f.to)[i].fields()))
	}
	if len(texts) == 0 {
		return noElements
	}
	return strings.Join(texts, ", ")
}

func (f elementsField) parse(in *wordReader) error {
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
