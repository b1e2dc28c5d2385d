//go:build linux && acceptance

package acctest

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

var (
	sipLine = regexp.MustCompile(`data="default_password=([^"]*)"`)
	eslLine = regexp.MustCompile(`<param name="password" value="([^"]*)"/>`)
)

// imageSecrets are the values that the image holds.
func imageSecrets(t *testing.T, image *lab.Image) (sip, esl string) {
	t.Helper()
	err := image.View(shop.ctx, func(root string) error {
		sip = found(t, filepath.Join(root, "etc/freeswitch/vars.xml"), sipLine)
		esl = found(t, filepath.Join(root, "etc/freeswitch/autoload_configs/event_socket.conf.xml"), eslLine)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{sip, esl} {
		if len(s) != 28 {
			t.Errorf("the image holds a password of %d characters", len(s))
		}
	}
	return sip, esl
}

func found(t *testing.T, path string, what *regexp.Regexp) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	match := what.FindSubmatch(b)
	if match == nil {
		t.Fatalf("%s has no %s", path, what)
	}
	return string(match[1])
}

func globbed(t *testing.T, root, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
