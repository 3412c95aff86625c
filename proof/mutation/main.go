// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

const survivorsFile = "proof/mutation/survivors.txt"

// defaultPackages are the ones whose code a user's program runs.
var defaultPackages = []string{
	".", "./codec", "./index", "./retention", "./text/...", "./backend/...", "./engine/...", "./cmd/...",
}

type settings struct {
	list, named bool
	sample      int
	seed        uint64
	match       string
	parallel    int
	kill        int
	reach       string
	packages    []string
}

func main() {
	s := settings{}
	flag.BoolVar(&s.list, "list", false, "list the mutants, and run none")
	flag.BoolVar(&s.named, "named", false, "run the tests that survivors.txt names for mutants")
	flag.IntVar(&s.sample, "sample", 0, "run this `number` of mutants, chosen at random; 0: all")
	flag.Uint64Var(&s.seed, "seed", 1, "seed of the choice")
	flag.StringVar(&s.match, "match", "", "only mutants whose names match this regular `expression`")
	flag.IntVar(&s.parallel, "parallel", 2, "`number` of mutants that run at the same time")
	flag.IntVar(&s.kill, "kill", 95, "`percentage` of the mutants that the tests must kill, or the command fails")
	flag.StringVar(&s.reach, "reach", "", "run only the tests that reach a mutant; `directory` keeps what they reach")
	flag.Parse()
	s.packages = flag.Args()
	if len(s.packages) == 0 {
		s.packages = defaultPackages
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	if _, err := os.Stat(survivorsFile); err != nil {
		return fmt.Errorf("run it at the top of the module: %w", err)
	}
	known, err := readReasons(survivorsFile)
	if err != nil {
		return err
	}
	mutants, err := allMutants(s.packages)
	if err != nil {
		return err
	}
	if mutants, err = choose(mutants, s); err != nil {
		return err
	}
	if s.list {
		for i := range mutants {
			fmt.Printf("%s:%d\t%s\n", mutants[i].file, mutants[i].line, mutants[i].name())
		}
		return nil
	}
	fmt.Printf("%d mutants, seed %d\n", len(mutants), s.seed)
	verdicts, err := runAll(ctx, s, mutants, known)
	report := newReport(verdicts)
	report.print()
	return errors.Join(err, report.err(s.kill))
}

// allMutants returns the mutants of the packages that go list names.
func allMutants(packages []string) ([]mutant, error) {
	paths, err := goFiles(packages)
	if err != nil {
		return nil, err
	}
	var all []mutant
	for _, path := range paths {
		mutants, err := findMutants(path)
		if err != nil {
			return nil, err
		}
		all = append(all, mutants...)
	}
	return all, nil
}

// goFiles returns the paths of the files of packages, relative to the module.
func goFiles(packages []string) (paths []string, err error) {
	const files = `{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}`
	output, err := exec.Command("go", append([]string{"list", "-f", files}, packages...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("go list %v: %w", packages, err)
	}
	top, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for path := range strings.FieldsSeq(string(output)) {
		relative, err := filepath.Rel(top, path)
		if err != nil {
			return nil, err
		}
		paths = append(paths, filepath.ToSlash(relative))
	}
	return paths, nil
}

// choose returns the mutants that the settings ask for.
func choose(mutants []mutant, s settings) ([]mutant, error) {
	pattern, err := regexp.Compile(s.match)
	if err != nil {
		return nil, fmt.Errorf("-match: %w", err)
	}
	mutants = slices.DeleteFunc(mutants, func(m mutant) bool { return !pattern.MatchString(m.name()) })
	if s.sample > 0 && s.sample < len(mutants) {
		random := rand.New(rand.NewPCG(s.seed, 0))
		random.Shuffle(len(mutants), func(i, j int) { mutants[i], mutants[j] = mutants[j], mutants[i] })
		mutants = mutants[:s.sample]
	}
	return mutants, nil
}

// runAll runs the mutants, and prints each verdict when it is known.
func runAll(ctx context.Context, s settings, mutants []mutant, known reasons) ([]verdict, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	jobs := make(chan mutant)
	var (
		mu       sync.Mutex
		verdicts []verdict
		workers  sync.WaitGroup
	)
	all := runner{limits: &limits{known: map[string]time.Duration{}}}
	if s.reach != "" {
		scratch, err := os.MkdirTemp("", "mutation")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(scratch)
		all.reach = newReach(s.reach, scratch, slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool {
			why := known[m.name()]
			return why.equivalent != "" || why.named != nil
		}))
	}
	for range s.parallel {
		workers.Go(func() {
			if err := work(ctx, s, all, jobs, known, func(v verdict) {
				mu.Lock()
				defer mu.Unlock()
				verdicts = append(verdicts, v)
				fmt.Println(v)
			}); err != nil {
				stop(err)
			}
		})
	}
	func() {
		defer close(jobs)
		for _, m := range mutants {
			select {
			case jobs <- m:
			case <-ctx.Done():
				return
			}
		}
	}()
	workers.Wait()
	return verdicts, context.Cause(ctx)
}

// work runs mutants one after the other.
func work(
	ctx context.Context, s settings, r runner, jobs <-chan mutant, known reasons, tell func(verdict),
) error {
	var err error
	if r.scratch, err = os.MkdirTemp("", "mutation"); err != nil {
		return err
	}
	defer os.RemoveAll(r.scratch)
	for m := range jobs {
		v, err := r.judge(ctx, m, known, s.named)
		if err != nil {
			return err
		}
		tell(v)
	}
	return nil
}

// judge runs a mutant unless its line in survivors.txt makes that needless.
func (r *runner) judge(ctx context.Context, m mutant, known reasons, named bool) (v verdict, err error) {
	v.mutant = m
	why, listed := known[m.name()]
	if listed {
		v.by = why.String()
	}
	switch start := time.Now(); {
	case listed && why.equivalent != "":
		v.outcome = equivalent
	case listed && why.named != nil && !named:
		v.outcome = killed
	default:
		var by string
		v.outcome, by, err = r.run(ctx, &m, why.named)
		if v.outcome != survived {
			v.by = by
		}
		v.took = time.Since(start)
	}
	return v, err
}
