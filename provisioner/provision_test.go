package provisioner

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// noLeftovers fails if the run's folder is still on the guest.
func noLeftovers(t *testing.T, g *local) {
	t.Helper()
	if _, err := os.Stat(g.folder(t)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s was left on the guest (%v)", g.folder(t), err)
	}
}

func TestProvision(t *testing.T) {
	seen := t.TempDir()
	// Keeps what it was given, for a look once it has been removed.
	p := prepared(t, map[string]any{
		"sip_allow_from":   []string{"203.0.113.0/24"},
		"environment_vars": []string{"https_proxy=http://u:it's@proxy:3128", "EMPTY="},
		"report":           filepath.Join(seen, "new", "report.json"),
	}, `echo "$*" >`+seen+`/argv; cp "$4" `+seen+`/plan.json; env >`+seen+`/env; echo '`+closing+`'`)
	g, ui := newLocal(t), &console{}
	if err := p.Provision(t.Context(), ui, g, map[string]any{"SSHPrivateKey": "KEY"}); err != nil {
		t.Fatalf("%v\n%s", err, ui)
	}
	noLeftovers(t, g)

	argv, err := os.ReadFile(filepath.Join(seen, "argv"))
	if want := "apply --json --plan " + g.folder(t) + "/plan.json --image\n"; err != nil || string(argv) != want {
		t.Errorf("the helper got %q, want %q (%v)", argv, want, err)
	}
	data, err := os.ReadFile(filepath.Join(seen, "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := plan.Parse(data)
	if err != nil || !slices.Equal(got.SIPAllowFrom, []string{"203.0.113.0/24"}) {
		t.Errorf("plan.json is %s (%v)", data, err)
	}
	env, err := os.ReadFile(filepath.Join(seen, "env"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"https_proxy=http://u:it's@proxy:3128", "EMPTY=", "PACKER_BUILD_NAME=lab", "PACKER_BUILDER_TYPE=null",
	} {
		if !slices.Contains(strings.Split(string(env), "\n"), want) {
			t.Errorf("%q is missing in the helper's environment:\n%s", want, env)
		}
	}
	data, err = os.ReadFile(p.config.Report)
	var rep report.Report
	if err != nil || json.Unmarshal(data, &rep) != nil || rep.DurationMS != 1234 {
		t.Errorf("the report is %s (%v)", data, err)
	}
	if len(g.uploads) != 3 {
		t.Errorf("uploaded %q, want helper, plan and script, once each", g.uploads)
	}
	if g.modes["fs-harden"] != 0o755 || g.modes["run.sh"] != 0o755 || g.modes["plan.json"] != 0o644 {
		t.Errorf("modes are %v", g.modes)
	}
	if len(ui.tracked) != 1 || !strings.HasPrefix(ui.tracked[0], "fs-harden ") {
		t.Errorf("progress was shown for %q", ui.tracked)
	}
	for _, secret := range []string{"it's", "proxy", "KEY"} {
		if strings.Contains(ui.String(), secret) || len(g.ran(secret)) != 0 {
			t.Errorf("%q is in the output or on a command line:\n%s\n%q", secret, ui, g.commands)
		}
	}
}

func TestSudoOnlyWhereNeeded(t *testing.T) {
	for _, uid := range []string{"0", "1000"} {
		g := newLocal(t)
		g.program(t, "id", "echo "+uid)
		mark := filepath.Join(t.TempDir(), "sudo")
		g.program(t, "sudo", `printf '%s\n' "$1" >`+mark+`; shift; exec env -i PATH="$PATH" "$@"`)
		// This sudo drops the environment: what the helper needs comes anyway.
		p := prepared(t, map[string]any{"environment_vars": []string{"A=b"}},
			`[ "$A" = b ] || exit 1; echo '`+closing+`'`)
		if err := p.Provision(t.Context(), &console{}, g, nil); err != nil {
			t.Fatalf("uid %s: %v", uid, err)
		}
		said, err := os.ReadFile(mark)
		if used := err == nil; used != (uid != "0") {
			t.Errorf("uid %s: sudo used: %v", uid, used)
		}
		if uid != "0" && string(said) != "-n\n" {
			t.Errorf("sudo was called with %q", said)
		}
	}
}

// What people have written for the shell provisioner must work unchanged.
func TestExecuteCommandsOfShell(t *testing.T) {
	for _, command := range []string{
		"chmod +x {{.Path}}; {{.Vars}} {{.Path}}",
		"{{ .Vars }} sudo -E sh -eux '{{ .Path }}'",
		"chmod +x {{ .Path }}; env {{ .Vars }} {{ .Path }}",
		"echo '{{ .Password }}' | {{ .Vars }} sudo -S -E bash '{{ .Path }}'",
	} {
		g := newLocal(t)
		g.program(t, "sudo", `while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"`)
		p := prepared(t, map[string]any{"execute_command": command}, `echo '`+closing+`'`)
		ui := &console{}
		if err := p.Provision(t.Context(), ui, g, map[string]any{"Password": "pw"}); err != nil {
			t.Errorf("%s: %v\n%s", command, err, ui)
			continue
		}
		if strings.Contains(command, "Password") && len(g.ran("echo 'pw'")) != 1 {
			t.Errorf("the generated data is not there: %q", g.commands)
		}
		noLeftovers(t, g)
	}
}

func TestGuestsThatCannotBeHardened(t *testing.T) {
	tests := []struct {
		name, uname, id string
		want            string
	}{
		{"none communicator", "", "", "answers nothing"},
		{"windows", "echo 'uname is not recognized' >&2; exit 1", "exit 1", "no Linux machine"},
		{"bsd", `case $1 in -s) echo FreeBSD;; -m) echo amd64;; esac`, "echo 0", "runs FreeBSD"},
		{"risc-v", `case $1 in -s) echo Linux;; -m) echo riscv64;; esac`, "echo 0", "riscv64"},
		{"half an answer", `[ "$1" = -s ] && echo Linux`, "", "no Linux machine"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newLocal(t)
			g.program(t, "uname", tt.uname)
			g.program(t, "id", tt.id)
			err := prepared(t, nil, "").Provision(t.Context(), &console{}, g, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want %q, got %v", tt.want, err)
			}
			if len(g.uploads) != 0 {
				t.Errorf("uploaded %q all the same", g.uploads)
			}
		})
	}
}

func TestGreetingShellAndOtherArchitecture(t *testing.T) {
	g := newLocal(t)
	g.program(t, "uname", `case $1 in -s) echo; echo 'Welcome to lab!'; echo Linux;; -m) echo aarch64;; esac`)
	ui := &console{}
	err := prepared(t, nil, "").Provision(t.Context(), ui, g, nil)
	// The fake arm64 helper knows nothing but its version.
	if err == nil || !strings.Contains(ui.String(), "Hardening FreeSWITCH on Linux aarch64 with fs-harden 9.9.9 for arm64") {
		t.Errorf("%v\n%s", err, ui)
	}
}

func TestMissingHelperSaysHowToBuild(t *testing.T) {
	p := prepared(t, nil, "")
	p.helpers = fstest.MapFS{}
	err := p.Provision(t.Context(), &console{}, newLocal(t), nil)
	if err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("got %v", err)
	}
}

func TestSkipCleanUp(t *testing.T) {
	g, ui := newLocal(t), &console{}
	p := prepared(t, map[string]any{"skip_clean_up": true}, `echo '`+closing+`'`)
	if err := p.Provision(t.Context(), ui, g, nil); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(g.folder(t))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v: want a folder that only its user can read", info, err)
	}
	if !strings.Contains(ui.String(), g.folder(t)) {
		t.Errorf("where it was left is not shown:\n%s", ui)
	}
}

