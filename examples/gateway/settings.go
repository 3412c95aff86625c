// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"net/url"
	"time"
)

// settings are what the flags say.
type settings struct {
	dir     string
	listen  string
	poll    time.Duration
	maxSize int64
	rules   string

	forward string

	backup     string
	backupHour int
	backupKeep int
}

// parseSettings reads the command line. It ends the program itself at -help and an unknown flag.
func parseSettings(args []string) (s settings, err error) {
	flags := flag.NewFlagSet("gateway", flag.ExitOnError)
	flags.StringVar(&s.dir, "dir", "history", "`directory` of the history")
	flags.StringVar(&s.listen, "listen", "localhost:8080", "`address` of the HTTP server")
	flags.DurationVar(&s.poll, "poll", time.Second, "time between two readings")
	flags.Int64Var(&s.maxSize, "max-size", 64<<20, "maximum size of the directory in `bytes`")
	flags.StringVar(&s.rules, "rules", "", "`file` with rules of retention; without it: built-in rules")
	flags.StringVar(&s.forward, "forward", "", "`URL` to which all values are sent; without it: nowhere")
	flags.StringVar(&s.backup, "backup", "", "`file` of the nightly backup; without it: none")
	flags.IntVar(&s.backupHour, "backup-hour", 2, "`hour` of the backup, in local time")
	flags.IntVar(&s.backupKeep, "backup-keep", 7, "`number` of backups that stay")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("%q is no flag; the gateway takes flags alone", flags.Arg(0))
	}
	return s, s.validate()
}

// validate returns an error that names the first flag with a wrong value. It does not repeat the
// URL, which may have a password.
func (s settings) validate() error {
	target, err := url.Parse(s.forward)
	isURL := err == nil && (target.Scheme == "http" || target.Scheme == "https") && target.Host != ""
	switch {
	case s.dir == "":
		return fmt.Errorf("-dir is empty; it must be a directory")
	case s.poll < time.Millisecond:
		return fmt.Errorf("-poll is %s; it must be 1ms or more", s.poll)
	case s.maxSize <= 0:
		return fmt.Errorf("-max-size is %d; it must be a number of bytes above 0", s.maxSize)
	case s.forward != "" && !isURL:
		return fmt.Errorf("-forward must be a URL that begins with http:// or https://")
	case s.backupHour < 0 || s.backupHour > 23:
		return fmt.Errorf("-backup-hour is %d; it must be from 0 to 23", s.backupHour)
	case s.backupKeep < 1:
		return fmt.Errorf("-backup-keep is %d; it must be 1 or more", s.backupKeep)
	}
	return nil
}
