// SPDX-License-Identifier: Apache-2.0

package daybook

// As returns a backend as an optional ability, such as Pruner or Watcher:
//
//	if pruner, ok := daybook.As[daybook.Pruner](backend); ok {
//		...
//	}
//
// Ability may be any interface: one of your own, such as one with the engine's BackupFile, or one
// that joins several abilities, and then one backend must have all of them.
//
// A backend that wraps another one, to count calls for example, keeps the abilities of that one if
// it has a method Unwrap() Backend. As returns the outermost backend that has the ability. Calls of
// the ability then pass the wrappers around it: a wrapper that must see them has the methods
// itself. The functions of this package use Scan and StoreBatch, which do what Query and Store do,
// of the outermost backend alone.
func As[Ability any](backend Backend) (ability Ability, ok bool) {
	for backend != nil {
		if ability, ok = backend.(Ability); ok {
			return ability, true
		}
		wrapper, isWrapper := backend.(interface{ Unwrap() Backend })
		if !isWrapper {
			break
		}
		backend = wrapper.Unwrap()
	}
	return ability, false
}
