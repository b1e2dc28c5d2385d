package harden

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/internal/testenv"
)

// onAMachine are the breakages that only a real kernel, fail2ban and FreeSWITCH
// show: rows of a test in acctest/, by the test and the row's name.
var onAMachine = []struct{ check, what, file, row string }{
	{"ban-ipv4", "a jail that bans nobody", "drift_test.go", "a jail that bans nobody"},
	{"ban-ipv6", "a jail that bans nobody", "drift_test.go", "a jail that bans nobody"},
	{"ban-ipv4", "a jail gone", "drift_test.go", "a jail gone"},
	{"fail2ban-jails", "a jail that reads no log", "drift_test.go", "a jail that reads no log"},
	{"fail2ban-lag", "a jail that reads no further", "drift_test.go", "a jail that reads no further"},
	{"kernel-table", "a rule more in the kernel's table", "drift_test.go", "a rule more in the kernel's table"},
	{"firewall", "UFW's rules out of reach", "drift_test.go", "UFW's rules out of reach"},
	{"event-socket-live", "a password that is not its file's", "drift_test.go", "a password that is not its file's"},
	{"event-socket-listener", "a listener for the world", "drift_test.go", "a listener for the world"},
	{"fs-cli-connects", "a file of root's that fs_cli prefers", "drift_test.go", "a file of root's that fs_cli prefers"},
	{"expanded-configuration", "a drop-in with another umask", "drift_test.go", "a drop-in with another umask"},
	{"gate", "no unit of FreeSWITCH's", "drift_test.go", "no unit of FreeSWITCH's"},
	{"other-starters", "another unit that starts FreeSWITCH", "drift_test.go", "another unit that starts FreeSWITCH"},
}

// Every check that the code can make has a breakage.
func TestEveryCheckHasABreakage(t *testing.T) {
	t.Parallel()
	broken := map[string]bool{}
	for _, b := range breakages() {
		broken[b.check] = true
	}
	for _, r := range onAMachine {
		broken[r.check] = true
	}
	made := checkNames(t)
	for _, name := range made {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(broken)), func(b string) bool {
			return b == name || strings.HasSuffix(name, " ") && strings.HasPrefix(b, name)
		}) {
			t.Errorf("no row breaks the check %q: add one to breakages, or to onAMachine", name)
		}
	}
	for name := range broken {
		if !slices.ContainsFunc(made, func(m string) bool {
			return m == name || strings.HasSuffix(m, " ") && strings.HasPrefix(name, m)
		}) {
			t.Errorf("nothing makes the check %q, which rows break", name)
		}
	}
	if len(made) < 25 {
		t.Errorf("only %d checks are known: %q", len(made), made)
	}
}

// And so has every check that a machine's verify shows, whatever makes its name.
func TestEveryCheckThatVerifyShowsHasABreakage(t *testing.T) {
	t.Parallel()
	s := newStandIn(t, bootedTree(t))
	var rows []string
	for _, b := range breakages() {
		rows = append(rows, b.check)
	}
	for _, r := range onAMachine {
		rows = append(rows, r.check)
	}
	for _, live := range []bool{false, true} {
		for _, st := range s.verify(t.Context(), live).Steps {
			for _, c := range st.Checks {
				if !slices.Contains(rows, c.Name) {
					t.Errorf("no row breaks the check %q", c.Name)
				}
			}
		}
	}
}

