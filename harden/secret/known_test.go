package secret_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

// vanilla is FreeSWITCH 1.10.12's own configuration, beside the project.
var vanilla = filepath.Join("..", "..", "..", "shared", "data", "vanilla-conf-1.10.12")

func TestWeakness(t *testing.T) {
	for s, want := range map[string]string{
		"":            "built-in default",
		"1234":        "scanners try first",
		"ClueCon":     "scanners try first",
		"works":       "scanners try first",
		"password":    "scanners try first",
		"9999":        "scanners try first",
		"a":           "shorter than 8",
		"abcdefg":     "shorter than 8",
		"abcdefgh":    "",
		"ClueCon2026": "",
	} {
		if got := secret.Weakness(secret.Of(s)); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("Weakness(%q) = %q, want %q", s, got, want)
		}
	}
	for range 100 {
		if why := secret.Weakness(secret.New()); why != "" {
			t.Fatalf("a secret drawn here is weak: %s", why)
		}
	}
}

// shipped finds the passwords that stand in a file: params, and variables that
// params refer to. What refers to a variable holds no password itself.
var shipped = regexp.MustCompile(`(?i)(?:name="(?:[a-z-]*password|cookie|auth-pass)"\s+value|data)="(?:default(?:_provider)?_password=)?([^"]*)"`)

// Every password that FreeSWITCH ships is weak, wherever it stands.
func TestEveryShippedPasswordIsWeak(t *testing.T) {
	found := map[string]bool{}
	err := filepath.WalkDir(vanilla, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(p) != ".xml" {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for _, line := range strings.Split(string(b), "\n") {
			m := shipped.FindStringSubmatch(line)
			if m == nil || strings.HasPrefix(m[1], "$${") || (strings.Contains(line, "data=") && !strings.Contains(line, "_password=")) ||
				strings.Contains(line, "-key-password") { // opens a certificate's key, and is commented out
				continue
			}
			found[m[1]] = true
			if secret.Weakness(secret.Of(m[1])) == "" {
				t.Errorf("%s ships %q, which is not known as weak", p, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"1234", "ClueCon", "works", "password", "9999", "1000", "1019", "guest", "redis"} {
		if !found[s] {
			t.Errorf("%q was not found in the vanilla files: the test looks past them", s)
		}
	}
}
