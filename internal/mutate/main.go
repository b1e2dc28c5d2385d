// Mutate puts small bugs into the code, one at a time, and tells which of them the
// tests notice. The bugs are kept in mutants/, so that a test which has come to
// promise more than it does is found. It writes nothing into the tree.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"regexp"
	"slices"
	"sync"
	"text/tabwriter"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := mutate(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func mutate(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("mutate", flag.ContinueOnError)
	only := fs.String("run", "", "run the mutants whose names match this regular expression")
	jobs := fs.Int("j", 2, "how many to run at once")
	timeout := fs.String("timeout", "5m", "how long the tests of one may take; a mutant that makes them hang is caught")
	slow := fs.Bool("acceptance", false, "run those too whose test needs root and real machines")
	if err := fs.Parse(args); err != nil {
		return err
	}
	filter, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	mutants, err := load("mutants")
	if err != nil {
		return err
	}
	mutants = slices.DeleteFunc(mutants, func(m mutant) bool { return !filter.MatchString(m.name) })
	if len(mutants) == 0 {
		return errors.New("no mutant of that name: run it in the module's root, where mutants/ is")
	}
	r := &runner{root: root, timeout: *timeout, acceptance: *slow, clean: map[string]error{}}
	for _, m := range mutants {
		r.commands = append(r.commands, m.test)
	}
	results := judgeAll(ctx, r, mutants, max(*jobs, 1))
	return table(out, results)
}

// judgeAll gives the results in the order of the mutants.
func judgeAll(ctx context.Context, r *runner, mutants []mutant, jobs int) []result {
	results := make([]result, len(mutants))
	free := make(chan struct{}, jobs)
	var all sync.WaitGroup
	for i, m := range mutants {
		free <- struct{}{}
		all.Go(func() {
			results[i] = r.judge(ctx, m)
			fmt.Fprintf(os.Stderr, "%s %s\n", results[i].verdict, m.name)
			<-free
		})
	}
	all.Wait()
	return results
}

// table shows every mutant and, of every package, how many are caught. The error
// says what is not as the mutants' files tell.
func table(out io.Writer, results []result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	wrong := 0
	for _, r := range results {
		detail := r.detail
		if r.verdict == survived {
			detail = cmp.Or(r.survives, "NOTICED BY NO TEST: "+r.what)
		}
		if r.verdict == caught && r.survives != "" {
			detail = "SAID TO SURVIVE, and caught by " + r.detail
		}
		if !r.good() {
			wrong++
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.file, r.name, r.verdict, detail)
	}
	_, _ = fmt.Fprintln(w)
	for _, t := range totals(results) {
		_, _ = fmt.Fprintf(w, "%s\t%d of %d caught\t%d %%\t%d explained\t%d skipped\n", t.pkg, t.caught, t.run, t.caught*100/max(t.run, 1), t.explained, t.skipped)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d mutants are not caught as they should be", wrong, len(results))
	}
	return nil
}

type total struct {
	pkg                             string
	run, caught, explained, skipped int
}

// totals are those of every package, and of all.
func totals(results []result) []total {
	by := map[string]*total{}
	for _, r := range results {
		for _, pkg := range []string{path.Dir(r.file), "~all"} {
			t := by[pkg]
			if t == nil {
				t = &total{pkg: pkg}
				by[pkg] = t
			}
			switch {
			case r.verdict == skipped:
				t.skipped++
				continue
			case r.verdict == caught:
				t.caught++
			case r.verdict == survived && r.survives != "":
				t.explained++
			}
			t.run++
		}
	}
	var out []total
	for _, t := range by {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b total) int { return cmp.Compare(a.pkg, b.pkg) })
	for i := range out {
		if out[i].pkg == "~all" {
			out[i].pkg = "all"
		}
	}
	return out
}
