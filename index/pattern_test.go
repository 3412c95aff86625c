// SPDX-License-Identifier: Apache-2.0

package index

import (
	"errors"
	"testing"
)

// compiler is CompileGlob or CompileTopic.
type compiler func(pattern string) (*Pattern, error)

func checkPrefix(t *testing.T, compile compiler, pattern, prefix string, exact bool, reason string) {
	t.Helper()
	p, err := compile(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if p.Prefix() != prefix || p.Exact() != exact {
		t.Errorf("%q: got prefix %q, exact %v; want %q, %v (%s)", pattern, p.Prefix(), p.Exact(), prefix, exact, reason)
	}
}

func checkMalformed(t *testing.T, compile compiler, pattern, reason string) {
	t.Helper()
	if p, err := compile(pattern); !errors.Is(err, ErrPattern) {
		t.Errorf("compiling %.40q: got %v, %v; want ErrPattern (%s)", pattern, p, err, reason)
	}
}
