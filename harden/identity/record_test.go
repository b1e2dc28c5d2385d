package identity_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/identity"
)

// The form of a record is read by every fs-harden that comes after this one, and its
// source and value by those before.
func TestRecordForm(t *testing.T) {
	i := read(t, is(ec2(iid), machine{assetTag: iid}, uuid(guid), midLater)("25.1.4"))
	const want = `{"source":"cloud-init","value":"` + iid + `","answers":{` +
		`"cloud_init":{"id":"` + iid + `","datasource":"Ec2"},"ec2_asset_tag":"` + iid + `",` +
		`"product_uuid":"` + guid + `","machine_id":{"id":"` + hex + `"}}}`
	if b, err := json.Marshal(i); err != nil || string(b) != want {
		t.Errorf("got  %s (%v)\nwant %s", b, err, want)
	}
	if b, err := json.Marshal(identity.Instance{}); err != nil || string(b) != `{"source":"unbound","value":"","answers":{}}` {
		t.Errorf("unbound: %s (%v)", b, err)
	}
}

// What was read comes back from a record unchanged, or every boot is another's.
func TestInstanceSurvivesTheRecord(t *testing.T) {
	for _, id := range []string{iid, "<&>\u2028é", strings.Repeat("x", 256), `"}`, "\u202e"} {
		i := read(t, is(noCloud(id), machine{assetTag: iid, manualClean: ""}, uuid(guid), mid)("22.4.2"))
		if i.Cloud.ID != id {
			t.Fatalf("%q was read as %q", id, i.Cloud.ID)
		}
		if back := kept(t, i); back != i {
			t.Errorf("%+v came back as %+v", i, back)
		}
	}
}

// Records of an fs-harden that knew one answer are still on machines.
func TestRecordOfBefore(t *testing.T) {
	for name, tt := range map[string]struct {
		source, value string
		now           func(string) machine
		want          identity.Verdict
	}{
		"cloud-init":              {"cloud-init", iid, is(ec2(iid), uuid(guid)), anew},
		"cloud-init, of the disk": {"cloud-init-data", iid, is(ec2(iid), uuid(guid)), anew},
		"cloud-init, another":     {"cloud-init", iid, is(ec2(iid2), uuid(guid)), another},
		"cloud-init, silent":      {"cloud-init", iid, nothing(uuid(guid)), anew},
		"cloud-init, broken":      {"cloud-init", iid, broken(), same},
		"no datasource":           {"cloud-init", iid, is(without()), anew},
		"azure in capitals":       {"cloud-init", guid, is(azure(strings.ToUpper(guid))), anew},
		// It was bound to it: the upgrade alone makes no other machine.
		"a template's id":             {"cloud-init", "iid-local01", is(noCloud("iid-local01"), uuid(guid)), anew},
		"a template's id, its own":    {"cloud-init", "iid-local01", is(noCloud("pbx-A"), uuid(guid)), another},
		"a template's id, then none":  {"cloud-init", "iid-local01", is(without(), uuid(guid)), anew},
		"a digest":                    {"cloud-init", digest, is(noCloud(digest), uuid(guid)), anew},
		"asset tag":                   {"ec2-asset-tag", iid, nothing(machine{assetTag: iid}), anew},
		"asset tag, another":          {"ec2-asset-tag", iid, is(ec2(iid2), machine{assetTag: iid2}), another},
		"uuid":                        {"product-uuid", guid, is(ec2(iid), uuid(guid)), anew},
		"uuid in capitals":            {"product-uuid", strings.ToUpper(guid), nothing(uuid(guid)), anew},
		"uuid, another":               {"product-uuid", guid, is(ec2(iid), uuid(guid2)), another},
		"uuid, found out a container": {"product-uuid", guid, nothing(inside, uuid(guid)), same},
		"machine-id":                  {"machine-id", hex, nothing(midLater, uuid(guid)), anew},
		"machine-id, another":         {"machine-id", hex, nothing(other), another},
		"unbound":                     {"unbound", "", nothing(), same},
		"unbound, its machine-id":     {"unbound", "", nothing(midLater), anew},
		"unbound, machine-id touched": {"unbound", "", nothing(mid), anew},
		"unbound, on another":         {"unbound", "", is(ec2(iid)), another},
		"of an fs-harden to come":     {"tpm", "x", is(ec2(iid), uuid(guid)), anew},
	} {
		var then identity.Instance
		old := fmt.Sprintf(`{"source":%q,"value":%q}`, tt.source, tt.value)
		if err := json.Unmarshal([]byte(old), &then); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(then); err != nil || string(again) != old {
			t.Errorf("%s is written as %s (%v)", old, again, err)
		}
		if known := tt.source != "unbound"; then.Known() != known || known && then.String() != tt.value || string(then.Source()) != tt.source && tt.source != "cloud-init-data" {
			t.Errorf("%s is shown as %s %s", old, then.Source(), then)
		}
		for _, v := range versions {
			now := read(t, tt.now(v))
			d := identity.Decide(then, now)
			if d.Verdict != tt.want {
				t.Errorf("%s, cloud-init %s: %q (%s), want %q", name, v, d.Verdict, d.Why, tt.want)
			}
			settles(t, d, now)
		}
	}
}

