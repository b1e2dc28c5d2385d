package watch

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// What the kernel's table has for the watch (harden/nft/templates/strangers.nft).
const (
	table = "inet fs_harden"
	// acceptedFor is how long a source stays known after the last registration or
	// answered call: a telephone that comes back after a night is no stranger.
	acceptedFor = 24 * time.Hour
	// renewAfter spares the kernel and this program the work of every registration.
	renewAfter = time.Hour
	// watchedFor is how long the limits for strangers stay in force without a sign
	// of life of FreeSWITCH's, which is asked for one every pingEvery.
	watchedFor = 90 * time.Second
	pingEvery  = 20 * time.Second
	// maxAccepted is how many sources are remembered, as many as the kernel's sets
	// hold.
	maxAccepted = 65535
	// perScript is how many elements are told at once: a script is an argument of
	// nft's, of which Linux takes 128 KiB.
	perScript = 500
)

// accepted are the sources that the kernel knows.
type accepted map[netip.Prefix]*acceptance

type acceptance struct {
	told  time.Time // when the kernel was last told
	ofOur time.Time // when it last gave a password that was right
}

// add takes a source in, and reports whether the kernel is to be told. A source is
// one of ours if it has given a password, and not only had a call answered.
func (a accepted) add(source netip.Addr, ours bool, now time.Time) bool {
	key := keyOf(source)
	known := a[key]
	if known == nil {
		if len(a) >= maxAccepted {
			a.prune(now)
		}
		if len(a) >= maxAccepted {
			return false
		}
		known = &acceptance{}
		a[key] = known
	}
	if ours {
		known.ofOur = now
	}
	if now.Sub(known.told) < renewAfter {
		return false
	}
	known.told = now
	return true
}

// knows reports whether a source is no stranger.
func (a accepted) knows(source netip.Addr) bool { return a[keyOf(source)] != nil }

// trusts reports whether telephones of ours are behind a source. A sender's address
// can be forged over UDP, so what is done in their name is not held against them.
func (a accepted) trusts(source netip.Addr, now time.Time) bool {
	known := a[keyOf(source)]
	return known != nil && now.Sub(known.ofOur) < acceptedFor
}

// prune forgets whom the kernel has forgotten too.
func (a accepted) prune(now time.Time) {
	maps.DeleteFunc(a, func(_ netip.Prefix, known *acceptance) bool { return now.Sub(known.told) >= acceptedFor })
}

// keyOf is what the kernel counts as one source: an IPv4 address, or an IPv6 /64.
func keyOf(source netip.Addr) netip.Prefix {
	bits := 32
	if source.Is6() {
		bits = 64
	}
	p, _ := source.Prefix(bits) // it fails for bits out of range only
	return p
}

// acceptScripts tell the kernel of sources, each script a transaction in nft's
// language. An element keeps its first timeout however often it is added, so it
// is taken out in between.
func acceptScripts(sources []netip.Prefix) []string {
	byFamily := map[string][]string{}
	for _, s := range sources {
		set := "accepted_v4"
		if s.Addr().Is6() {
			set = "accepted_v6"
		}
		byFamily[set] = append(byFamily[set], s.Addr().String())
	}
	var out []string
	for _, set := range slices.Sorted(maps.Keys(byFamily)) {
		for some := range slices.Chunk(byFamily[set], perScript) {
			out = append(out, renew(set, some, acceptedFor))
		}
	}
	return out
}

// watchedScript puts the limits for strangers in force. One that keeps them so
// fails where they are not any more: then the table has been loaded anew, without
// the sources that it was told of.
func watchedScript(keeps bool) string {
	script := renew("watched", []string{"tcp", "udp"}, watchedFor)
	if keeps {
		_, script, _ = strings.Cut(script, "\n")
	}
	return script
}

// renew gives elements of a set a new timeout.
func renew(set string, elements []string, d time.Duration) string {
	list := strings.Join(elements, ", ")
	timed := strings.Join(elements, fmt.Sprintf(" timeout %ds, ", int(d.Seconds()))) + fmt.Sprintf(" timeout %ds", int(d.Seconds()))
	return fmt.Sprintf("add element %s %s { %s }\ndelete element %[1]s %[2]s { %[3]s }\nadd element %[1]s %[2]s { %[4]s }\n", table, set, list, timed)
}
