package provisioner

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/goldenswitch/packer-plugin-freeswitch/"

// imports lists every package that the given ones need, tests aside.
func imports(t *testing.T, packages ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-deps"}, packages...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := strings.Fields(string(out))
	if len(all) < 10 {
		t.Fatalf("go list names only %q", all)
	}
	return all
}

func TestImports(t *testing.T) {
	rules := []struct {
		from      string
		forbidden string
		but       []string
		why       string
	}{
		{
			module + "harden/...", "github.com/hashicorp/", nil,
			"the helper runs at every boot of every instance: Packer, its SDK and HCL have no place on a machine, and would make it ten times as large",
		},
		{
			module + "harden/...", module + "provisioner", nil,
			"data goes one way: the provisioner hands a plan to the helper, which knows nothing of who asks",
		},
		{
			module + "provisioner", module + "harden", []string{module + "harden/plan", module + "harden/report"},
			"the build host must not hold code that changes a machine: it speaks of it in plans and reports, and the engine runs on the guest only",
		},
	}
	for _, rule := range rules {
		for _, name := range imports(t, rule.from) {
			if !strings.HasPrefix(name, rule.forbidden) {
				continue
			}
			allowed := false
			for _, but := range rule.but {
				allowed = allowed || name == but
			}
			if !allowed {
				t.Errorf("%s needs %s: %s", rule.from, name, rule.why)
			}
		}
	}
}
