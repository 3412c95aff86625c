// SPDX-License-Identifier: Apache-2.0

package text

import (
	"slices"
	"testing"
)

func TestNameTemplate(t *testing.T) {
	for _, test := range []struct {
		template string
		fields   []string
		texts    []string
		want     string // "": an error
	}{
		{"plain", nil, nil, "plain"},
		{"ha.{entity_id}", []string{"entity_id"}, []string{"sensor.a"}, "ha.sensor.a"},
		{"{a}{b}-x", []string{"a", "b"}, []string{"1", "2"}, "12-x"},
		{"{a}", []string{"a"}, []string{""}, ""},
		{"{a", nil, nil, ""},
		{"{}", nil, nil, ""},
		{"", nil, nil, ""},
	} {
		template, err := ParseNameTemplate(test.template)
		got := ""
		if err == nil {
			got, err = template.Name(test.texts)
		}
		if (err != nil) != (test.want == "") || got != test.want {
			t.Errorf("%q: got %q, %v; want %q", test.template, got, err, test.want)
		}
		if test.fields != nil && !slices.Equal(template.Fields(), test.fields) {
			t.Errorf("%q: fields %q; want %q", test.template, template.Fields(), test.fields)
		}
	}
}
