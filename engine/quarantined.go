// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// quarantined knows the damaged files that are in quarantine. Which files those are, the directory
// tells. When and why each was put there, a note of the tree tells, if there was a tree to write it
// to.
type quarantined struct {
	mu      sync.Mutex                // guards the fields below
	files   []daybook.QuarantinedFile // as the directory was listed last
	notes   map[string]quarantineNote // by file name
	unsaved bool                      // the tree lacks some of the notes
}

// quarantineNote is the note of a quarantined file.
type quarantineNote struct {
	At     uint64 `json:"at"` // Unix ms
	Reason string `json:"reason"`
}

const (
	quarantineNotes = "quarantine." // followed by the name of the file
	corruptWord     = "corrupt"
	maxReason       = 1000 // bytes of the text of the damage that a note keeps
)

// Quarantined returns the damaged files that OnCorruptionQuarantine has renamed, in this process or
// an earlier one, and that are still there. Nothing reads them again.
// Errors: daybook.ErrClosed, ctx's, or the operating system's.
func (db *DB) Quarantined(ctx context.Context) ([]daybook.QuarantinedFile, error) {
	if err := db.enter(ctx); err != nil {
		return nil, err
	}
	defer db.gate.leave()
	if err := db.reading(ctx).Err(); err != nil {
		return nil, err
	}
	if err := db.listQuarantined(); err != nil {
		return nil, err
	}
	return db.quarantined.get(), nil
}

// RemoveQuarantined removes one of the files that Quarantined returns, by its name. It refuses
// every other name.
// Errors: one that matches fs.ErrNotExist if no such file is in quarantine; daybook.ErrLocked while
// a query or another process reads the file; ErrReadOnly, ErrClosed, ctx's, or the operating
// system's.
func (db *DB) RemoveQuarantined(ctx context.Context, name string) error {
	if err := db.enterWriting(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	return db.withTurn(ctx, func(t *turn) error {
		if err := db.listQuarantined(); err != nil {
			return err
		}
		files := db.quarantined.get()
		at := slices.IndexFunc(files, func(f daybook.QuarantinedFile) bool { return f.Name == name })
		if at < 0 {
			return fmt.Errorf("%w: %q is not in quarantine", fs.ErrNotExist, name)
		}
		if err := db.dir.removeQuarantined(files[at].Path); err != nil {
			return err
		}
		db.quarantined.forget(name)
		if t.prepareToWrite() == nil { // a note of a file that is not there does no harm
			_ = t.tree().PutNotes(tree.Notes{quarantineNotes + name: nil})
		}
		return db.listQuarantined()
	})
}

// listQuarantined looks which files are in quarantine.
func (db *DB) listQuarantined() error {
	files, err := db.dir.quarantined()
	if err != nil {
		return err
	}
	q := &db.quarantined
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range files {
		note := q.notes[files[i].Name]
		files[i].QuarantinedAt, files[i].Reason = note.At, note.Reason
	}
	q.files = files
	return nil
}

// quarantinedNow returns the files that were listed last and are still there.
func (db *DB) quarantinedNow() []daybook.QuarantinedFile {
	return slices.DeleteFunc(db.quarantined.get(), func(f daybook.QuarantinedFile) bool {
		_, err := db.dir.fs.Lstat(f.Path)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// get returns the files that were listed last.
func (q *quarantined) get() []daybook.QuarantinedFile {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.files)
}

// add notes why a file was put in quarantine just now.
func (q *quarantined) add(path string, damage error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.notes == nil {
		q.notes = map[string]quarantineNote{}
	}
	reason := damage.Error()
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
	q.notes[filepath.Base(path)] = quarantineNote{daybook.Now(), reason}
	q.unsaved = true
}

// load adds the notes of a tree. What this process has noted itself is newer.
func (q *quarantined) load(notes tree.Notes) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for key, data := range notes {
		name, isOfFile := strings.CutPrefix(key, quarantineNotes)
		if _, isNewer := q.notes[name]; !isOfFile || isNewer {
			continue
		}
		var note quarantineNote
		if json.Unmarshal(data, &note) != nil { // of a later version: the file is listed without it
			continue
		}
		if q.notes == nil {
			q.notes = map[string]quarantineNote{}
		}
		q.notes[name] = note
	}
}

// forget forgets the note of a file.
func (q *quarantined) forget(name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.notes, name)
}

// toSave returns all notes if the tree lacks some: the tree that had the others may be in
// quarantine itself.
func (q *quarantined) toSave() tree.Notes {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.unsaved {
		return nil
	}
	notes := tree.Notes{}
	for name, note := range q.notes {
		notes[quarantineNotes+name], _ = json.Marshal(note) // all fields can be encoded
	}
	return notes
}

func (q *quarantined) saved() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.unsaved = false
}

