// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
)

// mutant is one change of one file: the bytes from start to end become text.
type mutant struct {
	file       string // path, relative to the module
	function   string
	operator   string // what the change does
	was        string // the first line of the code that it changes
	start, end int
	text       string
	line       int
	needs      lines // a test that runs none of these lines cannot notice the change
	number     int   // among the mutants of the file with the same function, operator and code, from 1
}

// name identifies the mutant while the code around it does not change.
func (m *mutant) name() string {
	name := fmt.Sprintf("%s %s: %s: %s", m.file, m.function, m.operator, m.was)
	if m.number > 1 {
		name += fmt.Sprintf(" #%d", m.number)
	}
	return name
}

// apply returns the source of the file with the change.
func (m *mutant) apply(source []byte) []byte {
	changed := append([]byte{}, source[:m.start]...)
	changed = append(changed, m.text...)
	return append(changed, source[m.end:]...)
}

// finder collects the mutants of one file.
type finder struct {
	file     string
	source   []byte
	set      *token.FileSet
	function string
	body     lines          // of the function
	from     int            // first line of the innermost statement
	returns  *ast.FieldList // of the innermost function
	found    []mutant
	numbers  map[string]int
}

// findMutants returns the mutants of a Go file, in the order of their places.
func findMutants(path string) ([]mutant, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &finder{file: path, source: source, set: token.NewFileSet(), numbers: map[string]int{}}
	parsed, err := parser.ParseFile(f.set, path, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, declaration := range parsed.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok && function.Body != nil {
			f.function, f.returns = nameOfFunction(function), function.Type.Results
			f.body = lines{f.line(function.Pos()), f.line(function.End())}
			f.inspect(function.Body)
		}
	}
	return f.found, nil
}

func nameOfFunction(function *ast.FuncDecl) string {
	if function.Recv == nil {
		return function.Name.Name
	}
	receiver := function.Recv.List[0].Type
	for {
		switch t := receiver.(type) {
		case *ast.StarExpr:
			receiver = t.X
			continue
		case *ast.IndexExpr:
			receiver = t.X
			continue
		case *ast.Ident:
			return t.Name + "." + function.Name.Name
		}
		return function.Name.Name
	}
}

// inspect finds the mutants below a node.
func (f *finder) inspect(root ast.Node) {
	ast.Inspect(root, func(node ast.Node) bool {
		if statement, ok := node.(ast.Stmt); ok {
			f.from = f.line(statement.Pos())
		}
		switch n := node.(type) {
		case *ast.FuncLit:
			outer, from := f.returns, f.from
			f.returns = n.Type.Results
			f.inspect(n.Body)
			f.returns, f.from = outer, from
			return false
		case *ast.IfStmt:
			f.ifStatement(n)
		case *ast.ForStmt:
			if n.Cond != nil {
				f.replace("leave out the loop", n.Cond, "false && ("+f.text(n.Cond)+")")
			}
		case *ast.BinaryExpr:
			f.binary(n)
		case *ast.UnaryExpr:
			if n.Op == token.NOT {
				f.replace("drop the not", n, f.text(n.X))
			}
		case *ast.ExprStmt:
			if _, call := n.X.(*ast.CallExpr); call {
				f.replace("leave out the call", n, "")
			}
		case *ast.DeferStmt:
			f.replace("leave out the call", n, "")
		case *ast.AssignStmt:
			f.assignment(n)
		case *ast.IncDecStmt:
			f.replace("leave out", n, "")
		case *ast.BranchStmt:
			f.branch(n)
		case *ast.ReturnStmt:
			f.returnStatement(n)
		case *ast.CaseClause:
			for _, condition := range n.List {
				if _, binary := condition.(*ast.BinaryExpr); binary && !isEquality(condition) {
					f.replace("negate", condition, "!("+f.text(condition)+")")
				}
			}
		}
		return true
	})
}

func (f *finder) ifStatement(n *ast.IfStmt) {
	switch {
	case f.text(n.Cond) == "err != nil":
		f.replace("ignore the error", n.Cond, "false && err != nil")
	case !isEquality(n.Cond): // which becomes its opposite anyway
		f.replace("negate", n.Cond, "!("+f.text(n.Cond)+")")
	}
	// if err := f.Sync(); err != nil { return err }
	if n.Init != nil && n.Else == nil && len(n.Body.List) == 1 {
		_, returns := n.Body.List[0].(*ast.ReturnStmt)
		if assignment, ok := n.Init.(*ast.AssignStmt); ok && returns && len(assignment.Lhs) == 1 {
			f.replace("leave out the step", n, "")
		}
	}
}

