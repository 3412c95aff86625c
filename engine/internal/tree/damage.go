// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// Damage is the error of a place in a tree's file that is damaged, or that a newer version of
// Daybook wrote.
type Damage struct {
	Kind   error // daybook.ErrCorrupt or daybook.ErrVersion
	Path   string
	Bucket string // the bucket that the place belongs to; empty if it belongs to none, or is not known
	Record string // of the chunk or catalogue entry; empty if the place is a page, or if the key names none
	Key    []byte // of the chunk; if the place is a page, the page's first key
	Offset int64  // in the file, in bytes; 0 if the place is the first meta page, or is not known

	cause error // a *codec.FormatError or a *pages.DamagedPage
}

// Unwrap returns the kind.
func (d *Damage) Unwrap() error { return d.Kind }

func (d *Damage) Error() string {
	return fmt.Sprintf("%v: %s: %s%s", d.Kind, d.Path, d.place(), d.problem())
}

func (d *Damage) problem() string {
	var format *codec.FormatError
	if errors.As(d.cause, &format) {
		return format.Problem
	}
	return d.cause.Error()
}

// place returns the beginning of an error's text, which says where the damage is.
func (d *Damage) place() string {
	_, isPage := d.cause.(*pages.DamagedPage)
	switch {
	case isPage:
		return d.pagePlace()
	case d.Bucket == "":
		return ""
	}
	place := fmt.Sprintf("catalogue entry of record %q", d.Record)
	switch {
	case d.Bucket == valuesBucket && d.Record == "":
		place = fmt.Sprintf("chunk under key %x", d.Key)
	case d.Bucket == valuesBucket:
		place = fmt.Sprintf("chunk of record %q under key %x", d.Record, d.Key)
	}
	if d.Offset > 0 {
		place += fmt.Sprintf(" at offset %d", d.Offset)
	}
	return place + ": "
}

// pagePlace says which keys a damaged page has. The page's own error says where it is.
func (d *Damage) pagePlace() string {
	switch {
	case d.Bucket == "" || d.Key == nil:
		return ""
	case d.Bucket == recordsBucket:
		return fmt.Sprintf("catalogue entries from record %q on: ", d.Key)
	}
	if key, err := codec.DecodeKey(d.Key); err == nil {
		return fmt.Sprintf("chunks from record %q, key %x, on: ", key.Record, d.Key)
	}
	return fmt.Sprintf("%s from key %x on: ", d.Bucket, d.Key)
}

// describe returns a *Damage for an error of package codec or pages, and other errors unchanged.
func (f mappedFile) describe(err error) error { return f.describeAt(err, Damage{}) }

// describeChunk does what describe does, for an error that was met in a chunk. offset is 0 if the
// chunk's place in the file is not known.
func (f mappedFile) describeChunk(err error, record string, key []byte, offset int64) error {
	return f.describeAt(err, Damage{Bucket: valuesBucket, Record: record, Key: key, Offset: offset})
}

// describeChunkOf does what describeChunk does, for a chunk of an image.
func (f mappedFile) describeChunkOf(image *pages.Image, err error, key, encoded []byte) error {
	if err == nil {
		return nil
	}
	record, _, _, _ := codec.SplitKey(key) // none if the key is damaged
	return f.describeChunk(err, string(record), key, image.Offset(encoded))
}

// describeEntry does what describe does, for an error that was met in a catalogue entry.
func (f mappedFile) describeEntry(err error, record string, offset int64) error {
	return f.describeAt(err, Damage{Bucket: recordsBucket, Record: record, Offset: offset})
}

func (f mappedFile) describeAt(err error, place Damage) error {
	if err == nil {
		return nil
	}
	return f.beside.judge(f.damageAt(err, place))
}

// damageAt returns a *Damage for an error of package codec or pages, and other errors unchanged.
func (f mappedFile) damageAt(err error, place Damage) error {
	if errors.Is(err, daybook.ErrCorrupt) || errors.Is(err, daybook.ErrVersion) {
		return err
	}
	var page *pages.DamagedPage
	switch {
	case errors.As(err, &page):
		return &Damage{
			Kind: daybook.ErrCorrupt, Path: f.path, Bucket: page.Bucket, Key: page.FirstKey, Offset: page.Offset,
			cause: page,
		}
	case errors.Is(err, codec.ErrCorrupt):
		place.Kind = daybook.ErrCorrupt
	case errors.Is(err, codec.ErrVersion):
		place.Kind = daybook.ErrVersion
	default:
		return err
	}
	damage := place // a copy, so that only damage takes an allocation, and not each call
	damage.Path, damage.cause = f.path, err
	damage.Key = bytes.Clone(place.Key) // it may be mapped memory
	return &damage
}

// decodeEntry decodes a catalogue entry of an image.
func (f mappedFile) decodeEntry(image *pages.Image, name, data []byte) (codec.CatalogueEntry, error) {
	entry, err := codec.DecodeCatalogueEntry(name, data)
	if err != nil {
		return codec.CatalogueEntry{}, f.describeEntry(err, string(name), image.Offset(data))
	}
	return entry, nil
}

// recordDamage is damage of a record's chunks or catalogue entry, or of a page that has some of
// them.
type recordDamage struct {
	record string
	damage error
}

func (d *recordDamage) Error() string { return d.damage.Error() }
func (d *recordDamage) Unwrap() error { return d.damage }

// describeIn does what describe does. If the error is damage, it is returned as the record's.
func (f mappedFile) describeIn(record []byte, err error) error {
	if err = f.describe(err); errors.Is(err, daybook.ErrCorrupt) {
		return &recordDamage{string(record), err}
	}
	return err
}

// damagedRecords are the records that Prune has left as they are, because they are damaged.
type damagedRecords struct {
	names map[string]bool
	first error
}

// add adds the record that an error is damage of. It returns false for other errors, and for a
// record that was added before.
func (d *damagedRecords) add(err error) bool {
	var damage *recordDamage
	if !errors.As(err, &damage) || d.names[damage.record] {
		return false
	}
	if d.first == nil {
		d.first, d.names = err, make(map[string]bool)
	}
	d.names[damage.record] = true
	return true
}

func (d *damagedRecords) has(record []byte) bool { return d.names[string(record)] }

// err returns the damage of the first record, and the number of others.
func (d *damagedRecords) err() error {
	if others := len(d.names) - 1; others > 0 {
		return fmt.Errorf("%w; %d more records are damaged", d.first, others)
	}
	return d.first
}
