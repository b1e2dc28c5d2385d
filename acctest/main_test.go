//go:build linux && acceptance

// Package acctest bakes and boots real machines. Run it with `make testacc`.
package acctest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/bakery"
	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// shop is what all tests share: baking once and booting often.
var shop struct {
	*bakery.Bakery
	ctx context.Context

	once   sync.Once
	image  *lab.Image
	output string // of Packer
	report []byte
	err    error
}

// wholeRun bounds all of it; CI has 90 minutes for everything.
const wholeRun = 60 * time.Minute

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if len(lab.Missing()) > 0 {
		return m.Run() // each test says what is missing, and fails under CI
	}
	ctx, cancel := context.WithTimeout(context.Background(), wholeRun)
	defer cancel()
	l, err := lab.New(ctx, func(format string, args ...any) {
		fmt.Printf("    lab: "+format+"\n", args...)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := l.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "closing the lab:", err)
		}
	}()
	project, err := filepath.Abs("..")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if shop.Bakery, err = bakery.Open(ctx, l, project, ""); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shop.ctx = ctx
	return m.Run()
}

// baked is the image that Packer made of a vanilla FreeSWITCH, baked once.
func baked(t *testing.T) *lab.Image {
	t.Helper()
	lab.Require(t)
	shop.once.Do(func() { shop.err = bake(t) })
	if shop.err != nil {
		t.Fatalf("baking: %v", shop.err)
	}
	return shop.image
}

func bake(t *testing.T) error {
	dir, err := os.MkdirTemp("", "bake")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, err := shop.Machine(shop.ctx, "builder")
	if err != nil {
		return err
	}
	report := filepath.Join(dir, "report.json")
	if shop.output, err = shop.Bake(shop.ctx, c, report); err != nil {
		return err
	}
	if shop.report, err = os.ReadFile(report); err != nil {
		return err
	}
	// A later provisioner may restart FreeSWITCH: no secret is made of that.
	if _, err := c.Exec(shop.ctx, "systemctl", "restart", "freeswitch"); err == nil {
		t.Error("FreeSWITCH could be started in the machine that was being baked")
	}
	if _, err := c.Exec(shop.ctx, "test", "!", "-e", "/var/lib/fs-harden/committed.json"); err != nil {
		t.Error("secrets were made in the machine that was being baked")
	}
	shop.image, err = bakery.Image(shop.ctx, c, "baked")
	return err
}

// undefended is a Debian 12 with FreeSWITCH and the defence's packages, nothing
// set up.
func undefended(t *testing.T) *lab.Image {
	t.Helper()
	return undefendedOn(t, lab.Bookworm)
}

// undefendedOn is undefended on a release.
func undefendedOn(t *testing.T, release lab.Release) *lab.Image {
	t.Helper()
	lab.Require(t)
	image, err := shop.Undefended(shop.ctx, release)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// machine is an instance under test.
type machine struct {
	lab.Machine
	t *testing.T
}

// boot starts an instance of the image and waits until its boot has finished.
func boot(t *testing.T, image *lab.Image, name string, options lab.BootOptions) machine {
	t.Helper()
	c, err := image.Boot(shop.ctx, name, options)
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
	return m
}

func (m machine) waitBoot() {
	m.t.Helper()
	if _, err := m.WaitBoot(shop.ctx); err != nil {
		m.t.Fatalf("%v\nconsole:\n%s", err, m.Console())
	}
}

// run runs a command that is to succeed, and gives its output.
func (m machine) run(argv ...string) string {
	m.t.Helper()
	out, err := m.Exec(shop.ctx, argv...)
	if err != nil {
		m.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// sh is run with a shell.
func (m machine) sh(script string) string {
	m.t.Helper()
	return m.run("sh", "-c", script)
}

// fails runs a command that is to fail, and gives what it printed.
func (m machine) fails(argv ...string) string {
	m.t.Helper()
	out, err := m.Exec(shop.ctx, append([]string{"sh", "-c", `exec "$@" 2>&1`, "fails"}, argv...)...)
	if err == nil {
		m.t.Errorf("%s succeeded: %s", strings.Join(argv, " "), out)
	}
	return out
}

// secrets are the passwords in the credentials file.
func (m machine) secrets() (sip, esl string) {
	m.t.Helper()
	for line := range strings.Lines(m.run("cat", "/root/freeswitch-credentials.txt")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		switch name {
		case "sip_default_password":
			sip = value
		case "event_socket_password":
			esl = value
		}
	}
	if len(sip) != 28 || len(esl) != 28 {
		m.t.Fatal("the credentials file does not hold two secrets of 28 characters")
	}
	return sip, esl
}

// property is one of a unit's, as systemctl show has it.
func (m machine) property(unit, name string) string {
	m.t.Helper()
	return m.run("systemctl", "show", "--value", "-p", name, unit)
}

// container is the machine where it is one.
func (m machine) container() *lab.Container {
	m.t.Helper()
	c, ok := m.Machine.(*lab.Container)
	if !ok {
		m.t.Fatalf("%s is not a container", m.Name())
	}
	return c
}