// isEquality reports whether e is a comparison with == or !=.
func isEquality(e ast.Expr) bool {
	comparison, ok := e.(*ast.BinaryExpr)
	return ok && (comparison.Op == token.EQL || comparison.Op == token.NEQ)
}

// comparisons has for each comparison the one that differs at the bound alone.
var comparisons = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL,
	token.REM: token.QUO, token.SHL: token.SHR, token.SHR: token.SHL, token.AND: token.OR, token.OR: token.AND,
}

func (f *finder) binary(n *ast.BinaryExpr) {
	with, ok := comparisons[n.Op]
	if !ok || isText(n.X) || isText(n.Y) || f.text(n) == "err != nil" {
		return
	}
	at := f.offset(n.OpPos)
	f.add(mutant{operator: fmt.Sprintf("%v becomes %v", n.Op, with), was: f.firstLine(n),
		start: at, end: at + len(n.Op.String()), text: with.String(), line: f.line(n.OpPos)})
}

// isText reports whether e is a literal of a string. A plus beside it joins texts.
func isText(e ast.Expr) bool {
	literal, ok := e.(*ast.BasicLit)
	return ok && literal.Kind == token.STRING
}

func (f *finder) assignment(n *ast.AssignStmt) {
	if n.Tok == token.DEFINE {
		return // what it defines would be missing
	}
	f.replace("leave out", n, "")
}

func (f *finder) branch(n *ast.BranchStmt) {
	switch n.Tok {
	case token.BREAK:
		f.replace("leave out", n, "")
	case token.CONTINUE:
		f.replace("continue becomes break", n, strings.Replace(f.text(n), "continue", "break", 1))
	}
}

// returnStatement drops the error that a function returns, or the answer of one that reports
// something.
func (f *finder) returnStatement(n *ast.ReturnStmt) {
	if len(n.Results) == 0 || f.returns == nil {
		return
	}
	last := n.Results[len(n.Results)-1]
	result, ok := f.returns.List[len(f.returns.List)-1].Type.(*ast.Ident)
	if !ok || f.returns.NumFields() != len(n.Results) {
		return
	}
	switch text := f.text(last); {
	case result.Name == "error" && text != "nil":
		f.replace("return no error", last, "nil")
	case result.Name == "bool" && (text == "true" || text == "false"):
		f.replace("return the opposite", last, strconv.FormatBool(text == "false"))
	case result.Name == "bool":
		f.replace("return the opposite", last, "!("+text+")")
	}
}

// replace adds a mutant that puts text in the place of a node.
func (f *finder) replace(operator string, n ast.Node, text string) {
	f.add(mutant{operator: operator, was: f.firstLine(n), start: f.offset(n.Pos()), end: f.offset(n.End()),
		text: text, line: f.line(n.Pos())})
}

func (f *finder) add(m mutant) {
	m.file, m.function = f.file, f.function
	m.needs = lines{min(f.from, m.line), m.line} // the part of a statement after a function literal has no block
	if f.isCase(m.start) {
		m.needs = f.body // the condition of a case is in no block of its own
	}
	f.numbers[m.name()]++
	m.number = f.numbers[m.name()]
	f.found = append(f.found, m)
}

// isCase reports whether the line of an offset begins a case.
func (f *finder) isCase(offset int) bool {
	line := f.source[bytes.LastIndexByte(f.source[:offset], '\n')+1:]
	return bytes.HasPrefix(bytes.TrimLeft(line, "\t"), []byte("case "))
}

func (f *finder) offset(p token.Pos) int { return f.set.Position(p).Offset }
func (f *finder) line(p token.Pos) int   { return f.set.Position(p).Line }

func (f *finder) text(n ast.Node) string {
	return string(f.source[f.offset(n.Pos()):f.offset(n.End())])
}

func (f *finder) firstLine(n ast.Node) string {
	first, _, _ := strings.Cut(f.text(n), "\n")
	return first
}
