// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
)

// report counts outcomes per package.
type report struct {
	packages  map[string]*counts
	total     counts
	survivors []verdict
}

type counts struct{ killed, elsewhere, hung, survived, equivalent, notBuilt int }

func (c *counts) add(o outcome) {
	switch o {
	case killed:
		c.killed++
	case elsewhere:
		c.elsewhere++
	case hung:
		c.hung++
	case survived:
		c.survived++
	case equivalent:
		c.equivalent++
	case notBuilt:
		c.notBuilt++
	}
}

// counting returns the number of mutants that compile and are not equivalent.
func (c *counts) counting() int { return c.killed + c.elsewhere + c.hung + c.survived }

func newReport(verdicts []verdict) report {
	r := report{packages: map[string]*counts{}}
	for _, v := range verdicts {
		name := path.Dir(v.file)
		if r.packages[name] == nil {
			r.packages[name] = &counts{}
		}
		r.packages[name].add(v.outcome)
		r.total.add(v.outcome)
		if v.outcome == survived {
			r.survivors = append(r.survivors, v)
		}
	}
	return r
}

func (r report) print() {
	const row = "%-28s %8s %10s %8s %8s %11s %12s\n"
	fmt.Printf("\n"+row, "package", "killed", "from above", "by hang", "survived", "equivalent", "not compiled")
	line := func(name string, c *counts) {
		fmt.Printf("%-28s %8d %10d %8d %8d %11d %12d\n",
			name, c.killed, c.elsewhere, c.hung, c.survived, c.equivalent, c.notBuilt)
	}
	for _, name := range slices.Sorted(maps.Keys(r.packages)) {
		line(name, r.packages[name])
	}
	line("all", &r.total)
	for _, v := range r.survivors {
		fmt.Println(v)
	}
}

// err returns an error if less than a percentage of the mutants that count was killed.
func (r report) err(minKilled int) error {
	counting := r.total.counting()
	if dead := counting - r.total.survived; dead*100 < minKilled*counting {
		return fmt.Errorf("%d of %d mutants survived; want at least %d %% killed. Each survivor needs a test, "+
			"or a line with its reason in %s", r.total.survived, counting, minKilled, survivorsFile)
	}
	return nil
}
