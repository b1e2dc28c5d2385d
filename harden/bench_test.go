package harden

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// BenchmarkApply is the configuration part of a bake, on the vanilla tree.
func BenchmarkApply(b *testing.B) {
	tr := wholeTree(b)
	for b.Loop() {
		if _, err := tr.runner().Apply(context.Background(), plan.Default(), nil); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if _, err := tr.runner().Rollback(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkApplyConfiguration is the part of a bake that reads and edits
// FreeSWITCH's configuration: no tarball, no helper, no units.
func BenchmarkApplyConfiguration(b *testing.B) {
	tr := wholeTree(b)
	for b.Loop() {
		r := tr.runner()
		r.Steps = slices.DeleteFunc(r.Steps, func(s Step) bool {
			return !slices.Contains([]string{"preflight", "sip-password", "event-socket", "event-socket-access", "log-auth-failures"}, s.Name)
		})
		if _, err := r.Apply(context.Background(), plan.Default(), nil); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if _, err := runRollback(tr); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkFirstBoot makes the secrets of a new instance each time.
func BenchmarkFirstBoot(b *testing.B) {
	tr := wholeTree(b)
	tr.apply()
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		tr.instance(fmt.Sprintf("i-%017x", n))
		b.StartTimer()
		tr.firstboot()
	}
}

// BenchmarkCommitted is every boot after the first, and the gate.
func BenchmarkCommitted(b *testing.B) {
	tr := wholeTree(b)
	tr.apply()
	tr.firstboot()
	for b.Loop() {
		tr.firstboot()
	}
}

// BenchmarkFirstBootOfManyFiles shows how time grows with the tree: the largest
// has 1,000 SIP profiles and 10,000 users. ns/file is to stay level.
func BenchmarkFirstBootOfManyFiles(b *testing.B) {
	for _, scale := range []int{1, 2, 5, 10} {
		profiles, users := 100*scale, 1000*scale
		b.Run(fmt.Sprintf("profiles=%d/users=%d", profiles, users), func(b *testing.B) {
			tr := wholeTree(b)
			grow(tr, profiles, users)
			tr.apply()
			n := 0
			for b.Loop() {
				b.StopTimer()
				n++
				tr.instance(fmt.Sprintf("i-%017x", n))
				b.StartTimer()
				tr.firstboot()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(profiles+users), "ns/file")
		})
	}
}

// BenchmarkApplyToManyFiles is the same of the bake, which edits every profile.
func BenchmarkApplyToManyFiles(b *testing.B) {
	for _, scale := range []int{1, 10} {
		profiles, users := 100*scale, 1000*scale
		b.Run(fmt.Sprintf("profiles=%d/users=%d", profiles, users), func(b *testing.B) {
			tr := wholeTree(b)
			grow(tr, profiles, users)
			for b.Loop() {
				tr.apply()
				b.StopTimer()
				if _, err := runRollback(tr); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(profiles+users), "ns/file")
		})
	}
}

func runRollback(tr tree) (*report.Report, error) { return tr.runner().Rollback(context.Background()) }

// grow adds SIP profiles and users as a hosting site has them.
func grow(tr tree, profiles, users int) {
	tr.t.Helper()
	for i := range profiles {
		tr.write(fmt.Sprintf("/etc/freeswitch/sip_profiles/customer%04d.xml", i), strings.Replace(siteProfile, `"site"`, fmt.Sprintf(`"customer%04d"`, i), 1))
	}
	user, err := os.ReadFile(vanilla + "/directory/default/1000.xml")
	if err != nil {
		tr.t.Fatal(err)
	}
	for i := range users {
		tr.write(fmt.Sprintf("/etc/freeswitch/directory/default/2%05d.xml", i), strings.ReplaceAll(string(user), "1000", fmt.Sprintf("2%05d", i)))
	}
}