func TestReportThatCannotBeWrittenIsAFailure(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "report.json")
	p := prepared(t, map[string]any{"report": path}, `echo '`+closing+`'`)
	if err := os.WriteFile(filepath.Join(dir, "sub"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.Provision(t.Context(), &console{}, newLocal(t), nil); err == nil {
		t.Error("no error")
	}
	// Found out before the machine is touched, in fact: sub is a file by then.
	if err := os.Remove(filepath.Join(dir, "sub")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := save(path, &report.Report{}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left %v (%v)", left, err)
	}
}

func TestOutput(t *testing.T) {
	lines, err := os.ReadFile("testdata/run.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	g, ui := newLocal(t), &console{}
	// Through a file: the lines hold what no shell should read.
	path := filepath.Join(t.TempDir(), "run.jsonl")
	if err := os.WriteFile(path, lines, 0o644); err != nil {
		t.Fatal(err)
	}
	saved := filepath.Join(t.TempDir(), "report.json")
	err = prepared(t, map[string]any{"report": saved}, "cat "+path+"; exit 3").Provision(t.Context(), ui, g, nil)
	ui.add("build  " + err.Error())
	got := strings.ReplaceAll(ui.String(), saved, "reports/lab.json")
	const golden = "testdata/run.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the output is\n%s\nwant\n%s", got, want)
	}
}
