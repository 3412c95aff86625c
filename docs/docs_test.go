// SPDX-License-Identifier: Apache-2.0

// Package docs_test checks the documents of the repository: links, commands, programs, names and
// widths.
//
// A fenced block of sh is run, block after block of a page, in a fresh directory of that page, with
// the command built from this source. An HTML comment on the line before says more about a block:
//
//	<!-- not run: REASON -->             the block cannot run in a test; there are few of those
//	<!-- recipe: NAME -->                the block runs in a directory of its own, with files that
//	                                     TestRecipes has for it
//	<!-- runs until it is interrupted --> the block's command is interrupted after a moment
//	<!-- file: NAME -->                  the block is the content of a file that later commands use
//	<!-- output -->                      the block is the output of the block before, in which a
//	                                     line ... stands for any lines
package docs_test

import (
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	root     = ".."
	maxWidth = 120 // columns

	minReadmeLines, maxReadmeLines = 150, 180
)

// document is a Markdown file of the repository.
type document struct {
	path   string // relative to the repository, with slashes
	text   string
	blocks []block
}

// block is a fenced block of a document.
type block struct {
	language string
	mark     string // of the HTML comment on the line before; "": none
	content  string
	line     int // of its first fence, from 1
}

var comment = regexp.MustCompile(`^<!-- (.*) -->$`)

// documents returns all documents of the repository.
func documents(t *testing.T) (all []document) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
			return fs.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		all = append(all, document{filepath.ToSlash(name), string(text), blocksOf(string(text))})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// documentAt returns the document with a path.
func documentAt(t *testing.T, path string) document {
	t.Helper()
	for _, d := range documents(t) {
		if d.path == path {
			return d
		}
	}
	t.Fatalf("there is no %s", path)
	return document{}
}

func blocksOf(text string) (blocks []block) {
	before, open := "", false
	for i, line := range strings.Split(text, "\n") {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !open:
			b := block{language: language, line: i + 1}
			if match := comment.FindStringSubmatch(before); match != nil {
				b.mark = match[1]
			}
			blocks = append(blocks, b)
			open = true
		case fence:
			open = false
		case open:
			blocks[len(blocks)-1].content += line + "\n"
		}
		before = line
	}
	return blocks
}

// prose returns the document without its fenced blocks, with as many lines.
func (d document) prose() string {
	open := false
	lines := strings.Split(d.text, "\n")
	for i, line := range lines {
		fence := strings.HasPrefix(line, "```")
		if open || fence {
			lines[i] = ""
		}
		open = open != fence
	}
	return strings.Join(lines, "\n")
}

func TestWidths(t *testing.T) {
	for _, d := range documents(t) {
		for i, line := range strings.Split(d.prose(), "\n") {
			width := utf8.RuneCountInString(line)
			generated := strings.HasPrefix(line, "go run -C bench/peers ") // the command in a comment of the report
			if width > maxWidth && !generated {
				t.Errorf("%s:%d has %d columns; want at most %d", d.path, i+1, width, maxWidth)
			}
		}
	}
}

func TestReadmeLength(t *testing.T) {
	readme := documentAt(t, "README.md")
	if got := strings.Count(readme.text, "\n"); got < minReadmeLines || got > maxReadmeLines {
		t.Errorf("README.md has %d lines; want %d to %d", got, minReadmeLines, maxReadmeLines)
	}
}

func TestPicturesAreXML(t *testing.T) {
	pictures, err := filepath.Glob("*.svg")
	if err != nil || len(pictures) == 0 {
		t.Fatalf("pictures: %q, %v; want at least one", pictures, err)
	}
	for _, path := range pictures {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		decoder := xml.NewDecoder(file)
		for err == nil {
			_, err = decoder.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
