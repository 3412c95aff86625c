// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/daybook-db/daybook"
)

// check runs Check. It must find the damage and name its place if that is in use, and must find
// nothing if the damage is harmless.
func (r *caseRun) check(j *judge) {
	err := j.attempt("Check", func() error { return j.db.Check(j.ctx) })
	mayHaveMoved := r.mayHaveMoved(j)
	switch {
	case err == nil && r.damage.Expect == mustFind && !mayHaveMoved:
		j.report(notFound, "Check")
	case err != nil && r.damage.Expect == harmless:
		j.report(falseAlarm, "Check complains of harmless damage: %.200v", err)
	case err != nil && !mayHaveMoved:
		r.requirePlace(j, err, true)
	}
}

// mayHaveMoved reports whether the damage may have been overwritten or moved, because the tree has
// been written. Open may write to the tree, and a store that was killed is posted in the
// background.
func (r *caseRun) mayHaveMoved(j *judge) bool {
	if j.stage != stageReadWrite || r.damage.File != treeName {
		return strings.Contains(j.stage, stageChanged)
	}
	posting := r.victim.model.Watermark < r.victim.model.LastSequence
	return posting || !r.isDamaged()
}

// isDamaged reports whether the damaged bytes are still in the file.
func (r *caseRun) isDamaged() bool {
	data, err := os.ReadFile(filepath.Join(r.dir, r.damage.File))
	switch {
	case err != nil:
		return false
	case r.damage.Truncate:
		return int64(len(data)) == r.damage.Offset
	}
	return int64(len(data)) >= r.damage.Offset && bytes.HasPrefix(data[r.damage.Offset:], r.damage.Bytes)
}

var offsetPattern = regexp.MustCompile(`offset (\d+)`)

// requirePlace requires that an error names the place of the damage: the file and an offset. An
// error of Check must name the offset of the damaged page, and in chunks and the catalogue a record
// and a key.
func (r *caseRun) requirePlace(j *judge, err error, ofCheck bool) {
	if !errors.Is(err, daybook.ErrCorrupt) {
		return // attempt has reported it
	}
	message := err.Error()
	if path := filepath.Join(r.dir, r.damage.File); !strings.Contains(message, path) {
		j.report(notNamed+": file", "%.300s", message)
	}
	offsets := offsetPattern.FindAllStringSubmatch(message, -1)
	if len(offsets) == 0 {
		j.report(notNamed+": offset", "%.300s", message)
	}
	if !ofCheck {
		return
	}
	within := func(match []string) bool {
		offset, err := strconv.ParseInt(match[1], 10, 64)
		return err == nil && r.damage.From <= offset && offset < r.damage.To
	}
	if r.damage.To > 0 && !r.mayHaveMoved(j) && len(offsets) > 0 && !slices.ContainsFunc(offsets, within) {
		j.report(notNamed+": right offset", "want %d to %d: %.300s", r.damage.From, r.damage.To, message)
	}
	isNamed := func(k recordKey) bool {
		return strings.Contains(message, fmt.Sprintf("%q", k.Record)) &&
			(string(k.Key) == k.Record || strings.Contains(message, fmt.Sprintf("%x", k.Key)))
	}
	if r.damage.Named[0].Record != "" && !slices.ContainsFunc(r.damage.Named[:], isNamed) {
		j.report(notNamed+": record and key", "want %.40q: %.300s", r.damage.Named[0].Record, message)
	}
}
