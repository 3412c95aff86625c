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

// check demands that damage to what is in use is found and named, and that nobody complains of any other.
func (r *rotRun) check(j *rotJudge, what string) {
	err := j.attempt(what, func() error { return j.db.Check(j.ctx) })
	changed := r.healing(j)
	switch {
	case err == nil && r.damage.Fate == rotLive && !changed:
		j.fault(rotUnfound, "%s", what)
	case err != nil && r.damage.Fate == rotDead:
		j.fault(rotFalseAlarm, "%s: finds fault though nothing that is in use was hit: %.200v", what, err)
	case err != nil && !changed:
		r.names(j, err, true)
	}
}

// healing reports whether the damage may be gone or elsewhere by now, since the tree has been written to: Open does
// that, and a store that was killed is posted to in the background.
func (r *rotRun) healing(j *rotJudge) bool {
	if j.stage != rotReadWrite || r.damage.File != rotTree {
		return strings.Contains(j.stage, rotChange)
	}
	posting := r.victim.model.Watermark < r.victim.model.LastSequence
	return posting || !r.stillThere()
}

// stillThere reports whether a file is as the damage left it.
func (r *rotRun) stillThere() bool {
	data, err := os.ReadFile(filepath.Join(r.dir, r.damage.File))
	switch {
	case err != nil:
		return false
	case r.damage.Truncate:
		return int64(len(data)) == r.damage.Offset
	}
	return int64(len(data)) >= r.damage.Offset && bytes.HasPrefix(data[r.damage.Offset:], r.damage.Bytes)
}

var rotOffset = regexp.MustCompile(`offset (\d+)`)

// names demands that an error says where the damage is: the file and an offset, which is that of the page where Check
// found it in chunks or the catalogue, and there the record and the key.
func (r *rotRun) names(j *rotJudge, err error, check bool) {
	if !errors.Is(err, daybook.ErrCorrupt) {
		return // which is a fault already
	}
	message := err.Error()
	if path := filepath.Join(r.dir, r.damage.File); !strings.Contains(message, path) {
		j.fault(rotUnnamed+": file", "%.300s", message)
	}
	offsets := rotOffset.FindAllStringSubmatch(message, -1)
	if len(offsets) == 0 {
		j.fault(rotUnnamed+": offset", "%.300s", message)
	}
	if !check {
		return
	}
	within := func(match []string) bool {
		offset, err := strconv.ParseInt(match[1], 10, 64)
		return err == nil && r.damage.From <= offset && offset < r.damage.To
	}
	if r.damage.To > 0 && !r.healing(j) && len(offsets) > 0 && !slices.ContainsFunc(offsets, within) {
		j.fault(rotUnnamed+": right offset", "want %d to %d: %.300s", r.damage.From, r.damage.To, message)
	}
	named := func(name rotName) bool {
		return strings.Contains(message, fmt.Sprintf("%q", name.Record)) &&
			(string(name.Key) == name.Record || strings.Contains(message, fmt.Sprintf("%x", name.Key)))
	}
	if r.damage.Named[0].Record != "" && !slices.ContainsFunc(r.damage.Named[:], named) {
		j.fault(rotUnnamed+": record and key", "want %.40q: %.300s", r.damage.Named[0].Record, message)
	}
}
