package harden

import (
	"slices"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// A watch that does not come up, or that a person has masked, keeps no new secrets
// from being made.
func TestARotationDoesNotHangOnTheWatch(t *testing.T) {
	t.Parallel()
	for _, s := range Steps() {
		if s.Name != "watch" {
			continue
		}
		if slices.Contains(s.In, report.Rotate) || !slices.Contains(s.In, report.FirstBoot) || !slices.Contains(s.In, report.Bake) {
			t.Errorf("the step is in %v", s.In)
		}
		return
	}
	t.Error("there is no such step")
}
