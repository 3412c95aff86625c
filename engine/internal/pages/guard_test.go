// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/proof/testenv"
)

// TestGuardMerges deletes keys of buckets with branches above branches, of which the long keys
// leave room for few. bbolt frees each page that it has read in order to change or merge it, so a
// guard of the deleted keys must have verified every page that the commit frees.
func TestGuardMerges(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 0))
		f := newFile(t, testenv.TempDir(t))
		var keys [][]byte
		longest := []int{40, 400, 950, 1300}[seed%4]
		f.update(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket([]byte(large))
			bucket.FillPercent = []float64{0.5, 0.9, 1}[seed%3]
			for i := range 100 + random.IntN(500) {
				key := fmt.Appendf(nil, "%06d%s", i, strings.Repeat("k", random.IntN(longest)))
				keys = append(keys, key)
				if err := bucket.Put(key, bytes.Repeat([]byte("v"), random.IntN(longest))); err != nil {
					return err
				}
			}
			return nil
		})
		for range 4 {
			before, guard := f.pagesOf(large), (*Guard)(nil)
			from := random.IntN(len(keys))
			deleted := keys[from:min(from+1+random.IntN(len(keys)), len(keys))]
			every := 1 + random.IntN(4)
			f.update(func(tx *bbolt.Tx) error {
				b, err := NewImage(tx, f.table, nil).Bucket(large)
				if err != nil {
					return err
				}
				guard = b.Guard()
				bucket := tx.Bucket([]byte(large))
				bucket.FillPercent = []float64{0.5, 0.9, 1}[seed%3]
				order := random.Perm(len(deleted))
				if seed%2 == 0 {
					slices.Sort(order)
				}
				for _, i := range order {
					if i%every != 0 {
						continue
					}
					if err := guard.VerifyAround(deleted[i]); err != nil {
						return err
					}
					if err := bucket.Delete(deleted[i]); err != nil {
						return err
					}
				}
				return nil
			})
			after := f.pagesOf(large)
			for id := range before {
				if _, ok := guard.verified[id]; !ok && !after[id] && id != guard.cursor.path[0].page.id {
					t.Fatalf("seed %d: the commit has freed page %d, which was not verified", seed, id)
				}
			}
		}
		if err := f.bolt.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// pagesOf returns the first page of each node of a bucket.
func (f *testFile) pagesOf(name string) map[uint64]bool {
	all := make(map[uint64]bool)
	f.view(f.table, func(im *Image) {
		b, err := im.Bucket(name)
		if err != nil {
			f.t.Fatal(err)
		}
		var add func(id uint64, firstKey []byte)
		add = func(id uint64, firstKey []byte) {
			p, err := b.load(id, firstKey)
			if err != nil {
				f.t.Fatal(err)
			}
			all[id] = true
			for i := 0; i < p.count && !p.leaf; i++ {
				add(p.child(i), p.key(i))
			}
		}
		if b.root != 0 {
			add(b.root, nil)
		}
	})
	return all
}
