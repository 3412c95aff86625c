// SPDX-License-Identifier: Apache-2.0

package index

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

func TestCompile(t *testing.T) {
	tests := []struct {
		name    string
		pattern string
		syntax  daybook.PatternSyntax
		matches []string
		misses  []string
		reason  string // why the row is here
	}{
		{"glob", "a.*", daybook.Glob, []string{"a.b", "a.b.c"}, []string{"a", "b.a"}, "a glob's * crosses dots"},
		{"topic", "a.*", daybook.Topic, []string{"a.b"}, []string{"a", "a.b.c"}, "a topic's * is one level"},
		{"glob escape", `a\*`, daybook.Glob, []string{"a*"}, []string{`a\b`}, "a glob has escapes"},
		{"topic backslash", `a\.*`, daybook.Topic, []string{`a\.b`}, []string{"a.b"}, "a topic has no escapes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := Compile(daybook.Pattern{Text: test.pattern, Syntax: test.syntax})
			if err != nil {
				t.Fatal(err)
			}
			checkMatches(t, p, test.matches, test.misses, test.reason)
		})
	}
}

func TestCompileErrors(t *testing.T) {
	long, unquotable := strings.Repeat("a", MaxPatternLen+1), "a"+strings.Repeat("é", 40)+`\`
	quotable := strings.Repeat("a", 63) + `\`
	tests := []struct {
		name    string
		pattern string
		syntax  daybook.PatternSyntax
		want    PatternError
		text    string
	}{
		{"empty glob", "", daybook.Glob, PatternError{"", 0, "it is empty"}, "invalid pattern: it is empty"},
		{"empty topic", "", daybook.Topic, PatternError{"", 0, "it is empty"}, "invalid pattern: it is empty"},
		{"lone backslash", `é*\`, daybook.Glob,
			PatternError{`é*\`, 3, `it ends in a lone \; write \\ for a backslash`},
			`invalid pattern: "é*\\" at offset 3: it ends in a lone \; write \\ for a backslash`},
		{"not UTF-8", "é\ufffd\xff.*", daybook.Topic, PatternError{"é\ufffd\xff.*", 5, "it is not valid UTF-8"},
			"invalid pattern: \"é\ufffd\\xff.*\" at offset 5: it is not valid UTF-8"},
		{"too long", long, daybook.Glob, PatternError{long, MaxPatternLen, "it has 4097 bytes; at most 4096"},
			`invalid pattern: "` + long[:64] + `"... at offset 4096: it has 4097 bytes; at most 4096`},
		{"as long as a whole quotation", quotable, daybook.Glob,
			PatternError{quotable, 63, `it ends in a lone \; write \\ for a backslash`},
			`invalid pattern: "` + quotable + `\" at offset 63: it ends in a lone \; write \\ for a backslash`},
		{"a character at the end of the quotation", unquotable, daybook.Glob,
			PatternError{unquotable, 81, `it ends in a lone \; write \\ for a backslash`},
			`invalid pattern: "a` + strings.Repeat("é", 31) + `"... at offset 81: ` +
				`it ends in a lone \; write \\ for a backslash`},
		{"no character in the quotation", "a" + strings.Repeat("\xbf", 80), daybook.Glob,
			PatternError{"a" + strings.Repeat("\xbf", 80), 1, "it is not valid UTF-8"},
			`invalid pattern: "a` + strings.Repeat(`\xbf`, 59) + `"... at offset 1: it is not valid UTF-8`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Compile(daybook.Pattern{Text: test.pattern, Syntax: test.syntax})
			var got *PatternError
			if !errors.As(err, &got) || !errors.Is(err, daybook.ErrInvalidPattern) {
				t.Fatalf("got %v; want a *PatternError that matches ErrInvalidPattern", err)
			}
			if diff := cmp.Diff(test.want, *got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.text, err.Error()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompileUnknownSyntax(t *testing.T) {
	p, err := Compile(daybook.Pattern{Syntax: 7})
	if !errors.Is(err, daybook.ErrInvalidParams) || errors.Is(err, daybook.ErrInvalidPattern) {
		t.Errorf("got %v, %v; want ErrInvalidParams: whether a pattern is valid depends on the syntax", p, err)
	}
}
