//go:build linux && acceptance

package acctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// The filter blames the same sources with every fail2ban that it is for: the
// tests of harden/fail2ban, in a tree of each release.
func TestFilterOnEveryFail2ban(t *testing.T) {
	lab.Require(t)
	tests := t.TempDir()
	stage := exec.Command("sh", "-c", stageFilterTests, "stage", tests)
	stage.Dir = shop.Project
	if out, err := stage.CombinedOutput(); err != nil {
		t.Fatalf("compiling the tests of the filter: %v\n%s", err, out)
	}
	for release, version := range map[lab.Release]string{lab.Bullseye: "0.11.2", lab.Bookworm: "1.0.2", lab.Trixie: "1.1.0"} {
		t.Run(version, func(t *testing.T) {
			var said string
			err := undefendedOn(t, release).View(shop.ctx, func(root string) (err error) {
				if err := os.CopyFS(filepath.Join(root, "root/filter"), os.DirFS(tests)); err != nil {
					return err
				}
				said, err = lab.Chroot(shop.ctx, root, "sh", "-c", runFilterTests)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{version, "PASS: TestFilterOnRealLogs", "PASS: TestFilterOnSingleLines"} {
				if !strings.Contains(said, want) {
					t.Errorf("%q is not in\n%s", want, said)
				}
			}
		})
	}
}

const (
	// stageFilterTests puts the tests and what they read into a folder, laid out as
	// they are here. It is run in the project's.
	stageFilterTests = `set -e
mkdir -p "$1/project/harden/fail2ban" "$1/shared/data"
CGO_ENABLED=0 go test -c -trimpath -o "$1/project/harden/fail2ban/" ./harden/fail2ban
cp -r harden/fail2ban/testdata "$1/project/harden/fail2ban/"
cp ../shared/data/*.log "$1/shared/data/"
`
	runFilterTests = `fail2ban-client --version && cd /root/filter/project/harden/fail2ban && CI=true ./fail2ban.test -test.v -test.run ^TestFilterOn`
)
