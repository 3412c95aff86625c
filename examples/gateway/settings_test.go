// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain lets the tests start this program as the gateway itself.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_GATEWAY") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A wrong setting is one line that names the flag, and exit code 2: a new start does not mend it.
func TestWrongSettings(t *testing.T) {
	tests := []struct{ args, want string }{
		{"-dir=", "-dir"},
		{"-poll=0", "-poll"},
		{"-poll=-1s", "-poll"},
		{"-max-size=0", "-max-size"},
		{"-forward=localhost:9000", "-forward"},
		{"-forward=http://gateway:secret@", "-forward"},
		{"-forward=http://gateway:secret@%", "-forward"},
		{"-backup-hour=-1", "-backup-hour"},
		{"-backup-hour=24", "-backup-hour"},
		{"-backup-keep=0", "-backup-keep"},
		{"-poll=1s start", `"start"`},
	}
	for _, test := range tests {
		_, err := parseSettings(strings.Fields(test.args))
		if err == nil || !strings.HasPrefix(err.Error(), test.want+" ") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v; want an error that begins with %s", test.args, err, test.want)
		}
	}
	program := exec.CommandContext(t.Context(), os.Args[0], "-backup-keep=0")
	program.Env = append(os.Environ(), "RUN_GATEWAY=1")
	output, err := program.CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 2 || string(output) != "gateway: -backup-keep is 0; it must be 1 or more\n" {
		t.Errorf("the program ended with %v, %q; want code 2, and one line", err, output)
	}
}

func TestSettings(t *testing.T) {
	s, err := parseSettings(nil)
	if err != nil || s.backupHour != 2 || s.forward != "" {
		t.Errorf("without flags: %+v, %v", s, err)
	}
	if s, err = parseSettings([]string{"-forward", "https://a:b@host/values", "-backup-hour", "0"}); err != nil {
		t.Errorf("a URL, and midnight: %+v, %v", s, err)
	}
}
