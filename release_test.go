package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/hashicorp/packer-plugin-sdk/plugin"

	"github.com/goldenswitch/packer-plugin-freeswitch/version"
)

// Packer finds a release by the names of its files alone
// (packer/plugin-getter/github in its sources). These are made of the templates
// in .goreleaser.yml.
func TestReleaseNames(t *testing.T) {
	api := fmt.Sprintf("x%s.%s", plugin.APIVersionMajor, plugin.APIVersionMinor)
	release := map[string]any{
		"ProjectName": "packer-plugin-freeswitch", "Version": "1.2.3", "Os": "linux", "Arch": "arm64",
		"Env": map[string]string{"API_VERSION": api},
	}
	var got []string
	for _, m := range found(t, `(?:binary|name_template): "(.+)"`) {
		var name strings.Builder
		if err := template.Must(template.New("").Option("missingkey=error").Parse(m)).Execute(&name, release); err != nil {
			t.Fatal(err)
		}
		got = append(got, name.String())
	}
	binary := "packer-plugin-freeswitch_v1.2.3_" + api + "_linux_arm64"
	if want := []string{binary, binary, "packer-plugin-freeswitch_v1.2.3_SHA256SUMS"}; !slices.Equal(got, want) {
		t.Errorf("binary, archive and sums are named\n%q, not\n%q", got, want)
	}
}

// The linker ignores -X for what is no variable, and a release would tell that
// it is none. This does not compile without the two.
func TestReleaseSetsTheVersion(t *testing.T) {
	_, _ = &version.Version, &version.VersionPrerelease
	const path = "github.com/goldenswitch/packer-plugin-freeswitch/version."
	if got, want := found(t, `-X (\S+)=`), []string{path + "Version", path + "VersionPrerelease"}; !slices.Equal(got, want) {
		t.Errorf("a release sets %q, not %q", got, want)
	}
}

// found are the first groups of what matches in .goreleaser.yml.
func found(t *testing.T, what string) (groups []string) {
	t.Helper()
	config, err := os.ReadFile(".goreleaser.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(what).FindAllStringSubmatch(string(config), -1) {
		groups = append(groups, m[1])
	}
	return groups
}
