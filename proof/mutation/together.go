// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// numberVariable is the environment variable that says which mutant of many runs.
const numberVariable = "DAYBOOK_MUTANT"

// together is the code of a package with many mutants, so that one build is enough for all. A
// mutant is a copy of its function with the change. The function calls the copy of the number:
//
//	func (d *disk) sync() error {
//		switch mutantNumber {
//		case 7:
//			return d.mutant7()
//		}
//		...
type together struct {
	dir      string
	overlay  string         // path of the file for go test -overlay
	count    int            // of the mutants that have a number
	numbers  map[string]int // by name of the mutant, from 1; 0: it does not compile
	binaries map[string]string
}

// newTogether puts the mutants of the package in a directory together, and writes the code to
// scratch. A mutant has no number if a parameter of its function has no name.
func newTogether(ctx context.Context, scratch, dir string, mutants []mutant) (*together, error) {
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return nil, err
	}
	c, err := newChecker(ctx, "./"+dir)
	if err != nil {
		return nil, err
	}
	t := &together{dir: scratch, numbers: map[string]int{}, binaries: map[string]string{}}
	replaced := map[string]string{}
	for i, file := range c.paths {
		changed, err := t.putInto(c, file, mutants)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			changed = addNumber(changed, c.offset(c.files[file].Name.End()))
		}
		original, err := filepath.Abs(file)
		if err != nil {
			return nil, err
		}
		replaced[original] = filepath.Join(scratch, fmt.Sprintf("changed%d.go", i))
		if err := os.WriteFile(replaced[original], changed, 0o600); err != nil {
			return nil, err
		}
	}
	t.overlay = filepath.Join(scratch, "overlay.json")
	return t, writeOverlay(t.overlay, replaced)
}

// addNumber adds the variable that has the number of the mutant. The offset is that of the end of
// the package clause.
func addNumber(source []byte, offset int) []byte {
	const (
		imports  = "\nimport (mutantos \"os\"; mutantstrconv \"strconv\")\n"
		variable = "\nvar mutantNumber, _ = mutantstrconv.Atoi(mutantos.Getenv(\"" + numberVariable + "\"))\n"
	)
	return slices.Concat(source[:offset], []byte(imports), source[offset:], []byte(variable))
}

// putInto returns the code of a file with its mutants, and gives each a number.
func (t *together) putInto(c *checker, file string, mutants []mutant) ([]byte, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var copies bytes.Buffer
	cases := map[*ast.FuncDecl]string{}
	for i := range mutants {
		m := &mutants[i]
		if m.file != file {
			continue
		}
		function := c.functionAt(file, m.start)
		if !hasNames(function) {
			continue
		}
		changed := m.apply(source)
		if t.numbers[m.name()] = 0; !c.compiles(file, changed) {
			continue
		}
		t.count++
		t.numbers[m.name()] = t.count
		name := fmt.Sprintf("mutant%d", t.count)
		end := c.offset(function.End()) + len(changed) - len(source)
		fmt.Fprintf(&copies, "\n%s%s%s\n", changed[c.offset(function.Pos()):c.offset(function.Name.Pos())],
			name, changed[c.offset(function.Name.End()):end])
		cases[function] += fmt.Sprintf(" case %d: %s;", t.count, callOf(function, name))
	}
	return append(addCases(c, file, source, cases), copies.Bytes()...), nil
}

// addCases lets functions call their copies. A line of the file stays the line that it was.
func addCases(c *checker, file string, source []byte, cases map[*ast.FuncDecl]string) []byte {
	for _, declaration := range slices.Backward(c.files[file].Decls) {
		if function, ok := declaration.(*ast.FuncDecl); ok && cases[function] != "" {
			at := c.offset(function.Body.Lbrace) + 1
			source = slices.Concat(source[:at], []byte(" switch mutantNumber {"+cases[function]+" };"), source[at:])
		}
	}
	return source
}

// hasNames reports whether everything that a copy of a function needs has a name.
func hasNames(function *ast.FuncDecl) bool {
	fields := slices.Clone(function.Type.Params.List)
	if function.Recv != nil {
		fields = append(fields, function.Recv.List...)
	} else if name := function.Name.Name; name == "init" || name == "main" {
		return false
	}
	return !slices.ContainsFunc(fields, func(f *ast.Field) bool {
		return len(f.Names) == 0 || slices.ContainsFunc(f.Names, func(n *ast.Ident) bool { return n.Name == "_" })
	})
}

// callOf returns the statements that call a copy of a function, and return what it returns.
func callOf(function *ast.FuncDecl, name string) string {
	if function.Recv != nil {
		name = function.Recv.List[0].Names[0].Name + "." + name
	}
	if types := function.Type.TypeParams; types != nil {
		name += "[" + strings.Join(namesOf(types), ", ") + "]"
	}
	call := name + "(" + strings.Join(namesOf(function.Type.Params), ", ") + ")"
	if function.Type.Results.NumFields() > 0 {
		return "return " + call
	}
	return call + "; return"
}

func namesOf(list *ast.FieldList) (names []string) {
	for _, field := range list.List {
		dots := ""
		if _, variadic := field.Type.(*ast.Ellipsis); variadic {
			dots = token.ELLIPSIS.String()
		}
		for _, name := range field.Names {
			names = append(names, name.Name+dots)
		}
	}
	return names
}

// binary returns the tests of a package with the mutants. It builds them once.
func (t *together) binary(ctx context.Context, pkg string) (string, error) {
	if binary, ok := t.binaries[pkg]; ok {
		return binary, nil
	}
	binary := filepath.Join(t.dir, fmt.Sprintf("tests%d", len(t.binaries)))
	if text, err := buildTests(ctx, "-overlay", t.overlay, "-ldflags=-s -w", "-o", binary, pkg); err != nil {
		return "", fmt.Errorf("the mutants do not build together: %w\n%s", err, text)
	}
	t.binaries[pkg] = binary
	return binary, nil
}
