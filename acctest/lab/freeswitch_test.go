//go:build linux && acceptance

package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFreeSWITCHRuns(t *testing.T) {
	l, ctx := newLab(t)
	debian, err := l.Debian(ctx)
	if err != nil {
		t.Fatal(err)
	}
	image, err := debian.InstallFreeSWITCH(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c := boot(t, ctx, image, "fs")
	if _, err := c.Exec(ctx, "systemctl", "is-active", "freeswitch"); err != nil {
		journal, _ := c.Journal(ctx, "-u", "freeswitch")
		t.Fatalf("%v\n%s", err, journal)
	}
	if got := exec1(t, ctx, c, "fs_cli", "-x", "sofia status"); !strings.Contains(got, "internal") {
		t.Errorf("sofia status says %q", got)
	}
	// Vanilla opens the Event Socket to the network.
	conn, err := l.Dial(ctx, "tcp", c.IPv4.String()+":8021")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// The stand-in plays a FreeSWITCH that was installed from source.
func TestFreeSWITCHFromSourceLayout(t *testing.T) {
	l, ctx := newLab(t)
	prefix := t.TempDir()
	project, err := moduleRoot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := goBuild(ctx, filepath.Join(project, "acctest/standin"), ".", filepath.Join(prefix, "bin/freeswitch")); err != nil {
		t.Fatal(err)
	}
	t.Setenv(FreeSWITCHEnv, prefix)
	debian, err := l.Debian(ctx)
	if err != nil {
		t.Fatal(err)
	}
	image, err := debian.InstallFreeSWITCH(ctx)
	if err != nil {
		t.Fatal(err)
	}
	err = image.View(ctx, func(root string) error {
		vars, err := os.ReadFile(filepath.Join(root, "usr/local/freeswitch/conf/vars.xml"))
		if err != nil {
			return err
		}
		if strings.Contains(string(vars), `"stun-set"`) || !strings.Contains(string(vars), "external_rtp_ip=$${local_ip_v4}") {
			t.Error("vars.xml still asks a STUN server for its address")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
