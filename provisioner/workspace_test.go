package provisioner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// noexec makes folder behave as if mounted noexec: nothing in it ever becomes
// executable, which a shell reports as "Permission denied", as it does there.
func noexec(t *testing.T, g *local, folder string) {
	t.Helper()
	g.program(t, "chmod", `for f; do :; done; case $f in `+folder+`/*) exit 0;; esac; PATH=${PATH#*:}; exec chmod "$@"`)
}

func TestWorkspace(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	missing := filepath.Join(a, "missing")
	tests := []struct {
		name, chosen, noexec string
		want                 string // folder, or part of the error
	}{
		{"usual place", "", "", "/tmp"},
		{"noexec falls back", "", "/tmp", "/var/tmp"},
		{"chosen", a, b, a},
		{"chosen with slash", a + "/", b, a},
		{"chosen is noexec", a, a, "no program may run in " + a},
		{"chosen is missing", missing, b, "no folder could be made in " + missing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newLocal(t)
			if tt.noexec != "" {
				noexec(t, g, tt.noexec)
			}
			p := prepared(t, map[string]any{"remote_folder": tt.chosen}, `echo '`+closing+`'`)
			err := p.Provision(t.Context(), &console{}, g, nil)
			if !strings.HasPrefix(tt.want, "/") {
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "remote_folder") {
					t.Errorf("want %q, got %v", tt.want, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := filepath.Dir(g.folder(t)); got != tt.want {
				t.Errorf("worked in %s, want %s", got, tt.want)
			}
			noLeftovers(t, g)
		})
	}
	for _, folder := range []string{a, b} {
		left, err := os.ReadDir(folder)
		if err != nil || len(left) != 0 {
			t.Errorf("%s holds %v (%v)", folder, left, err)
		}
	}
}

func TestWorkspaceInHome(t *testing.T) {
	g := newLocal(t)
	g.program(t, "chmod", `for f; do :; done; case $f in "$HOME"/*) ;; *) exit 0;; esac; PATH=${PATH#*:}; exec chmod "$@"`)
	gst := &guest{comm: g, ui: &console{}, wait: backoff}
	folder, err := gst.workspace(t.Context(), "")
	if err != nil || filepath.Dir(folder) != g.home {
		t.Fatalf("made %s, want a folder in %s (%v)", folder, g.home, err)
	}
	if err := gst.remove(t.Context(), folder); err != nil {
		t.Fatal(err)
	}
	// What the shell would read is refused, as it is for remote_folder.
	g.home = filepath.Join(t.TempDir(), "it's me")
	if err := os.Mkdir(g.home, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := gst.workspace(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "remote_folder") {
		t.Errorf("got %v", err)
	}
}

func TestWorkspaceScriptCanBeQuoted(t *testing.T) {
	if strings.Contains(workspaceScript, "'") {
		t.Error("templates/workspace.sh holds a single quote")
	}
}
