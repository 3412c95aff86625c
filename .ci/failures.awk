# SPDX-License-Identifier: Apache-2.0
#
# Prints what failed in a log of go test, with or without -v: first the names of the failed tests, then what each of
# them said. The first lines of a message have the seed and the error, so that only its later lines are left out, and
# of many messages those in the middle. With -v a message comes before the line that says that its test failed. If no
# test failed, it prints the end of the log.

BEGIN {
	max_lines = 150 # of a message
	first = 10      # messages of a test, in which it says its seed
	last = 30       # in which it says its error
	max_tail = 100
}

function key() { return package SUBSEP test }

function fails() {
	if (key() in failed) return
	failed[key()] = 1
	order[++failures] = key()
	names[failures] = test == "" ? "(no test)" : test
}

function message() { messages[key()]++ }

function add(line) {
	if (!messages[key()]) message()
	m = key() SUBSEP messages[key()]
	if (++lines[m] <= max_lines) text[m] = text[m] line "\n"
}

{ tail[NR % max_tail] = $0 }

/^=== (RUN|PAUSE|CONT|NAME) / { test = $3; next }
/^ *--- (FAIL|PASS|SKIP): / {
	test = $3
	if ($2 == "FAIL:") fails()
	next
}
/^(ok|FAIL|\?) *\t/ {
	if ($1 == "FAIL") packages = packages $0 "\n"
	package++
	test = ""
	next
}
/^(PASS|FAIL|=+)$/ { next }
/^(panic|fatal error): |^WARNING: DATA RACE|^# / { fails(); message() }
/^ +[A-Za-z0-9_]+\.go:[0-9]+: / { message() }
{ add($0) }

END {
	for (i = 1; i <= failures; i++) print "FAILED " names[i]
	for (i = 1; i <= failures; i++) show(order[i], names[i])
	for (i = NR + 1; !failures && i <= NR + max_tail; i++) if (i % max_tail in tail) print tail[i % max_tail]
	printf "%s", packages
}

function show(of, name,    i, m) {
	if (!messages[of]) return # its subtests say why
	print "\n=== " name
	for (i = 1; i <= messages[of]; i++) {
		m = of SUBSEP i
		if (i == first + 1 && messages[of] > first + last) {
			printf "... %d messages are left out\n", messages[of] - first - last
			i = messages[of] - last
			continue
		}
		printf "%s", text[m]
		if (lines[m] > max_lines) printf "... %d lines are left out\n", lines[m] - max_lines
	}
}
