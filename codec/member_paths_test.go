// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"slices"
	"strings"
	"testing"
)

// TestPathsOfSkeletons finds the paths of places in skeletons of JSON, and refuses those that are
// nested too deeply or end too early.
func TestPathsOfSkeletons(t *testing.T) {
	number, text := string([]byte{numberMark}), `"`+string([]byte{textMark})+`"`
	nested := func(depth int) string {
		return strings.Repeat("[", depth) + number + strings.Repeat("]", depth)
	}
	for _, test := range []struct {
		name, skeleton string
		paths          int // -1: refused
	}{
		{"a number", number, 1},
		{"an object", `{"a":` + number + `,"b":` + text + `}`, 2},
		{"as deep as may be", nested(maxMemberDepth), 1},
		{"too deep", nested(maxMemberDepth + 1), -1},
		{"an end without a beginning", number + "}", -1},
		{"a name without an end", `{"a`, -1},
	} {
		paths, ok := appendPaths(nil, []byte(test.skeleton))
		if ok != (test.paths >= 0) || ok && len(paths) != test.paths {
			t.Errorf("%s: got %d paths, %v; want %d", test.name, len(paths), ok, test.paths)
		}
	}
	object, _ := appendPaths(nil, []byte(`{"a":`+number+`,"b":`+number+`,"c":[`+number+`,`+number+`]}`))
	if slices.Sort(object); len(object) != 4 || len(slices.Compact(object)) != 4 {
		t.Errorf("four places have the paths %d; want four paths", object)
	}
}
