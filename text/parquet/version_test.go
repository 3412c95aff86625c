// SPDX-License-Identifier: Apache-2.0

package parquet

import (
	"runtime/debug"
	"testing"
)

// TestVersionIn wants the version of daybook that a file names, whatever the program is.
func TestVersionIn(t *testing.T) {
	own, other := "github.com/daybook-db/daybook", "example.com/gateway"
	tests := []struct {
		name string
		main debug.Module
		deps []*debug.Module
		want string
	}{
		{"a program that imports daybook", debug.Module{Path: other, Version: "v7.0.0"},
			[]*debug.Module{{Path: "example.com/a", Version: "v9.0.0"}, {Path: own, Version: "v1.2.3"}}, "v1.2.3"},
		{"daybook itself", debug.Module{Path: own, Version: "v1.2.3"},
			[]*debug.Module{{Path: "example.com/a", Version: "v9.0.0"}}, "v1.2.3"},
		{"a test", debug.Module{Path: own}, nil, "(devel)"},
	}
	for _, test := range tests {
		if got := versionIn(&debug.BuildInfo{Main: test.main, Deps: test.deps}); got != test.want {
			t.Errorf("%s: got %q; want %q", test.name, got, test.want)
		}
	}
}
