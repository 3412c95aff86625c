// SPDX-License-Identifier: Apache-2.0

package history

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"

	"github.com/tidwall/match"

	"github.com/daybook-db/daybook"
)

// Judge compares the visible values with the rule, and returns every violation of it.
func (h *History) Judge(visible []daybook.StoredValue) error {
	shown := make(map[Ref]bool, len(visible))
	latest := -Never // when the last visible store began
	var violations []error
	for i := range visible {
		r, err := h.identify(&visible[i])
		switch {
		case err != nil:
		case shown[r]:
			err = fmt.Errorf("%s is visible twice", h.name(r))
		default:
			shown[r] = true
			latest = max(latest, h.Times[r.Action].Began)
			err = h.mayShow(r)
		}
		if err != nil {
			violations = append(violations, err)
		}
	}
	if err := h.judgeOrder(visible); err != nil {
		violations = append(violations, err)
	}
	for action := range h.Actions {
		if err := h.judgeStore(action, shown, latest); err != nil {
			violations = append(violations, err)
		}
	}
	return errors.Join(violations...)
}

// judgeOrder returns an error if two neighbours are in the wrong order. Values are ordered by
// record, the newest first, and of equal timestamps the one that was stored last comes first. Of
// two stores that ran at the same time either may be the last.
func (h *History) judgeOrder(visible []daybook.StoredValue) error {
	for i := 1; i < len(visible); i++ {
		a, b := &visible[i-1], &visible[i]
		order := cmp.Or(cmp.Compare(a.RecordName, b.RecordName), cmp.Compare(b.StoredAt, a.StoredAt))
		r, errA := h.identify(a)
		s, errB := h.identify(b)
		if order == 0 && errA == nil && errB == nil {
			if !h.mayBeLater(r, s) {
				order = 1
			}
		}
		if order > 0 {
			return fmt.Errorf("record %q at %d, %.60q, comes before record %q at %d, %.60q",
				a.RecordName, a.StoredAt, a.Value, b.RecordName, b.StoredAt, b.Value)
		}
	}
	return nil
}

// mayBeLater reports whether r may have been stored after s.
func (h *History) mayBeLater(r, s Ref) bool {
	if r.Action == s.Action {
		return r.Index > s.Index
	}
	return h.Times[r.Action].Done >= h.Times[s.Action].Began
}

// identify returns the Ref of a value, or an error if no action stored this value.
func (h *History) identify(v *daybook.StoredValue) (Ref, error) {
	r, ok := RefOf(v.Value)
	var stored []daybook.StoredValue
	if ok && r.Action < len(h.Actions) && h.Actions[r.Action].Kind == Store {
		stored = h.Actions[r.Action].Values
	}
	if !ok || r.Index >= len(stored) {
		return Ref{}, fmt.Errorf("record %q at %d has %.60q, which was never stored",
			v.RecordName, v.StoredAt, v.Value)
	}
	want := stored[r.Index]
	if v.RecordName != want.RecordName || v.StoredAt != want.StoredAt || !bytes.Equal(v.Value, want.Value) {
		return Ref{}, fmt.Errorf("record %q at %d has %.60q of %d bytes; that was stored in %q at %d with %d bytes",
			v.RecordName, v.StoredAt, v.Value, len(v.Value), want.RecordName, want.StoredAt, len(want.Value))
	}
	return r, nil
}

// name describes a value in messages.
func (h *History) name(r Ref) string {
	v := &h.Actions[r.Action].Values[r.Index]
	return fmt.Sprintf("value %d of %d of action %d (record %q at %d, %d bytes)",
		r.Index, len(h.Actions[r.Action].Values), r.Action, v.RecordName, v.StoredAt, len(v.Value))
}

// mayShow returns an error if the value must not be visible.
func (h *History) mayShow(r Ref) error {
	if h.Times[r.Action].Began == Never {
		return fmt.Errorf("%s is visible before it was attempted", h.name(r))
	}
	if h.Gone[r] {
		return fmt.Errorf("%s was not visible after an earlier recovery, and has come back", h.name(r))
	}
	if by, ok := h.deletion(r, h.mustDelete); ok {
		return fmt.Errorf("%s is visible, although action %d that deleted it was acknowledged", h.name(r), by)
	}
	return nil
}

