// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"slices"
)

// joinMembers is Join for chunks of members. It works on the columns: it does not write out values,
// and splits only the new ones.
func (c *Coder) joinMembers(key []byte, chunks []EncodedChunk, entries []Entry) ([]byte, error) {
	f := memberFinders.Get().(*memberFinder)
	defer f.release()
	var all []Entry // those that come from chunks have no Value
	joined := Header{}
	bodyBytes := uint64(0)
	for _, chunk := range chunks {
		var b Buffer
		if err := b.open(chunk.Key, chunk.Chunk); err != nil || b.Header.encoding != encodingMembers {
			return nil, err
		}
		rest, ok, err := c.addChunk(f, &b, 0)
		if !ok || err != nil {
			return nil, err
		}
		all = append(all, rest...)
		joined.ValueBytes += b.Header.ValueBytes
		bodyBytes += uint64(len(b.Header.body))
	}
	oldBytes := joined.ValueBytes
	for i := range entries {
		if !f.add(entries[i].Value) {
			return nil, nil
		}
		joined.ValueBytes += uint64(len(entries[i].Value))
	}
	all = append(all, entries...)
	if len(all) > maxTemplateValues || joined.ValueBytes > maxTemplateBytes ||
		!slices.IsSortedFunc(all, Entry.Compare) {
		return nil, nil
	}
	h := headerOf(all)
	h.ValueBytes = joined.ValueBytes
	body := f.appendBody(c, getBytes(), all, &h)
	defer func() { putBytes(body) }()
	isShort := h.isShort(body, encodingMembers) || uint64(len(body))*oldBytes <= bodyBytes*h.ValueBytes
	if len(body) == 0 || !isShort {
		return nil, nil
	}
	return appendHeaderAndBody(nil, key, &h, encodingMembers, body), nil
}

// memberTail returns the chunk of all values of an opened chunk of members except the first n, and
// its key. tail is nil if all values must be encoded anew.
func (c *Coder) memberTail(b *Buffer, record string, n int) (key, tail []byte, err error) {
	f := memberFinders.Get().(*memberFinder)
	defer f.release()
	rest, ok, err := c.addChunk(f, b, n)
	if !ok || err != nil {
		return nil, nil, err
	}
	h := headerOf(rest)
	h.ValueBytes = f.addedBytes
	key = Key{Record: record, Timestamp: h.First}.Append(nil)
	body := f.appendBody(c, getBytes(), rest, &h)
	defer func() { putBytes(body) }()
	if !h.takesMembers(body) {
		return nil, nil, nil
	}
	return key, appendHeaderAndBody(nil, key, &h, encodingMembers, body), nil
}

// addChunk adds the values of an opened chunk with an index from n on. It returns them as entries
// without a Value. ok is false if the chunk must be decoded instead.
func (c *Coder) addChunk(f *memberFinder, b *Buffer, n int) (rest []Entry, ok bool, err error) {
	t := memberBodies.Get().(*memberBody)
	defer memberBodies.Put(t)
	defer t.forget()
	h := &b.Header
	timestamps, sequences := make([]uint64, h.Count), make([]uint64, h.Count)
	if !t.parse(h) || !t.readTimestamps(timestamps, h, 0) || !t.readSequences(sequences, h, 0) ||
		!t.readColumns(c, 0, h.Count) {
		return nil, false, errMembers
	}
	if ok, isValid := f.addBody(t, h, n); !ok || !isValid {
		if !isValid {
			err = errMembers
		}
		return nil, false, err
	}
	for i := n; i < h.Count; i++ {
		rest = append(rest, Entry{Timestamp: timestamps[i], Sequence: sequences[i]})
	}
	return rest, true, nil
}

// addBody adds the values of a body with an index from n on. All columns have been read. ok is
// false if the body is not one that appendBody would make, and isValid if its length contradicts
// the header.
func (f *memberFinder) addBody(t *memberBody, h *Header, n int) (ok, isValid bool) {
	a := bodyAdder{finder: f, body: t, columnOf: make([]int, len(t.columns)), hasEmpty: make([]bool, len(t.columns))}
	for i := range a.columnOf {
		a.columnOf[i] = -1
	}
	for i := range t.columns {
		t.columns[i].first, t.columns[i].wanted = 0, 0
	}
	t.countScalars(n, h.Count)
	rows, templateOf := t.rowsFrom(n, h.Count), make([]int, len(t.templates))
	for i := range t.templates {
		if rows[i] == 0 {
			continue
		}
		if templateOf[i], ok = a.addTemplate(&t.templates[i], rows[i]); !ok {
			return false, true
		}
	}
	total, ok := a.addColumns(int(h.ValueBytes))
	if !ok {
		return true, false
	}
	f.addedBytes = 0
	for i := range t.templates {
		length := uint64(t.templates[i].piecesLen())
		if length == 0 && a.mayBeEmpty(&t.templates[i]) {
			return false, true
		}
		total += length * uint64(t.templates[i].rows)
		f.addedBytes += length * uint64(rows[i])
	}
	f.addedBytes += a.added
	for i := n; i < h.Count; i++ {
		which := 0
		if t.templateOf != nil {
			which = int(t.templateOf[i])
		}
		f.templateOf = append(f.templateOf, uint64(templateOf[which]))
	}
	return true, total == h.ValueBytes
}

