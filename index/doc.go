// SPDX-License-Identifier: Apache-2.0

// Package index finds record names by pattern. Every backend uses it, so it knows no storage.
//
// [Compile] turns the text of a pattern into a [Pattern]: a literal prefix, which narrows a scan to
// the names that start with it, and a matcher, which decides about each of those names. A
// [NameCursor] does both over any sorted keys: it seeks the prefix, and says of each name whether
// it matches.
//
// Patterns may come from strangers. A glob that github.com/tidwall/match does not match in a few
// steps is matched in about one pass over the name. The levels of a topic take at most as many
// steps as the product of their number in the pattern and in the name. [MaxPatternLen] bounds the
// pattern.
package index
