package harden

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// traces are what a FreeSWITCH that ran leaves, and what no image may hold.
var traces = map[string]string{
	"/etc/freeswitch/tls/wss.pem":                                     aKey,
	"/etc/freeswitch/tls/dtls-srtp.pem":                               aKey,
	"/var/log/freeswitch/freeswitch.log":                              "2026-11-22 22:00:00 [INFO] caller 15551234567\n",
	"/var/log/freeswitch/freeswitch.log.1":                            "older\n",
	"/var/log/freeswitch/freeswitch.xml.fsxml":                        "<document>ClueCon</document>\n",
	"/var/log/freeswitch/cdr-csv/Master.csv":                          "15551234567\n",
	"/var/lib/freeswitch/db/core.db":                                  "SQLite format 3\x00registration of 15551234567",
	"/var/lib/freeswitch/db/core.db-wal":                              "wal",
	"/etc/freeswitch/autoload_configs/.x.xml.fs-harden-tmp-ABCDEFGHI": "half\n",
	"/var/lib/freeswitch/db/core.42":                                  coreDump,
	"/var/lib/systemd/coredump/core.freeswitch.0.b.42.1.zst":          "packed",
}

// coreDump begins as one does (elf(5)).
const coreDump = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00 ClueCon"

const aKey = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n-----END PRIVATE KEY-----\n"

// issued is a certificate that an authority has signed, with its key.
const issued = "/etc/freeswitch/tls/agent.pem"

// usedTree is a machine on which FreeSWITCH ran before it is baked.
func usedTree(t *testing.T) tree {
	t.Helper()
	tr := newTree(t)
	for p, text := range traces {
		tr.write(p, text)
	}
	tr.write(issued, issuedPair(t))
	if err := os.Chmod(tr.path("/etc/freeswitch/tls/wss.pem"), 0o640); err != nil {
		t.Fatal(err)
	}
	return tr
}

func issuedPair(t *testing.T) string {
	t.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "pbx.example.com"}, NotAfter: time.Now().Add(time.Hour)}
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority"}}
	der, err := x509.CreateCertificate(nil, leaf, authority, public, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

func (tr tree) has(path string) bool {
	_, err := os.Lstat(tr.path(path))
	return err == nil
}

// bakeWith runs the bake with a plan that differs from the default.
func (tr tree) bakeWith(change func(*plan.Plan)) (*report.Report, error) {
	tr.t.Helper()
	p := plan.Default()
	p.AdminUsers = []string{"admin"}
	change(p)
	return tr.runner().Apply(context.Background(), p, nil)
}

func stepOf(t *testing.T, rep *report.Report, name string) report.Step {
	t.Helper()
	i := slices.IndexFunc(rep.Steps, func(s report.Step) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("the report has no step %s", name)
	}
	return rep.Steps[i]
}

func TestTheImageHoldsNothingOfTheBuild(t *testing.T) {
	t.Parallel()
	tr := usedTree(t)
	rep := tr.apply()
	for p := range traces {
		if tr.has(p) {
			t.Errorf("%s is in the image", p)
		}
	}
	for _, p := range []string{issued, "/var/log/freeswitch/cdr-csv", "/var/lib/freeswitch/db"} {
		if !tr.has(p) {
			t.Errorf("%s is gone", p)
		}
	}
	st := stepOf(t, rep, "image")
	if len(st.Checks) != 1 || st.Checks[0].Status != report.Pass {
		t.Errorf("checks: %+v", st.Checks)
	}
	for p := range traces {
		if !slices.ContainsFunc(st.Changes, func(c report.Change) bool { return strings.HasPrefix(p, c.Path) }) {
			t.Errorf("the report does not tell that %s is removed", p)
		}
	}
	if i := slices.IndexFunc(st.Findings, func(f report.Finding) bool { return f.Path == issued }); i < 0 || st.Findings[i].Severity != report.Warning {
		t.Errorf("the operator's own certificate is not told: %+v", st.Findings)
	}
	tr.noAsides()
	for p, text := range tr.snapshot() {
		if p != issued && strings.Contains(text, aKey[30:60]) {
			t.Errorf("%s holds the key", p)
		}
	}
	checkTarball(t, tr)
	if rep, err := tr.runner().Inspect(context.Background(), false); err != nil {
		t.Errorf("inspect: %v\n%+v", err, rep.Steps)
	}

	before := tr.snapshot()
	rep = tr.apply()
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("the second apply: %s", d)
	}
	for _, st := range rep.Steps {
		if st.Status == report.Changed {
			t.Errorf("the second apply: step %s says changed: %+v", st.Name, st.Changes)
		}
	}
}

