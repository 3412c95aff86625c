// SPDX-License-Identifier: Apache-2.0

package disk_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// byPath are the functions that look a path up. In the engine only this package may call them,
// before a directory is open. Everything else goes through FS, so that a path that changes its
// meaning cannot lead to another daybook.
var byPath = map[string][]string{
	"os": {
		"Chdir", "Chmod", "Chown", "Chtimes", "CopyFS", "Create", "CreateTemp", "DirFS", "Lchown", "Link", "Lstat",
		"Mkdir", "MkdirAll", "MkdirTemp", "Open", "OpenFile", "OpenInRoot", "OpenRoot", "ReadDir", "ReadFile",
		"Readlink", "Remove", "RemoveAll", "Rename", "Stat", "Symlink", "Truncate", "WriteFile",
	},
	"path/filepath": {"Abs", "EvalSymlinks", "Glob", "Walk", "WalkDir"},
	// Of these packages the engine uses constants, errors, and calls with an open file.
	"syscall": {
		"Access", "Chmod", "Chown", "Creat", "Link", "Lstat", "Mkdir", "Open", "Openat", "Readlink", "Rename",
		"Rmdir", "Stat", "Statfs", "Symlink", "Truncate", "Unlink",
	},
	"golang.org/x/sys/unix": {
		"Access", "Chmod", "Chown", "Creat", "Fstatat", "Link", "Linkat", "Lstat", "Mkdir", "Open", "Openat",
		"Readlink", "Rename", "Renameat2", "Rmdir", "Stat", "Statfs", "Statx", "Symlink", "Truncate", "Unlink",
		"Unlinkat",
	},
	"golang.org/x/sys/windows": {
		"CreateFile", "CreateDirectory", "DeleteFile", "GetDiskFreeSpaceEx", "MoveFile", "MoveFileEx", "Open", "Rename",
		"RemoveDirectory",
	},
	"go.etcd.io/bbolt": {"Open"}, // without Options.OpenFile
}

// TestOnlyHandles finds each call of the engine that looks a path up, on every system that it is
// built for.
func TestOnlyHandles(t *testing.T) {
	allowed := map[string]string{ // call and place -> why it may look a path up
		"bbolt.Open internal/tree/bolt.go": "with Options.OpenFile, which opens the file through FS",
	}
	files := 0
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel("../..", path)
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		name = filepath.ToSlash(name)
		if strings.HasPrefix(name, "internal/disk/") {
			return nil
		}
		for _, call := range callsByPath(t, path) {
			if _, ok := allowed[call+" "+name]; !ok {
				t.Errorf("engine/%s calls %s, which looks a path up: use disk.FS", name, call)
			}
			delete(allowed, call+" "+name)
		}
		return nil
	})
	if err != nil || files < 80 {
		t.Errorf("%d files of the engine were read, %v; want all", files, err)
	}
	for call := range allowed {
		t.Errorf("%s was not found: remove it from the test", call)
	}
}

// callsByPath returns the uses of functions of byPath in a file.
func callsByPath(t *testing.T, path string) (calls []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	forbidden := make(map[string][]string) // by the name that the file gives the package
	for _, imported := range file.Imports {
		of, err := strconv.Unquote(imported.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		name := of[strings.LastIndex(of, "/")+1:]
		if imported.Name != nil {
			name = imported.Name.Name
		}
		if functions := byPath[of]; functions != nil {
			if name == "." {
				t.Errorf("%s imports %s without a name", path, of)
			}
			forbidden[name] = functions
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			if of, ok := selector.X.(*ast.Ident); ok && slices.Contains(forbidden[of.Name], selector.Sel.Name) {
				calls = append(calls, of.Name+"."+selector.Sel.Name)
			}
		}
		return true
	})
	return calls
}
