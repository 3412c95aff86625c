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

// Judge holds what is visible against the rule, and returns each way in which it is broken.
func (h *History) Judge(visible []daybook.StoredValue) error {
	shown := make(map[Ref]bool, len(visible))
	latest := -Never // when the last store that is visible began
	var faults []error
	for i := range visible {
		r, err := h.identify(&visible[i])
		switch {
		case err != nil:
		case shown[r]:
			err = fmt.Errorf("%s is there twice", h.name(r))
		default:
			shown[r] = true
			latest = max(latest, h.Times[r.Action].Began)
			err = h.mayShow(r)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	if err := h.judgeOrder(visible); err != nil {
		faults = append(faults, err)
	}
	for action := range h.Actions {
		if err := h.judgeStore(action, shown, latest); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// judgeOrder says which two values that follow one another do so in the wrong order: by record, then the newest first,
// and of one time that which was stored last. Of two stores at once either may be the last.
func (h *History) judgeOrder(visible []daybook.StoredValue) error {
	for i := 1; i < len(visible); i++ {
		a, b := &visible[i-1], &visible[i]
		order := cmp.Or(cmp.Compare(a.RecordName, b.RecordName), cmp.Compare(b.StoredAt, a.StoredAt))
		r, errA := h.identify(a)
		s, errB := h.identify(b)
		if order == 0 && errA == nil && errB == nil {
			later := r.Action == s.Action && r.Index > s.Index || r.Action != s.Action && h.Times[r.Action].Done >= h.Times[s.Action].Began
			if !later {
				order = 1
			}
		}
		if order > 0 {
			return fmt.Errorf("record %q at %d, %.60q, comes before record %q at %d, %.60q", a.RecordName, a.StoredAt, a.Value, b.RecordName, b.StoredAt, b.Value)
		}
	}
	return nil
}

// identify returns which value this is, if it is one that was attempted.
func (h *History) identify(v *daybook.StoredValue) (Ref, error) {
	r, ok := refOf(v.Value)
	if !ok || r.Action >= len(h.Actions) || h.Actions[r.Action].Kind != Store || r.Index >= len(h.Actions[r.Action].Values) {
		return Ref{}, fmt.Errorf("record %q at %d holds %.60q, which nobody stored", v.RecordName, v.StoredAt, v.Value)
	}
	want := h.Actions[r.Action].Values[r.Index]
	if v.RecordName != want.RecordName || v.StoredAt != want.StoredAt || !bytes.Equal(v.Value, want.Value) {
		return Ref{}, fmt.Errorf("record %q at %d holds %.60q; that was stored in %q at %d, and had %d bytes where this has %d",
			v.RecordName, v.StoredAt, v.Value, want.RecordName, want.StoredAt, len(want.Value), len(v.Value))
	}
	return r, nil
}

func (h *History) name(r Ref) string {
	v := &h.Actions[r.Action].Values[r.Index]
	return fmt.Sprintf("value %d of %d of action %d (record %q at %d, %d bytes)",
		r.Index, len(h.Actions[r.Action].Values), r.Action, v.RecordName, v.StoredAt, len(v.Value))
}

// mayShow says why a value must not be visible.
func (h *History) mayShow(r Ref) error {
	if h.Times[r.Action].Began == Never {
		return fmt.Errorf("%s is there before it was attempted", h.name(r))
	}
	if h.Gone[r] {
		return fmt.Errorf("%s was not there after an earlier recovery, and has come back", h.name(r))
	}
	if by, ok := h.deletion(r, h.mustDelete); ok {
		return fmt.Errorf("%s is there, and action %d that deleted it was acknowledged", h.name(r), by)
	}
	return nil
}

// judgeStore says what is missing of one store.
func (h *History) judgeStore(action int, shown map[Ref]bool, latest int) error {
	t := h.Times[action]
	if h.Actions[action].Kind != Store || t.Began == Never {
		return nil
	}
	any := false
	var missing []Ref
	for index := range h.Actions[action].Values {
		r := Ref{action, index}
		if shown[r] {
			any = true
		} else if h.Gone[r] { // an earlier recovery was judged for that
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
	case any:
		return fmt.Errorf("%s is missing, and others of its batch are there", name)
	case t.Done < latest:
		return fmt.Errorf("%s is missing, and was acknowledged before one began that is there", name)
	}
	return nil
}

// deletion returns a deletion that applies to a value.
func (h *History) deletion(r Ref, applies func(r Ref, deletion int) bool) (action int, ok bool) {
	for action := range h.Actions {
		if h.Actions[action].Kind == Delete && h.Times[action].Began != Never && applies(r, action) {
			return action, true
		}
	}
	return 0, false
}

// mayDelete reports whether a deletion that has begun may have taken a value.
func (h *History) mayDelete(r Ref, deletion int) bool {
	until := h.Times[deletion].Done
	return h.Times[r.Action].Began < until && h.takes(deletion, r, func(store int) bool { return h.Times[store].Began < until })
}

// mustDelete reports whether a deletion that is done must have taken a value.
func (h *History) mustDelete(r Ref, deletion int) bool {
	t := h.Times[deletion]
	return t.Done != Never && h.Times[r.Action].Done < t.Began &&
		h.takes(deletion, r, func(store int) bool { return h.Times[store].Done < t.Began })
}

// takes reports whether a deletion applies to a value beside the stores that are there. A value is
// counted by how many newer ones its record has of those: so where a deletion counts, the values of a record
// must be stored in the order of their timestamps.
func (h *History) takes(deletion int, r Ref, there func(store int) bool) bool {
	d, v := &h.Actions[deletion], &h.Actions[r.Action].Values[r.Index]
	if !match.Match(v.RecordName, d.Pattern) {
		return false
	}
	old := v.StoredAt < d.Params.OlderThan
	if old && d.Params.KeepNewest == 0 {
		return true
	}
	if d.Params.MaxPerRecord == 0 && !old {
		return false
	}
	newer := h.newer(v, there)
	return old && newer >= d.Params.KeepNewest || d.Params.MaxPerRecord > 0 && newer >= d.Params.MaxPerRecord
}

func (h *History) newer(v *daybook.StoredValue, there func(store int) bool) (count int) {
	for action := range h.Actions {
		if h.Actions[action].Kind != Store || !there(action) {
			continue
		}
		for i := range h.Actions[action].Values {
			if other := &h.Actions[action].Values[i]; other.RecordName == v.RecordName && other.StoredAt > v.StoredAt {
				count++
			}
		}
	}
	return count
}