// rowsFrom returns the number of values of each template with an index from n on.
func (t *memberBody) rowsFrom(n, count int) []int {
	rows := make([]int, len(t.templates))
	if t.templateOf == nil {
		rows[0] = count - n
		return rows
	}
	for _, template := range t.templateOf[n:] {
		rows[template]++
	}
	return rows
}

// piecesLen returns the length of all pieces of a template.
func (s *storedMembers) piecesLen() int {
	total := int(s.last.length)
	for i := range s.places {
		total += int(s.places[i].piece.length)
	}
	return total
}

// bodyAdder adds the columns of a body to those of a finder.
type bodyAdder struct {
	finder   *memberFinder
	body     *memberBody
	columnOf []int  // index in the finder of each column of the body; -1 while it is not known
	taken    []int  // for each column of the finder: 1 plus the body's column; -1 for a constant; 0
	hasEmpty []bool // for each column of the body: one of its texts is empty
	added    uint64 // length of the scalars that were added
}

// addTemplate adds a template, and the scalars in its pieces, each as many times as there are rows.
// It returns the template's index.
func (a *bodyAdder) addTemplate(stored *storedMembers, rows int) (index int, ok bool) {
	f := a.finder
	sample, places := a.sample(stored)
	if !f.split(sample) {
		return 0, false
	}
	if index, ok = f.bySkeleton[string(f.skeleton)]; !ok {
		if index, ok = f.addTemplate(); !ok {
			return 0, false
		}
	}
	a.taken = append(a.taken, make([]int, len(f.columns)-len(a.taken))...)
	next := 0
	for i, column := range f.templates[index].columns {
		text := f.scalars[i].text
		if start := cap(sample) - cap(text); next < len(places) && start == places[next] {
			ok = a.take(column, int(stored.places[next].column))
			next++
		} else {
			ok = a.takeConstant(column, text, rows)
		}
		if !ok {
			return 0, false
		}
	}
	return index, next == len(places)
}

// sample returns a value that has the template, and where its scalars start.
func (a *bodyAdder) sample(stored *storedMembers) (value []byte, places []int) {
	t := a.body
	value = make([]byte, 0, stored.piecesLen()+len(stored.places))
	for i := range stored.places {
		place := &stored.places[i]
		value = append(value, t.texts.text(place.piece)...)
		places = append(places, len(value))
		switch {
		case t.columns[place.column].numbers != nil:
			value = append(value, '0')
		case !bytes.HasSuffix(value, []byte{'"'}):
			value = append(value, 'x')
		}
	}
	return append(value, t.texts.text(stored.last)...), places
}

// take records that a column of the body belongs to one of the finder. Each belongs to no other.
func (a *bodyAdder) take(column, from int) bool {
	if a.columnOf[from] < 0 && a.taken[column] == 0 {
		a.columnOf[from], a.taken[column] = column, from+1
	}
	isNumber := a.body.columns[from].numbers != nil
	return a.columnOf[from] == column && a.taken[column] == from+1 && a.finder.columns[column].isNumber == isNumber
}

// takeConstant adds a text to a column of the finder, as many times as there are rows. All texts of
// the body at that path are equal.
func (a *bodyAdder) takeConstant(column int, text []byte, rows int) bool {
	into := &a.finder.columns[column]
	if into.isNumber || a.taken[column] > 0 ||
		a.taken[column] < 0 && !bytes.Equal(into.texts[len(into.texts)-1], text) {
		return false
	}
	a.taken[column] = -1
	for range rows {
		into.texts = append(into.texts, text)
	}
	return true
}

// mayBeEmpty reports whether a template without text in its pieces may have a value without a byte.
func (a *bodyAdder) mayBeEmpty(stored *storedMembers) bool {
	return !slices.ContainsFunc(stored.places, func(place memberPlace) bool {
		return a.body.columns[place.column].numbers != nil || !a.hasEmpty[place.column]
	})
}

// addColumns adds the wanted scalars of all columns, and returns the length of all scalars, wanted
// or not. It returns false if they are longer than maxLen in all.
func (a *bodyAdder) addColumns(maxLen int) (total uint64, ok bool) {
	texts, end := make([]byte, maxLen+memberSlack), 0
	for i := range a.body.columns {
		from := &a.body.columns[i]
		if numbers := from.numbers; numbers != nil {
			total += numbers.textsLen()
			numbers.mantissas = numbers.mantissas[from.first:]
			if a.columnOf[i] >= 0 {
				a.finder.columns[a.columnOf[i]].numbers.addPlace(numbers)
			}
			a.added += numbers.textsLen()
			continue
		}
		for index := range from.count {
			start := end
			if end = from.texts.write(texts, start, index, &a.body.texts); end < 0 {
				return 0, false
			}
			a.hasEmpty[i] = a.hasEmpty[i] || start == end
			if total += uint64(end - start); index < from.first {
				continue
			}
			a.added += uint64(end - start)
			into := &a.finder.columns[a.columnOf[i]]
			into.texts = append(into.texts, texts[start:end:end])
		}
	}
	return total, true
}
