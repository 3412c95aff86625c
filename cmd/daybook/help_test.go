// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestExamplesOfHelpRun runs the examples that the help of the commands shows, in the order of the
// help, in one directory with the files that they read.
func TestExamplesOfHelpRun(t *testing.T) {
	t.Parallel()
	dir, bin := t.TempDir(), t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nDAYBOOK_TEST_COMMAND=1 exec '%s' \"$@\"\n", os.Args[0])
	files := map[string]string{
		filepath.Join(dir, "sensors.csv"): "time,celsius\n2026-11-23T06:00:00Z,3.5\n",
		filepath.Join(dir, "history.csv"): "entity_id,state,last_changed\nsensor.door,open,2026-11-23T06:00:00.000Z\n",
		filepath.Join(dir, "log.csv"):     "Date,Time,Min\n03/04/2026,00:15,13.28\n",
		filepath.Join(dir, "rules.yaml"):  "rules: [{pattern: \"debug.*\", max_per_record: 1}]\n",
		filepath.Join(bin, "daybook"):     script,
		filepath.Join(bin, "mosquitto_sub"): "#!/bin/sh\necho '" + `{"tst":"2026-11-23T06:00:00.123456+0100",` +
			`"topic":"home/door","qos":0,"retain":0,"payloadlen":4,"payload":"open"}` + "'\n",
	}
	for path, content := range files {
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	history := newHistory(t, "history.db", value("temp::kitchen", "21.5", 1))
	if err := os.Symlink(history, filepath.Join(dir, "history.db")); err != nil {
		t.Fatal(err)
	}
	for _, command := range newRootCommand().Commands() {
		if command.Example == "" {
			t.Errorf("the help of %s has no example", command.Name())
		}
		if command.Name() == "demo" { // it records for ten seconds; TestDemoOfThisHost runs a short demo
			continue
		}
		shell := exec.Command("/bin/sh", "-e", "-c", command.Example)
		shell.Dir = dir
		shell.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		if output, err := shell.CombinedOutput(); err != nil || strings.Contains(string(output), "daybook: ") {
			t.Errorf("the example of %s:\n%s\n%v, output:\n%s", command.Name(), command.Example, err, output)
		}
	}
}
