package inspect

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// The list is edited by hand, and a line that is not understood would be left out.
func TestTheListOfAdvisoriesIsWellFormed(t *testing.T) {
	all, looked := readAdvisories()
	if _, err := time.Parse(time.DateOnly, looked); err != nil {
		t.Errorf("looked: %v", err)
	}
	lines := 0
	for l := range strings.Lines(advisoryList) {
		if strings.TrimSpace(l) != "" && l[0] != '#' {
			lines++
		}
	}
	if len(all) != lines-1 {
		t.Errorf("%d of %d lines are understood", len(all), lines-1)
	}
	var seen []string
	for _, a := range all {
		if !slices.Contains([]string{"fixed", "told", "until"}, a.kind) || a.release.before || len(a.cves) == 0 {
			t.Errorf("%+v", a)
		}
		for _, cve := range a.cves {
			year, number, ok := strings.Cut(strings.TrimPrefix(cve, "CVE-"), "-")
			if !ok || len(year) != 4 || len(number) < 4 || strings.Trim(year+number, "0123456789") != "" || slices.Contains(seen, cve) {
				t.Errorf("%s is none, or stands there twice", cve)
			}
			seen = append(seen, cve)
		}
	}
}

// Who is named by what: each row is on one side of a release that closes some.
func TestWhichAdvisoriesNameAVersion(t *testing.T) {
	const newest, told = "CVE-2026-116779", "1.11.3 is the first release that none of them names, which is told of CVE-2026-116779 and was not verified"
	for _, c := range []struct {
		version  string
		named    []string
		notNamed []string
		cves     int
	}{
		{"1.11.3~release~1-0a~bookworm-1", nil, nil, 0},
		{"1.11.4-dev", nil, nil, 0},
		{"1.12.0-1", nil, nil, 0},
		{"1.11.3~dev~1-0a~bookworm-1", []string{newest}, []string{"CVE-2026-116574"}, 1},
		{"1.11.2-1", []string{newest}, []string{"CVE-2026-116574"}, 1},
		{"1.11.1-1", []string{newest, "CVE-2026-116790"}, []string{"CVE-2026-49848"}, 5},
		{"1.11.0-1", []string{"CVE-2026-49848"}, []string{"CVE-2026-49472"}, 11},
		{"1.10.12~release~10-a88d069d6f~bookworm-1", []string{newest, "CVE-2026-49472", "CVE-2026-45771"}, []string{"CVE-2023-51443"}, 13},
		{"1.10.11-1", nil, []string{"CVE-2023-51443"}, 13},
		{"1.10.10-1", []string{"CVE-2023-51443"}, []string{"CVE-2023-40018"}, 14},
		{"1.10.9-1", []string{"CVE-2023-40019"}, []string{"CVE-2021-41105"}, 16},
		{"1.10.7~release~19~883d2cb662~buster-1~buster+1", nil, []string{"CVE-2021-37624"}, 16},
		{"1.10.6-1", []string{"CVE-2021-41158"}, []string{"CVE-2019-19492"}, 21},
		{"1.10.2-1", nil, []string{"CVE-2019-19492"}, 21},
		{"1.10.1-1", []string{"CVE-2019-19492"}, nil, 22},
		{"1.6.20-1~stretch+1", []string{"CVE-2019-19492"}, nil, 22},
	} {
		t.Run(c.version, func(t *testing.T) {
			s := sceneOf(t, map[string]string{dpkgStatus: "Package: freeswitch\nStatus: install ok installed\nVersion: " + c.version + "\n"})
			advisories(s)
			if c.cves == 0 {
				if len(s.found) > 0 {
					t.Errorf("found %+v", s.found[0])
				}
				return
			}
			if len(s.found) != 1 {
				t.Fatalf("%d findings", len(s.found))
			}
			f := s.found[0]
			list, rest, _ := strings.Cut(f.Why, "; ")
			if f.Owner != Known || !strings.HasPrefix(f.Why, "freeswitch "+c.version+" is installed") || rest != told || f.Remedy != "install FreeSWITCH 1.11.3 or later" {
				t.Errorf("%+v", f)
			}
			if n := strings.Count(list, "CVE-"); n != c.cves {
				t.Errorf("%d advisories: %s", n, list)
			}
			for _, cve := range c.named {
				if !strings.Contains(list+",", cve+",") {
					t.Errorf("%s is not named", cve)
				}
			}
			for _, cve := range c.notNamed {
				if strings.Contains(list, cve) {
					t.Errorf("%s is named", cve)
				}
			}
		})
	}
}

// What the list does not know, no text claims.
func TestOnlyWhatIsToldIsCalledSo(t *testing.T) {
	defer func(list string) { advisoryList = list }(advisoryList)
	advisoryList = "looked 2026-01-02\nfixed 1.11.4 CVE-2026-0001\nfixed 1.11.2 CVE-2026-0002\nuntil 1.11.0 CVE-2026-0003\n"
	s := sceneOf(t, map[string]string{dpkgStatus: "Package: freeswitch\nStatus: install ok installed\nVersion: 1.11.0\n"})
	advisories(s)
	const want = "freeswitch 1.11.0 is installed, and of the advisories known on 2026-01-02 these name it: CVE-2026-0001, CVE-2026-0002, CVE-2026-0003; 1.11.4 is the first release that none of them names"
	if len(s.found) != 1 || s.found[0].Why != want {
		t.Errorf("got %+v", s.found)
	}
}