// judgeStore returns an error if a value of the store is missing that must be visible. latest is
// the time at which the last visible store began.
func (h *History) judgeStore(action int, shown map[Ref]bool, latest int) error {
	t := h.Times[action]
	if h.Actions[action].Kind != Store || t.Began == Never {
		return nil
	}
	visible := false
	var missing []Ref
	for index := range h.Actions[action].Values {
		r := Ref{action, index}
		if shown[r] {
			visible = true
		} else if h.Gone[r] { // it was judged after an earlier recovery
			continue
		} else if _, ok := h.deletion(r, h.mayDelete); !ok {
			missing = append(missing, r)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	name := h.name(missing[0])
	switch {
	case t.Durable != Never:
		return fmt.Errorf("%s is missing, and was durable", name)
	case visible:
		return fmt.Errorf("%s is missing, and others of its batch are visible", name)
	case t.Done < latest:
		return fmt.Errorf("%s is missing, and was acknowledged before a visible store began", name)
	}
	return nil
}

// deletion returns a deletion for which applies returns true, if there is one.
func (h *History) deletion(r Ref, applies func(r Ref, deletion int) bool) (action int, ok bool) {
	for action := range h.Actions {
		if h.Actions[action].Kind == Delete && h.Times[action].Began != Never && applies(r, action) {
			return action, true
		}
	}
	return 0, false
}

// mayDelete reports whether a deletion that has begun may have removed a value.
func (h *History) mayDelete(r Ref, deletion int) bool {
	until := h.Times[deletion].Done
	begun := func(store int) bool { return h.Times[store].Began < until }
	return begun(r.Action) && h.selects(deletion, r, begun)
}

// mustDelete reports whether a deletion is done and must have removed a value.
func (h *History) mustDelete(r Ref, deletion int) bool {
	if h.Held != "" && match.Match(h.Actions[r.Action].Values[r.Index].RecordName, h.Held) {
		return false
	}
	t := h.Times[deletion]
	done := func(store int) bool { return h.Times[store].Done < t.Began }
	return t.Done != Never && done(r.Action) && h.selects(deletion, r, done)
}

// selects reports whether the deletion's parameters select a value if the record has only the
// values of the stores for which stored returns true. The rank of a value is the number of newer
// ones among those. So the values of a record that is pruned by count must be stored in the order
// of their timestamps.
func (h *History) selects(deletion int, r Ref, stored func(store int) bool) bool {
	d, v := &h.Actions[deletion], &h.Actions[r.Action].Values[r.Index]
	if !match.Match(v.RecordName, d.Pattern) {
		return false
	}
	if isBetween(v, &d.Params) {
		return true
	}
	old := d.Params.NewerThan == 0 && v.StoredAt < d.Params.OlderThan
	if old && d.Params.KeepNewest == 0 {
		return true
	}
	if d.Params.MaxPerRecord == 0 && !old {
		return false
	}
	newer := h.countNewer(v, &d.Params, stored)
	return old && newer >= d.Params.KeepNewest || d.Params.MaxPerRecord > 0 && newer >= d.Params.MaxPerRecord
}

// isBetween reports whether a deletion with NewerThan removes a value by its time.
func isBetween(v *daybook.StoredValue, params *daybook.PruneParams) bool {
	return params.NewerThan > 0 && v.StoredAt > params.NewerThan &&
		(params.OlderThan == 0 || v.StoredAt < params.OlderThan)
}

// countNewer returns the number of newer values of the same record that NewerThan leaves.
func (h *History) countNewer(
	v *daybook.StoredValue, params *daybook.PruneParams, stored func(store int) bool,
) (count int) {
	for action := range h.Actions {
		if h.Actions[action].Kind != Store || !stored(action) {
			continue
		}
		for i := range h.Actions[action].Values {
			other := &h.Actions[action].Values[i]
			isNewer := other.RecordName == v.RecordName && other.StoredAt > v.StoredAt
			if isNewer && !isBetween(other, params) {
				count++
			}
		}
	}
	return count
}