// checkNames reads out of the code how every report.Check is called; one that ends
// with a blank is what such names begin with.
func checkNames(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, dir := range []string{".", "proof"} {
		files := parseFolder(t, dir)
		constants := map[string]string{}
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				if v, ok := n.(*ast.ValueSpec); ok {
					for i, name := range v.Names {
						if i < len(v.Values) {
							if s, ok := literal(v.Values[i]); ok {
								constants[name.Name] = s
							}
						}
					}
				}
				return true
			})
		}
		resolve := func(e ast.Expr) (string, bool) {
			if b, ok := e.(*ast.BinaryExpr); ok { // "secret-file " + p
				e = b.X
			}
			if id, ok := e.(*ast.Ident); ok {
				s, ok := constants[id.Name]
				return s, ok
			}
			return literal(e)
		}
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CompositeLit:
					for _, name := range namesOf(n) {
						s, ok := resolve(name)
						if ok {
							names = append(names, s)
						} else if !slices.Contains([]string{"check", "name", "l.Name"}, source(name)) {
							t.Errorf("%s: the check is called %s, which this test cannot read", dir, source(name))
						}
					}
				case *ast.CallExpr: // the functions that are given a check's name
					if id, ok := n.Fun.(*ast.Ident); ok && slices.Contains([]string{"strong", "fail"}, id.Name) && len(n.Args) > 0 {
						if s, ok := resolve(n.Args[0]); ok {
							names = append(names, s)
						}
					}
				}
				return true
			})
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func parseFolder(t *testing.T, dir string) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var out []*ast.File
	for _, p := range paths {
		if strings.HasSuffix(p, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

// namesOf gives the Name of a report.Check, or of each in a []report.Check.
func namesOf(c *ast.CompositeLit) []ast.Expr {
	switch of := c.Type.(type) {
	case *ast.SelectorExpr:
		if source(of) == "report.Check" {
			return named(c)
		}
	case *ast.ArrayType:
		if source(of.Elt) != "report.Check" {
			return nil
		}
		var out []ast.Expr
		for _, e := range c.Elts {
			if inner, ok := e.(*ast.CompositeLit); ok && inner.Type == nil {
				out = append(out, named(inner)...)
			}
		}
		return out
	}
	return nil
}

func named(c *ast.CompositeLit) []ast.Expr {
	for _, e := range c.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && source(kv.Key) == "Name" {
			return []ast.Expr{kv.Value}
		}
	}
	return nil
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}

// source is an expression of names and dots as it is written.
func source(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return source(e.X) + "." + e.Sel.Name
	default:
		return fmt.Sprintf("%T", e)
	}
}

// What is left to a machine is there: a row of that name, which expects that check.
func TestTheRowsOnAMachineAreThere(t *testing.T) {
	t.Parallel()
	rows := map[string][]string{}
	for _, r := range onAMachine {
		if rows[r.file] == nil {
			rows[r.file] = []string{}
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../acctest", r.file), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		ast.Inspect(f, func(n ast.Node) bool {
			kv, ok := n.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			if name, ok := literal(kv.Key); !ok || name != r.row {
				return true
			}
			row, ok := kv.Value.(*ast.CompositeLit)
			if !ok {
				return true
			}
			for _, e := range row.Elts {
				if s, ok := literal(e); ok && slices.Contains(strings.Fields(s), r.check) {
					found = true
				}
			}
			return true
		})
		if !found {
			t.Errorf("acctest/%s has no row %q that expects %s", r.file, r.row, r.check)
		}
	}
}

// The page has a line for each check, with what breaks it as the rows have it.
func TestThePageOfChecks(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	breaks := map[string][]string{}
	add := func(check, what string) {
		check, _, _ = strings.Cut(check, " ") // secret-file has a line for all files
		if !slices.Contains(breaks[check], what) {
			breaks[check] = append(breaks[check], what)
		}
	}
	for _, b := range breakages() {
		add(b.check, b.what)
	}
	for _, r := range onAMachine {
		add(r.check, r.what+" (on a machine)")
	}
	lines := map[string]string{}
	for line := range strings.Lines(string(page)) {
		if f := strings.Split(strings.TrimSpace(line), " | "); len(f) == 3 && strings.HasPrefix(f[0], "| `") {
			lines[strings.Trim(f[0], "|` ")] = strings.TrimSuffix(f[2], " |")
		}
	}
	for _, check := range slices.Sorted(maps.Keys(breaks)) {
		if want := strings.Join(breaks[check], "; "); lines[check] != want {
			t.Errorf("docs/checks.md: the line of `%s` ends with\n%s\nand is to end with\n%s", check, lines[check], want)
		}
		delete(lines, check)
	}
	for check := range lines {
		t.Errorf("docs/checks.md has a line of %s, which nothing breaks", check)
	}
}

// stateRow brings a machine into a state.
type stateRow struct {
	state State
	what  string
	into  func(s *standIn)
	live  bool
}

