// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"path/filepath"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// testSession is a Session in a file of the disk that fails, as package engine keeps one. A machine
// that crashes must never be told that files are missing.
type testSession struct {
	fs     disk.FS
	file   disk.File
	now    *Expected // nil: closed
	synced bool
}

var sessionPath = filepath.FromSlash("/session")

// testSessionLen is the length of the JSON of an Expected, with spaces and a checksum after it.
const testSessionLen = 500

func (s *testSession) write(e *Expected) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	for len(data) < testSessionLen-4 {
		data = append(data, ' ')
	}
	data = binary.LittleEndian.AppendUint32(data, crc32.Checksum(data, codec.Castagnoli))
	if _, err := s.file.WriteAt(data, 0); err != nil {
		return err
	}
	s.now, s.synced = e, false
	return nil
}

func (s *testSession) writeDurably(e *Expected) error {
	err := s.write(e)
	if err == nil {
		err = s.Sync()
	}
	return err
}

func (s *testSession) Begin(e Expected) (mayStay bool, err error) {
	before := s.now
	if err := s.write(&e); err != nil {
		return s.writeDurably(before) != nil, err
	}
	if before == nil {
		err = s.Sync()
	}
	return err != nil, err
}

func (s *testSession) Sync() error {
	if s.synced {
		return nil
	}
	err := s.file.Datasync()
	s.synced = err == nil
	return err
}

// create creates the file of a session that is closed.
func (s *testSession) create() (err error) {
	if s.file, err = s.fs.Create(sessionPath); err == nil {
		err = errors.Join(s.writeDurably(nil), s.fs.SyncDir(filepath.Dir(sessionPath)))
	}
	return err
}

// readTestSession returns what the session expects of the log, unless it is closed or damaged.
func readTestSession(fsys disk.FS, saved identity.Identity) (want Expected, closed bool, err error) {
	data, err := fsys.ReadFile(sessionPath)
	if err != nil {
		return Expected{}, false, err
	}
	var found *Expected
	if !endsWithChecksum(data) || json.Unmarshal(data[:len(data)-4], &found) != nil {
		return Expected{}, false, nil
	}
	if found == nil || saved.Has(found.Origin.Epoch) && saved.Current().ID != found.Origin.Epoch {
		return Expected{}, found == nil, nil
	}
	return *found, false, nil
}