// The backup unpacks to its end and holds the configuration, but no key.
func checkTarball(t *testing.T, tr tree) {
	t.Helper()
	paths, err := filepath.Glob(tr.path("/root/freeswitch-config-backup-*.tgz"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("backups: %v %v", paths, err)
	}
	b, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(text)
	}
	if original, err := os.ReadFile(filepath.Join(vanilla, "vars.xml")); err != nil || files["freeswitch/vars.xml"] != string(original) {
		t.Errorf("vars.xml in the backup has %d bytes, %v", len(files["freeswitch/vars.xml"]), err)
	}
	for name, text := range files {
		if strings.Contains(text, "PRIVATE KEY") {
			t.Errorf("%s in the backup holds a private key", name)
		}
	}
}

func TestADryRunOfAUsedMachine(t *testing.T) {
	t.Parallel()
	tr := usedTree(t)
	before := tr.snapshot()
	var diff bytes.Buffer
	if _, err := tr.runner().Apply(context.Background(), plan.Default(), &diff); err != nil {
		t.Fatal(err)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("touched: %s", d)
	}
	for p := range traces {
		if !strings.Contains(diff.String(), "removed for good: "+p) {
			t.Errorf("the diff does not tell of %s", p)
		}
	}
	for _, secret := range []string{"PRIVATE KEY", "15551234567", "ClueCon"} {
		if strings.Contains(diff.String(), secret) {
			t.Errorf("the diff shows %q", secret)
		}
	}
}

// Whatever fails once it is removed, all of it is back, and the same file.
func TestABakeThatFailsGivesBackWhatItRemoved(t *testing.T) {
	for _, step := range []string{"image", "record"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			tr := usedTree(t)
			if os.Geteuid() == 0 {
				if err := os.Chown(tr.path("/var/lib/freeswitch/db/core.db"), 1234, 1234); err != nil {
					t.Fatal(err)
				}
			}
			before, db := tr.snapshot(), tr.stat("/var/lib/freeswitch/db/core.db")
			failAt(tr, step)
			if d := differences(before, tr.snapshot()); len(d) > 0 {
				t.Errorf("not as before: %s", d)
			}
			if !os.SameFile(db, tr.stat("/var/lib/freeswitch/db/core.db")) {
				t.Error("the database is a copy: its owner may be another")
			}
		})
	}
}

func TestARollbackDoesNotBringBackWhatTheImageMustNotHold(t *testing.T) {
	t.Parallel()
	tr := usedTree(t)
	before := tr.snapshot()
	tr.apply()
	if _, err := tr.runner().Rollback(context.Background()); err != nil {
		t.Fatal(err)
	}
	for p := range traces {
		delete(before, p)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("rollback left: %s", d)
	}
}

// Packer boots an instance of a hardened image and makes another image of it.
func TestAnImageOfAnInstance(t *testing.T) {
	t.Parallel()
	tr := usedTree(t)
	tr.apply()
	tr.firstboot()
	mustRun(tr, report.Rotate)
	sip, esl := tr.secrets()
	tr.write(state.Dir+"/report-of-another-version.json", "{}")
	rep := tr.apply()
	imageSIP, imageESL := tr.secrets()
	for _, s := range []string{imageSIP, imageESL} {
		if why := secret.Weakness(secret.Of(s)); why != "" || s == sip || s == esl {
			t.Errorf("a secret of the image is the instance's, or weak: %s", why)
		}
	}
	for _, p := range []string{
		credentialsPath, cliGlobal, "/home/admin/" + cliUser, state.CommittedPath,
		reportPath(report.FirstBoot), reportPath(report.Rotate), state.Dir + "/report-of-another-version.json",
	} {
		if tr.has(p) {
			t.Errorf("%s is in the image", p)
		}
	}
	for p, text := range tr.snapshot() {
		if strings.Contains(text, sip) || strings.Contains(text, esl) {
			t.Errorf("%s holds a secret of the instance", p)
		}
	}
	if st := stepOf(t, rep, "backup"); st.Status != report.Skipped {
		t.Errorf("backup: %+v", st)
	}
	checkTarball(t, tr)
	if rec, err := state.ReadBaked(tr.runner().Host); err != nil || !tr.has(rec.Backup) {
		t.Errorf("the record names the backup %+v, %v", rec, err)
	}
	if err := tr.runner().Gate(context.Background()); err == nil {
		t.Error("FreeSWITCH may start before the image's instance has secrets")
	}
	before := tr.snapshot()
	tr.apply()
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("the second apply: %s", d)
	}

	tr.firstboot() // even with the identity of the instance that it was made of
	if s, e := tr.secrets(); slices.Contains([]string{sip, esl, imageSIP, imageESL}, s) || slices.Contains([]string{sip, esl, imageSIP, imageESL}, e) {
		t.Error("an instance of the derived image has no secrets of its own")
	}
	if rep, err := tr.runner().Verify(context.Background()); err != nil {
		t.Errorf("verify: %v\n%+v", err, rep)
	}
}