// saveQuarantined writes to the tree why files were put in quarantine. If that fails, the next
// process does not know it, and nothing else is lost.
func (t *turn) saveQuarantined() {
	notes := t.db.quarantined.toSave()
	if len(notes) == 0 || t.prepareToWrite() != nil {
		return
	}
	if t.tree().PutNotes(notes) == nil {
		t.db.quarantined.saved()
	}
}

// quarantined returns the damaged trees and logs that have been renamed, by path.
func (d directory) quarantined() (files []daybook.QuarantinedFile, err error) {
	for _, of := range []string{d.tree, d.log} {
		entries, err := d.fs.ReadDir(filepath.Dir(of))
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			path := filepath.Join(filepath.Dir(of), entry.Name())
			isOurs := entry.Type().IsRegular() && of == d.tree || entry.IsDir() && of == d.log
			if !isOurs || !isQuarantinePath(of, path) {
				continue
			}
			bytes, err := d.sizeOf(path, entry)
			if errors.Is(err, fs.ErrNotExist) { // it has just been removed
				continue
			}
			if err != nil {
				return nil, err
			}
			files = append(files, daybook.QuarantinedFile{Name: entry.Name(), Path: path, Bytes: bytes})
		}
	}
	return files, nil
}

// isQuarantinePath reports whether freePath may return path for a file.
func isQuarantinePath(file, path string) bool {
	_, number, _ := strings.Cut(filepath.Base(path), "."+corruptWord+"-")
	n, _ := strconv.Atoi(strings.TrimSuffix(number, filepath.Ext(file)))
	return n > 0 && path == numbered(file, corruptWord, n)
}

// sizeOf returns the size of a file, or of the files of a directory together.
func (d directory) sizeOf(path string, entry fs.DirEntry) (bytes int64, err error) {
	entries := []fs.DirEntry{entry}
	if entry.IsDir() {
		if entries, err = d.fs.ReadDir(path); err != nil {
			return 0, err
		}
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return 0, err
		}
		if !e.IsDir() {
			bytes += info.Size()
		}
	}
	return bytes, nil
}

// removeQuarantined removes a file, or a directory with its files. It refuses a tree that is open,
// because a person may have made it the tree of another daybook, to look at what it has; and a
// directory with another one in it, which is no log of the engine's.
func (d directory) removeQuarantined(path string) error {
	info, err := d.fs.Lstat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		entries, err := d.fs.ReadDir(path)
		if slices.ContainsFunc(entries, fs.DirEntry.IsDir) {
			return fmt.Errorf("%s has a directory, which no log has: remove it by hand", path)
		}
		for _, entry := range entries {
			err = errors.Join(err, d.fs.Remove(filepath.Join(path, entry.Name())))
		}
		if err != nil {
			return err
		}
	} else if err := d.checkNotInUse(path); err != nil {
		return err
	}
	if err := d.fs.Remove(path); err != nil {
		return err
	}
	return d.fs.SyncDir(filepath.Dir(path))
}

// checkNotInUse returns daybook.ErrLocked if a tree is open.
func (d directory) checkNotInUse(path string) error {
	file, err := d.fs.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if disk.IsLockedByAnother(file, disk.OfTree) {
		return errInUse(path)
	}
	return nil
}