func stateRows() []stateRow {
	return []stateRow{
		{NotHardened, "never baked", func(s *standIn) { s.remove("/var/lib/fs-harden") }, false},
		{NotHardened, "no record of a bake", func(s *standIn) {
			s.remove("/var/lib/fs-harden/baked.json")
			s.remove("/var/lib/fs-harden/committed.json")
		}, false},
		{Image, "baked", remove("/var/lib/fs-harden/committed.json"), false},
		{AtWork, "a run holds the lock", func(s *standIn) {
			unlock, err := s.runner().Host.Lock(s.t.Context(), "/var/lib/fs-harden")
			if err != nil {
				s.t.Fatal(err)
			}
			s.t.Cleanup(unlock)
		}, false},
		{HalfDone, "a journal left", write("/var/lib/fs-harden/journal/000-gate.json", "[]"), false},
		{BootFailed, "secrets chosen, and not recorded", func(s *standIn) {
			s.remove("/var/lib/fs-harden/committed.json")
			s.write("/var/lib/fs-harden/pending.json", "{}")
		}, false},
		{BootFailed, "systemd says so", func(s *standIn) {
			s.remove("/var/lib/fs-harden/committed.json")
			s.answers["systemctl is-failed --quiet fs-harden-firstboot.service"] = ""
		}, true},
		{HeldBack, "another instance", func(s *standIn) { s.instance("i-0fedcba9876543210") }, false},
		{HeldBack, "a password that FreeSWITCH ships", socketPassword("ClueCon"), false},
		{Drift, "a file changed", edit(umaskConf, "UMask=0027", "UMask=0037"), false},
		{Drift, "a check fails now", chmod(credentialsPath, 0o644), false},
		{Drift, "a check failed in the last verify", func(s *standIn) {
			s.write(verifiedPath, `{"at":"2026-11-27T00:00:00Z","failed":[{"name":"ban-ipv4","status":"fail","detail":"x"}]}`)
		}, false},
		{Hardened, "in order", func(*standIn) {}, true},
		{Hardened, "in order, nothing running", func(*standIn) {}, false},
	}
}

func TestEveryState(t *testing.T) {
	t.Parallel()
	base := bootedTree(t)
	seen := map[State]bool{}
	t.Run("rows", func(t *testing.T) {
		for _, r := range stateRows() {
			seen[r.state] = true
			t.Run(string(r.state)+": "+r.what, func(t *testing.T) {
				t.Parallel()
				s := newStandIn(t, base)
				s.edit(socketFile, fmt.Sprintf(`"listen-port" value="%d"`, s.events.port), `"listen-port" value="8021"`) // or that has drifted
				r.into(s)
				runner := s.runner()
				if r.live {
					runner.Host = s.runningHost()
				}
				st, err := runner.Status(t.Context())
				if err != nil || st.State != r.state {
					t.Errorf("it is %q, want %q: %v %+v", st.State, r.state, err, st)
				}
			})
		}
	})
	for _, f := range parseFolder(t, ".") {
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || v.Type == nil || source(v.Type) != "State" {
				return true
			}
			for _, value := range v.Values {
				if s, ok := literal(value); ok && !seen[State(s)] {
					t.Errorf("no row brings a machine into the state %q", s)
				}
			}
			return true
		})
	}
}

// What a verify leaves for status: how many passed, and which failed.
func TestStatusRemembersTheLastVerify(t *testing.T) {
	t.Parallel()
	testenv.Root(t) // only root's verify leaves a record
	s := newStandIn(t, bootedTree(t))
	s.answer(showUMask, "0007", "0022")
	rep := s.verify(t.Context(), true)
	v, err := readVerified(s.runner().Host)
	if err != nil || v == nil || len(v.Failed) != 1 || v.Failed[0].Name != "expanded-configuration" {
		t.Fatalf("%+v, %v", v, err)
	}
	passed := 0
	for _, st := range rep.Steps {
		for _, c := range st.Checks {
			if c.Status == report.Pass {
				passed++
			}
		}
	}
	if v.Passed != passed || v.LeftOut != 2 {
		t.Errorf("passed: %d, left out: %d; the report has %d", v.Passed, v.LeftOut, passed)
	}
	info, err := os.Stat(s.path(verifiedPath))
	if err != nil || info.Mode() != fs.FileMode(0o600) {
		t.Errorf("the record: %v, %v", info, err)
	}
}