// The value in the file, and whether a bake keeps it.
func TestTheSecretThatABakeSets(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	sip := func(d state.Digests) secret.Digest { return d.SIP }
	instances, images, fresh := secret.Of("instances0123456789"), secret.Of("images0123456789"), secret.Of("fresh0123456789")
	baked := state.Baked{Digests: state.Digests{SIP: secret.NewDigest(images), ESL: secret.NewDigest(images)}}
	committed := state.Committed{Digests: state.Digests{SIP: secret.NewDigest(instances), ESL: secret.NewDigest(instances)}}
	tr.write(state.BakedPath, string(baked.Node().Data))
	for _, c := range []struct {
		name          string
		current, want secret.Value
		instance      bool // an image is to be made of an instance
	}{
		{"an instance's, its own", instances, fresh, true},
		{"an instance's, the image's", images, fresh, true},
		{"an instance's, vanilla's", secret.Of("1234"), fresh, true},
		{"no instance's, the image's", images, images, false},
		{"no instance's, another", instances, fresh, false},
		{"no instance's, vanilla's", secret.Of("1234"), fresh, false},
	} {
		tr.remove(state.CommittedPath)
		if c.instance {
			tr.write(state.CommittedPath, string(committed.Node().Data))
		}
		m := &Machine{View: host.NewView(tr.runner().Host), Phase: report.Bake, Image: true}
		got, err := target(m, fresh, c.current, sip)
		if err != nil || got.Reveal() != c.want.Reveal() {
			t.Errorf("%s: got another value, %v", c.name, err)
		}
	}
}

func TestAMachineInServiceIsNotCleaned(t *testing.T) {
	t.Parallel()
	tr := usedTree(t)
	m := &Machine{View: host.NewView(tr.runner().Host), Plan: plan.Default(), Phase: report.Bake, ConfDir: "/etc/freeswitch"}
	for _, propose := range []func(context.Context, *Machine) (Proposal, error){halt, image} {
		p, err := propose(context.Background(), m)
		if err != nil || p.Status != report.Skipped || !strings.Contains(p.Reason, "--image") || len(p.Changes)+len(p.Actions) > 0 {
			t.Errorf("got %+v, %v", p, err)
		}
	}
	if found, checks := inspectImage(context.Background(), m); len(found)+len(checks) > 0 {
		t.Errorf("inspected: %+v %+v", found, checks)
	}
}

func TestStrictImage(t *testing.T) {
	t.Parallel()
	tr := usedTree(t)
	before := tr.snapshot()
	rep, err := tr.bakeWith(func(p *plan.Plan) { p.StrictImage = true })
	if !errors.Is(err, ErrCheck) || !strings.Contains(err.Error(), "not fit to be an image") {
		t.Fatalf("error %v", err)
	}
	st := stepOf(t, rep, "image")
	for _, f := range st.Findings {
		if f.Severity != report.Error {
			t.Errorf("still a warning: %+v", f)
		}
	}
	if len(st.Findings) == 0 {
		t.Error("vanilla without a finding")
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("not put back: %s", d)
	}
}

