package fsxml

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// large is the vanilla configuration with many more profiles and users.
func large(t testing.TB, profiles, users int) files {
	tree := vanilla(t)
	internal := tree[conf+"/sip_profiles/internal.xml"]
	for i := range profiles {
		name := fmt.Sprintf("p%d", i)
		tree[conf+"/sip_profiles/"+name+".xml"] = strings.Replace(internal, `<profile name="internal">`, `<profile name="`+name+`">`, 1)
	}
	user := tree[conf+"/directory/default/1000.xml"]
	for i := range users {
		id := fmt.Sprint(100000 + i)
		tree[conf+"/directory/default/"+id+".xml"] = strings.ReplaceAll(user, "1000", id)
	}
	return tree
}

func BenchmarkLoadVanilla(b *testing.B) {
	src := vanilla(b)
	b.ReportAllocs()
	for b.Loop() {
		load(b, src)
	}
	b.ReportMetric(float64(live(func() any { return load(b, src) }))/1e6, "MB-live")
}

func BenchmarkEditVanilla(b *testing.B) {
	src := vanilla(b)
	b.ReportAllocs()
	for b.Loop() {
		e := load(b, src).Edit()
		for _, name := range e.c.Profiles() {
			ok(b, e.SetParam(Profile(name), "log-auth-failures", "true"))
		}
		ok(b, e.SetParam(EventSocket(), "password", "s3cret"))
		ok(b, e.SetVar("default_password", "s3cret"))
		if _, err := e.Changes(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEditLarge changes 1000 profiles and 10,000 users in one batch, and
// a tenth of it: the times must be about ten to one.
func BenchmarkEditLarge(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%d profiles, %d users", n, 10*n), func(b *testing.B) {
			src := large(b, n, 10*n)
			b.ReportAllocs()
			for b.Loop() {
				if changed := editLarge(b, src, 10*n); changed < 11*n {
					b.Fatalf("%d files changed", changed)
				}
			}
			b.ReportMetric(float64(live(func() any { return load(b, src) }))/1e6, "MB-live")
		})
	}
}

func editLarge(b *testing.B, src Source, users int) int {
	e := load(b, src).Edit()
	for _, name := range e.c.Profiles() {
		ok(b, e.SetParam(Profile(name), "log-auth-failures", "true"))
		ok(b, e.SetParam(Profile(name), "enable-chat", "false"))
	}
	for i := range users {
		place := Place(fmt.Sprintf("section[directory]/domain/groups/group[default]/users/user[%d]/params", 100000+i))
		ok(b, e.SetParam(place, "vm-password", "s3cret"))
	}
	changes, err := e.Changes()
	if err != nil {
		b.Fatal(err)
	}
	return len(changes)
}

// live returns the bytes that stay in use for what f returns.
func live(f func() any) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return after.HeapAlloc - before.HeapAlloc
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Whoever writes the configuration may put as many elements on one line as he likes.
func BenchmarkWithout(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c, err := Parse("/a.xml", []byte("<settings>"+strings.Repeat(`<param by="us"/>`, n)+"</settings>"))
			if err != nil {
				b.Fatal(err)
			}
			gone := ours(c)
			for b.Loop() {
				if _, changes, err := c.Without(gone); err != nil || len(changes) != 1 {
					b.Fatal(err)
				}
			}
		})
	}
}
