package fsxml

import "testing"

func TestTrue(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"true": true, "YES": true, "On": true, "t": true, "enabled": true, "Active": true, "allow": true,
		"1": true, "-1": true, "+2": true, "10": true, "1.5": true, "007": true,
		"": false, "false": false, "no": false, "0": false, "00": false, "0.9": false, "-0": false, ".5": false,
		"y": false, "--1": false, "1x": false, " true": false, "1e3": false, "-": false, ".": false,
	} {
		if got := True(value); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}
