// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// checker says which changes of a package compile.
type checker struct {
	set    *token.FileSet
	paths  []string             // relative to the module
	files  map[string]*ast.File // by path
	config types.Config
}

func newChecker(ctx context.Context, pkg string) (*checker, error) {
	exported, err := command(ctx, ".", "go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", pkg)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for line := range strings.Lines(exported) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			exports[path] = file
		}
	}
	c := &checker{set: token.NewFileSet(), files: map[string]*ast.File{}}
	c.config.Importer = importer.ForCompiler(c.set, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})
	if c.paths, err = goFiles([]string{pkg}); err != nil {
		return nil, err
	}
	for _, path := range c.paths {
		if c.files[path], err = parser.ParseFile(c.set, path, nil, parser.SkipObjectResolution); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// compiles reports whether the package compiles with other code in the place of a file.
func (c *checker) compiles(path string, source []byte) bool {
	changed, err := parser.ParseFile(c.set, path, source, parser.SkipObjectResolution)
	if err != nil {
		return false
	}
	files := []*ast.File{changed}
	for _, other := range c.paths {
		if other != path {
			files = append(files, c.files[other])
		}
	}
	_, err = c.config.Check(filepath.Dir(path), c.set, files, nil)
	return err == nil
}

// functionAt returns the declaration around an offset.
func (c *checker) functionAt(path string, offset int) *ast.FuncDecl {
	for _, declaration := range c.files[path].Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if ok && c.offset(function.Pos()) <= offset && offset < c.offset(function.End()) {
			return function
		}
	}
	return nil
}

func (c *checker) offset(p token.Pos) int { return c.set.Position(p).Offset }