// What nobody may remove by himself fails the build, and says what to do.
func TestAnErrorThatStandsFailsTheBake(t *testing.T) {
	t.Parallel()
	tr := usedTree(t)
	tr.write("/etc/freeswitch/tls/bundle.pem", strings.Repeat("x", 2<<20))
	_, err := tr.bakeWith(func(*plan.Plan) {})
	if !errors.Is(err, ErrCheck) || !strings.Contains(err.Error(), "/etc/freeswitch/tls/bundle.pem") || !strings.Contains(err.Error(), "; rm ") {
		t.Errorf("error %v", err)
	}
	if !tr.has("/etc/freeswitch/tls/wss.pem") || tr.has(state.BakedPath) {
		t.Error("not everything was put back")
	}
}

func TestCleanupSystem(t *testing.T) {
	goes := map[string]string{
		"/var/lib/systemd/random-seed":                   "seed",
		"/var/lib/systemd/credential.secret":             "secret",
		"/root/.bash_history":                            "mysql -p hunter2\n",
		"/home/admin/.bash_history":                      "ls\n",
		"/var/lib/cloud/instances/i-1/user-data.txt":     "#cloud-config\npassword: hunter2\n",
		"/var/lib/cloud/instances/i-1/sem/config_users":  "",
		"/var/lib/cloud/data/instance-id":                "i-1\n",
		"/var/lib/systemd/coredump/core.sh.0.b.42.1.zst": "packed",
		"/var/crash/202611252200/dump.202611252200":      "kernel",
		"/var/log/cloud-init-output.log":                 "password: hunter2\n",
		"/home/admin/.local/state/python_history":        "login('hunter2')\n",
		"/core": coreDump,
	}
	stays := map[string]string{
		"/etc/ssh/ssh_host_ed25519_key":    "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n",
		"/home/admin/.ssh/authorized_keys": "ssh-ed25519 AAAA packer\n",
		"/etc/sudoers.d/packer":            "packer ALL=(ALL) NOPASSWD: ALL\n",
		"/var/log/auth.log":                "Accepted publickey for packer\n",
		"/var/log/installer/questions.dat": "Value: hunter2\n",
		"/etc/apt/auth.conf.d/fs.conf":     "machine freeswitch.signalwire.com login signalwire password hunter2\n",
	}
	for name, cleanup := range map[string]bool{"asked for": true, "by default": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			for p, text := range goes {
				tr.write(p, text)
			}
			for p, text := range stays {
				tr.write(p, text)
			}
			uid, gid := adminID()
			for _, p := range []string{"/home/admin/.local", "/home/admin/.local/state", "/home/admin/.local/state/python_history"} {
				if err := os.Chown(tr.path(p), uid, gid); err != nil {
					t.Fatal(err)
				}
			}
			tr.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
			if os.Geteuid() == 0 { // as Ubuntu has it: rsyslog's
				if err := errors.Join(os.Chown(tr.path("/var/log"), 0, 102), os.Chmod(tr.path("/var/log"), 0o775), os.Chown(tr.path("/var/log/cloud-init-output.log"), 102, 4)); err != nil {
					t.Fatal(err)
				}
			}
			rep, err := tr.bakeWith(func(p *plan.Plan) { p.CleanupSystem = cleanup })
			if err != nil {
				t.Fatal(err)
			}
			for p := range goes {
				if tr.has(p) == cleanup {
					t.Errorf("%s is there: %t", p, !cleanup)
				}
			}
			for p := range stays {
				if !tr.has(p) {
					t.Errorf("%s is gone, which Packer still needs", p)
				}
			}
			if id := tr.read("/etc/machine-id"); (id == "") != cleanup {
				t.Errorf("machine-id holds %q", id)
			}
			st := stepOf(t, rep, "image")
			warned := func(p string) bool {
				return slices.ContainsFunc(st.Findings, func(f report.Finding) bool { return f.Path == p && f.Severity == report.Warning })
			}
			if !warned("/etc/ssh/ssh_host_ed25519_key") || !warned("/home/admin/.ssh/authorized_keys") || warned("/etc/machine-id") == cleanup {
				t.Errorf("findings: %+v", st.Findings)
			}
			if told := slices.ContainsFunc(st.Changes, func(c report.Change) bool { return c.Path == "/etc/machine-id" && c.Action == "empty" }); told != cleanup {
				t.Errorf("changes: %+v", st.Changes)
			}
		})
	}
}
