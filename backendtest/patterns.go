// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"strings"

	"github.com/daybook-db/daybook"
)

var globCases = []testCase{
	{"an underscore is no wildcard", "the only special characters of a glob are * ? and \\", globUnderscore},
	{"a star crosses dots", "* matches any run of characters, dots included, and also an empty one", globStar},
	{"question marks", "? matches one character, however many bytes it has", globQuestionMark},
	{"escapes", "\\ takes the next character literally", globEscapes},
	{"case", "matching is case-sensitive", globCase},
	{"hostile patterns", "no pattern takes unbounded time or gives a wrong answer", globHostile},
}

var topicCases = []testCase{
	{"a star is one level", "a level * matches exactly one level", topicStar},
	{"a hash is any number of levels", "a level # matches zero or more levels", topicHash},
	{"a wildcard is a whole level",
		"* and # within a level, and all other characters, are literal; there is no escape",
		topicLiteral},
	{"empty levels", "a topic is split at each dot, and an empty level is a level", topicEmptyLevels},
	{"case", "matching is case-sensitive", topicCase},
	{"hostile patterns", "no pattern takes unbounded time or gives a wrong answer", topicHostile},
}

func globUnderscore(s *subject) {
	s.storeNames("100%", "1000", "[ab]", "a", "test_record", "testXrecord")
	s.wantNames("test_record", daybook.Glob, "test_record")
	s.wantNames("test_*", daybook.Glob, "test_record")
	s.wantNames("100%", daybook.Glob, "100%")
	s.wantNames("test%", daybook.Glob)
	s.wantNames("[ab]", daybook.Glob, "[ab]")
}

func globStar(s *subject) {
	s.storeNames("a.b", "a.b.c", "a/b::c", "b.a")
	s.wantNames("a*", daybook.Glob, "a.b", "a.b.c", "a/b::c")
	s.wantNames("a.b*", daybook.Glob, "a.b", "a.b.c")
	s.wantNames("*c", daybook.Glob, "a.b.c", "a/b::c")
	s.wantNames("a*b*c", daybook.Glob, "a.b.c", "a/b::c")
	s.wantNames("*.*.*", daybook.Glob, "a.b.c")
	s.wantNames("*", daybook.Glob, "a.b", "a.b.c", "a/b::c", "b.a")
	s.wantNames("***", daybook.Glob, "a.b", "a.b.c", "a/b::c", "b.a")
	s.wantNames("a", daybook.Glob)
}

func globQuestionMark(s *subject) {
	s.storeNames("a", "a*", "ab", "abc", "aé", "a😀")
	s.wantNames("a?", daybook.Glob, "a*", "ab", "aé", "a😀")
	s.wantNames("?", daybook.Glob, "a")
	s.wantNames("a??", daybook.Glob, "abc")
	s.wantNames("a?*", daybook.Glob, "a*", "ab", "abc", "aé", "a😀")
	s.wantNames("?b*", daybook.Glob, "ab", "abc")
}

func globEscapes(s *subject) {
	s.storeNames("a*", "a?", `a\`, `a\b`, "ab", "é")
	s.wantNames(`a\*`, daybook.Glob, "a*")
	s.wantNames(`a\?`, daybook.Glob, "a?")
	s.wantNames(`a\\`, daybook.Glob, `a\`)
	s.wantNames(`a\\*`, daybook.Glob, `a\`, `a\b`)
	s.wantNames(`*\*`, daybook.Glob, "a*")
	s.wantNames(`\a\b`, daybook.Glob, "ab")
	s.wantNames(`\é`, daybook.Glob, "é")
}

func globCase(s *subject) {
	s.storeNames("TEMP", "Temp", "temp", "É", "é")
	s.wantNames("temp*", daybook.Glob, "temp")
	s.wantNames("Temp", daybook.Glob, "Temp")
	s.wantNames("é", daybook.Glob, "é")
}

func globHostile(s *subject) {
	all, almost := strings.Repeat("a", 1024), strings.Repeat("a", 1023)+"b"
	s.storeNames(all, almost)
	s.wantNames(strings.Repeat("*a", 1000)+"c", daybook.Glob)
	s.wantNames(strings.Repeat("*a", 1000)+"*b*", daybook.Glob, almost)
	s.wantNames(strings.Repeat("*?", 1000)+"*", daybook.Glob, all, almost)
	s.wantNames(strings.Repeat("*", 1024), daybook.Glob, all, almost)
}

func topicStar(s *subject) {
	s.storeNames("sensors", "sensors.a", "sensors.secret.deep", "sensors_extra.x")
	s.wantNames("sensors.*", daybook.Topic, "sensors.a")
	s.wantNames("*", daybook.Topic, "sensors")
	s.wantNames("*.*", daybook.Topic, "sensors.a", "sensors_extra.x")
	s.wantNames("*.*.deep", daybook.Topic, "sensors.secret.deep")
	s.wantNames("sensors.*.*", daybook.Topic, "sensors.secret.deep")
}

func topicHash(s *subject) {
	s.storeNames("a.b.b.c", "a.b.c", "a.c", "a.x", "sensors", "sensors.a", "sensors.a.b", "sensors_extra.x")
	s.wantNames("sensors.#", daybook.Topic, "sensors", "sensors.a", "sensors.a.b")
	s.wantNames("a.#.c", daybook.Topic, "a.b.b.c", "a.b.c", "a.c")
	s.wantNames("#.c", daybook.Topic, "a.b.b.c", "a.b.c", "a.c")
	s.wantNames("a.#.*.c", daybook.Topic, "a.b.b.c", "a.b.c")
	s.wantNames("#.b.#", daybook.Topic, "a.b.b.c", "a.b.c", "sensors.a.b")
	s.wantNames("#", daybook.Topic,
		"a.b.b.c", "a.b.c", "a.c", "a.x", "sensors", "sensors.a", "sensors.a.b", "sensors_extra.x")
}

func topicLiteral(s *subject) {
	s.storeNames("a.**", "a.b#", `a\`, `a?`, "ab", "sensors*", "sensors.a", "sensorsX")
	s.wantNames("sensors*", daybook.Topic, "sensors*")
	s.wantNames("a.b#", daybook.Topic, "a.b#")
	s.wantNames("a.**", daybook.Topic, "a.**")
	s.wantNames("a?", daybook.Topic, "a?")
	s.wantNames(`a\`, daybook.Topic, `a\`)
}

func topicEmptyLevels(s *subject) {
	s.storeNames(".", ".a", "a", "a.", "a..b", "a.b")
	s.wantNames("a.*", daybook.Topic, "a.", "a.b")
	s.wantNames("*.*", daybook.Topic, ".", ".a", "a.", "a.b")
	s.wantNames("a.*.b", daybook.Topic, "a..b")
	s.wantNames("a..b", daybook.Topic, "a..b")
	s.wantNames("#.a", daybook.Topic, ".a", "a")
}

func topicCase(s *subject) {
	s.storeNames("Temp.a", "temp.a")
	s.wantNames("Temp.*", daybook.Topic, "Temp.a")
	s.wantNames("temp.A", daybook.Topic)
}

func topicHostile(s *subject) {
	name := strings.Repeat("a.", 510) + "a"
	s.storeNames(name)
	s.wantNames(strings.Repeat("#.a.", 500)+"b", daybook.Topic)
	s.wantNames(strings.Repeat("#.a.", 500)+"#", daybook.Topic, name)
	s.wantNames(strings.Repeat("#.*.", 512)+"#", daybook.Topic)
}
