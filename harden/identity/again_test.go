package identity_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/identity"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func longer(n int) string { return strings.Repeat("x", n) }

// A record is compared with its own source alone, and an answer that does not
// come is not another instance's.
func TestAgain(t *testing.T) {
	tests := map[string]struct {
		record  identity.ID
		now     machine
		known   bool
		another bool // a known answer that differs: new secrets
	}{
		"the same":            {identity.ID{Source: identity.CloudInit, Value: iid}, machine{runID: iid}, true, false},
		"another instance":    {identity.ID{Source: identity.CloudInit, Value: iid}, machine{runID: "i-1"}, true, true},
		"metadata down":       {identity.ID{Source: identity.CloudInit, Value: iid}, machine{dmiUUID: guid}, false, false},
		"fell back to none":   {identity.ID{Source: identity.CloudInit, Value: iid}, machine{runID: "iid-datasource-none"}, false, false},
		"cloud-init came":     {identity.ID{Source: identity.ProductUUID, Value: guid}, machine{runID: iid, dmiUUID: guid}, true, false},
		"uuid in other case":  {identity.ID{Source: identity.ProductUUID, Value: strings.ToUpper(guid)}, machine{dmiUUID: guid}, true, false},
		"another uuid":        {identity.ID{Source: identity.ProductUUID, Value: guid}, machine{dmiUUID: guid[:35] + "f"}, true, true},
		"uuid unreadable":     {identity.ID{Source: identity.ProductUUID, Value: guid}, machine{}, false, false},
		"now in a container":  {identity.ID{Source: identity.ProductUUID, Value: guid}, machine{container: "lxc", dmiUUID: guid[:35] + "f"}, false, false},
		"ec2":                 {identity.ID{Source: identity.EC2, Value: iid}, machine{assetTag: "i-00000000"}, true, true},
		"data, stale":         {identity.ID{Source: identity.CloudInitData, Value: iid}, machine{dataID: "i-1", status: localRunning}, false, false},
		"data, fresh":         {identity.ID{Source: identity.CloudInitData, Value: iid}, machine{dataID: "i-1", status: localDone}, true, true},
		"machine-id rebooted": {identity.ID{Source: identity.MachineID, Value: hex}, machine{machineID: hex, bootedSince: ""}, true, false},
		"machine-id of a clone that made its own": {
			identity.ID{Source: identity.MachineID, Value: hex}, machine{machineID: hex[:31] + "0"}, true, true,
		},
		"machine-id emptied":   {identity.ID{Source: identity.MachineID, Value: hex}, machine{machineID: ""}, false, false},
		"unbound":              {identity.ID{Source: identity.Unbound}, machine{runID: iid, dmiUUID: guid}, false, false},
		"of a later fs-harden": {identity.ID{Source: "tpm", Value: "x"}, machine{runID: iid}, false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			now := identity.Again(tt.now.open(t), tt.record)
			if now.Known() != tt.known {
				t.Fatalf("the source says %+v; known should be %v", now, tt.known)
			}
			if another := now.Known() && !identity.Same(now, tt.record); another != tt.another {
				t.Errorf("%+v after %+v: another instance is %v, want %v", now, tt.record, another, tt.another)
			}
		})
	}
}

func TestSame(t *testing.T) {
	a := identity.ID{Source: identity.ProductUUID, Value: guid}
	for _, tt := range []struct {
		b    identity.ID
		want bool
	}{
		{a, true},
		{identity.ID{Source: identity.ProductUUID, Value: strings.ToUpper(guid)}, true},
		{identity.ID{Source: identity.CloudInit, Value: guid}, false},
		{identity.ID{Source: identity.ProductUUID, Value: ""}, false},
		{identity.ID{Source: identity.ProductUUID, Value: guid + " "}, false},
		{identity.ID{Source: identity.Unbound}, false},
	} {
		if identity.Same(a, tt.b) != tt.want || identity.Same(tt.b, a) != tt.want {
			t.Errorf("Same(%+v, %+v) is not %v", a, tt.b, tt.want)
		}
	}
	none := identity.ID{Source: identity.Unbound}
	if !identity.Same(none, none) {
		t.Error("unbound is not itself: a pending record would never be taken up again")
	}
}

// What was resolved is written to a record and compared after reading it back:
// nothing may be lost on that way, or every boot is another instance's.
func TestIDSurvivesTheRecord(t *testing.T) {
	for _, value := range []string{iid, "<&>\u2028é", longer(256)} {
		h := machine{runID: value}.open(t)
		b, err := json.Marshal(identity.Resolve(h))
		if err != nil {
			t.Fatal(err)
		}
		var back identity.ID
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if now := identity.Again(h, back); !identity.Same(now, back) {
			t.Errorf("%q came back as %q", value, back.Value)
		}
	}
}

func TestString(t *testing.T) {
	if got := (identity.ID{}).String(); got != "unbound" {
		t.Errorf("nobody is shown as %q", got)
	}
	if got := (identity.ID{Source: identity.EC2, Value: iid}).String(); got != iid {
		t.Errorf("%s is shown as %q", iid, got)
	}
}