func TestRecordThatIsNone(t *testing.T) {
	for _, text := range []string{`"i-1"`, `[]`, `7`, `{"source":7}`, `{"answers":[]}`, `{"answers":{"cloud_init":"x"}}`} {
		if err := json.Unmarshal([]byte(text), new(identity.Instance)); err == nil {
			t.Errorf("%s is an instance", text)
		}
	}
}

// Whatever stands in the sources' files: it is read without a panic, survives a
// record, and the machine is itself.
func FuzzRead(f *testing.F) {
	files := noCloud("pbx").files("25.1.4")
	f.Add([]byte(iid), []byte(files[status]), []byte(files[instanceData]), []byte(iid), []byte(guid), []byte(hex))
	f.Add([]byte("\xff\n"), []byte(`{"v1":{"datasource":"DataSource","init-local":{"finished":1e999}}}`), []byte(`{"v1":null}`), []byte("i-"), []byte("----"), []byte(""))
	f.Add([]byte("4c4c4544-0042-4d10-8053-c3c04f4a4e32"), []byte("{"), []byte("["), []byte("i-1a2b3c4d"), []byte("A---------------------------------Z-"), []byte("0"))
	h := machine{}.open(f)
	f.Fuzz(func(t *testing.T, id, st, data, tag, smbios, mid []byte) {
		for path, b := range map[string][]byte{runID: id, status: st, instanceData: data, assetTag: tag, dmiUUID: smbios, machineID: mid} {
			write(t, h.Root(), path, strings.TrimPrefix(string(b), "->"))
		}
		i := identity.Read(h)
		if back := kept(t, i); back != i {
			t.Errorf("%+v came back as %+v", i, back)
		}
		if d := identity.Decide(kept(t, i), i); d.Verdict != identity.Same {
			t.Errorf("%+v is %q of itself: %s", i, d.Verdict, d.Why)
		}
		if d := identity.Decide(i, identity.Instance{}); d.Verdict != identity.Same {
			t.Errorf("silence after %+v: %q", i, d.Verdict)
		}
		if strings.ContainsFunc(i.String()+i.Cloud.Datasource, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("%q would reach a terminal", i)
		}
	})
}

// Any two machines: what is decided is recorded, and then it is settled; and nobody
// who is proven one machine is decided to be another.
func FuzzDecide(f *testing.F) {
	f.Add(uint32(0), uint32(1))
	f.Add(uint32(0x12345), uint32(0x54321))
	f.Fuzz(func(t *testing.T, a, b uint32) {
		then, now := made(a), made(b)
		settles(t, identity.Decide(then, now), now)
		if p := identity.Proven(then, now); p != identity.Proven(now, then) {
			t.Errorf("%+v and %+v: proven one way alone", then, now)
		} else if p && identity.Decide(then, now).Verdict == identity.Another {
			t.Errorf("%+v and %+v are proven one, and two", then, now)
		}
	})
}

// made is an instance of a few values in each place, as the bits say.
func made(bits uint32) identity.Instance {
	pick := func(of ...string) string {
		v := of[int(bits)%len(of)]
		bits /= uint32(len(of))
		return v
	}
	return identity.Instance{
		Cloud: identity.Cloud{
			ID:         pick("", "", iid, iid2, "pbx-A", "pbx-a", "iid-local01", digest, digest2, guid, strings.ToUpper(guid)),
			Datasource: pick("", "Ec2", "NoCloud", "OpenStack", "LXD"),
			Shared:     pick("", "", "", "shared") != "",
		},
		AssetTag: pick("", "", "", iid, iid2),
		UUID:     pick("", "", guid, guid2, swappedGUID),
		Machine:  identity.MachineID{ID: pick("", hex, hex2), New: pick("", "new") != ""},
	}
}

func TestEveryPairSettles(t *testing.T) {
	const all = 11 * 5 * 4 * 5 * 5 * 3 * 2
	for a := uint32(0); a < all; a += 97 {
		for b := uint32(0); b < all; b += 331 {
			then, now := made(a), made(b)
			d := identity.Decide(then, now)
			if again := identity.Decide(d.Record, now); again.Verdict != identity.Same {
				t.Fatalf("%+v\n%+v\nis %q (%s) again, after %q (%s)\nrecord %+v", then, now, again.Verdict, again.Why, d.Verdict, d.Why, d.Record)
			}
			p := identity.Proven(then, now)
			if p != identity.Proven(now, then) || p && d.Verdict == identity.Another {
				t.Fatalf("%+v\n%+v\nproven: %v, and %q", then, now, p, d.Verdict)
			}
		}
	}
}
