package provisioner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

func TestEndings(t *testing.T) {
	const failed = `{"version":1,"phase":"bake","result":"failed","steps":[{"name":"gate","status":"failed","reason":"unit is masked"}]}`
	const checks = `{"version":1,"phase":"bake","result":"failed","steps":[{"name":"gate","status":"changed","checks":[{"name":"closed","status":"fail","detail":"8021 answers"}]}]}`
	tests := []struct {
		name, helper, want string
		report             bool
	}{
		{"done", `echo '` + closing + `'`, "", true},
		{"failed and undone", `echo '` + failed + `'; exit 1`, "gate: unit is masked", true},
		{"plan refused", `echo 'plan: line 3: no' >&2; exit 2`, "refused the plan and touched nothing: plan: line 3: no", false},
		{"check failed", `echo '` + checks + `'; exit 3`, "1 check failed: closed: 8021 answers", true},
		{"failed outside its steps", `echo '{"version":1,"phase":"bake","result":"failed","steps":[]}'; echo 'another fs-harden runs' >&2; exit 1`, "another fs-harden runs", true},
		{"died", `echo '{"event":"begin","name":"gate"}'; kill -9 $$`, "without its closing line", false},
		{"status 0 but no closing line", `echo '{"event":"begin","name":"gate"}'`, "status 0 and without its closing line", false},
		{"failed but status 0", `echo '` + failed + `'`, "gate: unit is masked", true},
		{"ok but status 1", `echo '` + closing + `'; exit 1`, "contradict", true},
		{"sudo refuses", `echo 'sudo: a password is required' >&2; exit 1`, "execute_command", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "report.json")
			g, ui := newLocal(t), &console{}
			err := prepared(t, map[string]any{"report": path}, tt.helper).Provision(t.Context(), ui, g, nil)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("want %q, got %v", tt.want, err)
			}
			if got := strings.Contains(ui.String(), "FreeSWITCH is hardened."); got != (tt.want == "") {
				t.Errorf("success shown: %v\n%s", got, ui)
			}
			if _, err := os.Stat(path); (err == nil) != tt.report {
				t.Errorf("report: want %v, got %v", tt.report, err)
			}
			// A step that failed is never tried again.
			if n := len(g.ran("run.sh")); n != 1 {
				t.Errorf("ran %d times", n)
			}
			noLeftovers(t, g)
		})
	}
}

func TestBrokenConnectionIsNoSuccess(t *testing.T) {
	tests := []struct{ name, helper, want string }{
		{"in the middle", `echo '{"event":"begin","name":"gate"}'`, "must not become an image"},
		{"after the closing line", `echo '` + closing + `'`, "broke just after"},
	}
	for _, tt := range tests {
		for _, status := range []int{packersdk.CmdDisconnect, 123} {
			g := newLocal(t)
			g.exit = func(command string, s int) int {
				if strings.Contains(command, "run.sh") {
					return status
				}
				return s
			}
			err := prepared(t, nil, tt.helper).Provision(t.Context(), &console{}, g, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: want %q, got %v", tt.name, tt.want, err)
			}
			if n := len(g.ran("run.sh")); n != 1 {
				t.Errorf("%s: ran %d times", tt.name, n)
			}
		}
	}
}

func TestTransportIsTriedAgain(t *testing.T) {
	// Each command and upload fails once, then works.
	g := newLocal(t)
	failed := map[string]bool{}
	once := func(what string) error {
		if failed[what] {
			return nil
		}
		failed[what] = true
		return errors.New("connection reset by peer")
	}
	g.onStart, g.onUpload = once, once
	p := prepared(t, nil, `echo '`+closing+`'`)
	if err := p.Provision(t.Context(), &console{}, g, nil); err != nil {
		t.Fatal(err)
	}
	if len(failed) != 8 { // probe, folder, three uploads, version, run, removal
		t.Errorf("failed once at %d places: %v", len(failed), failed)
	}
	noLeftovers(t, g)
}

func TestTransportIsGivenUp(t *testing.T) {
	lost := errors.New("connection reset by peer")
	tests := []struct{ name, at, want string }{
		{"probe", "uname", "asking the guest what it is"},
		{"folder", "mkdir", "making a folder"},
		{"helper", "/fs-harden", "uploading "},
		{"plan", "/plan.json", "uploading "},
		{"script", "/run.sh", "uploading "},
		{"version", " version", "trying fs-harden"},
		{"run", "chmod +x", "running fs-harden"},
		{"removal", "rm -rf '", "removing "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newLocal(t)
			g.onStart = func(command string) error {
				if strings.Contains(command, tt.at) && !strings.HasPrefix(tt.at, "/") {
					return lost
				}
				return nil
			}
			g.onUpload = func(path string) error {
				if strings.HasPrefix(tt.at, "/") && strings.HasSuffix(path, tt.at) {
					return lost
				}
				return nil
			}
			err := prepared(t, nil, `echo '`+closing+`'`).Provision(t.Context(), &console{}, g, nil)
			if !errors.Is(err, lost) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "after 5 tries") {
				t.Fatalf("got %v", err)
			}
			if len(g.uploads) > 0 && tt.name != "removal" {
				noLeftovers(t, g)
			}
		})
	}
}

func TestHelperThatDoesNotRun(t *testing.T) {
	p := prepared(t, nil, "")
	p.helpers = fstest.MapFS{"helpers/fs-harden-linux-amd64.gz": {Data: pack(t, "#!/nonexistent\n")}}
	g := newLocal(t)
	err := p.Provision(t.Context(), &console{}, g, nil)
	if err == nil || !strings.Contains(err.Error(), "does not run on the guest") {
		t.Errorf("got %v", err)
	}
	noLeftovers(t, g)
}

func TestCancelInTheMiddle(t *testing.T) {
	started := filepath.Join(t.TempDir(), "fifo")
	g, ui := newLocal(t), &console{}
	g.program(t, "stall", "while :; do sleep 1; [ -e "+started+" ] || exit 0; done")
	p := prepared(t, nil, `: >`+started+`; echo '{"event":"begin","name":"gate"}'; exec stall`)
	t.Cleanup(func() { _ = os.Remove(started) }) // lets the helper end
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Provision(ctx, ui, g, nil) }()
	for {
		if _, err := os.Stat(started); err == nil {
			break
		}
		select {
		case err := <-done:
			t.Fatalf("ended early: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// The helper still runs: Provision came back without it.
	if _, err := os.Stat(started); err != nil {
		t.Error(err)
	}
	noLeftovers(t, g)
	if strings.Contains(ui.String(), "is hardened.") {
		t.Errorf("success shown:\n%s", ui)
	}
}

func TestCancelDuringUpload(t *testing.T) {
	g := newLocal(t)
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	g.onUpload = func(string) error {
		cancel()
		<-release // Upload knows no context
		return errors.New("too late")
	}
	err := prepared(t, nil, "").Provision(ctx, &console{}, g, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	noLeftovers(t, g)
}
