//go:build linux && acceptance

package acctest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// On a machine that has none of the defence's packages, the bake gets them from
// Debian and goes on with what they brought; without a way there it says so,
// and leaves the machine as it was.
func TestABakeInstallsWhatIsMissing(t *testing.T) {
	lab.Require(t)
	debian, err := shop.Lab.Debian(shop.ctx)
	if err != nil {
		t.Fatal(err)
	}
	image, err := debian.InstallFreeSWITCH(shop.ctx)
	if err != nil {
		t.Fatal(err)
	}
	c, err := image.Boot(shop.ctx, "bare", lab.BootOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
	})
	m := machine{c, t}
	m.waitBoot()
	const files = `find /etc /usr /var/lib/dpkg/info -newer /root/before -not -type d | sort`

	m.sh("touch /root/before")
	file := filepath.Join(t.TempDir(), "report.json")
	out, err := shop.Bake(shop.ctx, c, file)
	if err == nil {
		t.Fatalf("baked without a way to the packages:\n%s", out)
	}
	if want := "this machine's package sources do not have fail2ban, python3-systemd, nftables, ufw"; !strings.Contains(err.Error()+out, want) {
		t.Errorf("Packer does not say %q:\n%v\n%s", want, err, out)
	}
	if changed := m.sh(files); changed != "" {
		t.Errorf("a failed bake left behind:\n%s", changed)
	}

	if err := c.AllowApt(shop.ctx); err != nil {
		t.Fatal(err)
	}
	if out, err = shop.Bake(shop.ctx, c, file); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var rep report.Report
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &rep); err != nil {
		t.Fatal(err)
	}
	// Everything that the packages brought was configured in the same run. What needs
	// a FreeSWITCH that serves comes with an instance.
	for _, st := range rep.Steps {
		for _, check := range st.Checks {
			if check.Status == report.Fail || (check.Status == report.CheckDeferred && st.Name != "reload" && st.Name != "watch") {
				t.Errorf("%s: %s is %s: %s", st.Name, check.Name, check.Status, check.Detail)
			}
		}
	}
	if out := m.sh("fail2ban-client status"); !strings.Contains(out, "freeswitch, freeswitch-refused, freeswitch-scanner, recidive, sshd") {
		t.Errorf("fail2ban runs without its jails:\n%s", out)
	}
}
