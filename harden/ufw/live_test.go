package ufw

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// tables stands in for iptables and ip6tables: it prints what they printed, and
// keeps what it was told to do.
type tables struct {
	lists map[string]string // by command
	fails string
	told  []string
}

func (k *tables) Run(_ context.Context, name string, args ...string) ([]byte, error) {
	command := strings.Join(append([]string{name}, args...), " ")
	if k.fails != "" && strings.Contains(command, k.fails) {
		return nil, errors.New("exit status 1")
	}
	if text, ok := k.lists[command]; ok {
		return []byte(text), nil
	}
	if len(args) > 0 && args[0] == "-S" {
		return nil, fmt.Errorf("%s: no such chain", command)
	}
	k.told = append(k.told, command)
	return nil, nil
}

func (k *tables) host(t *testing.T) *host.Host {
	t.Helper()
	h, err := host.Open("/", k) // nothing here reads or writes a file through it
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func loaded(t *testing.T) *tables {
	t.Helper()
	return &tables{lists: map[string]string{"iptables -S": golden(t, "some.iptables"), "ip6tables -S": golden(t, "some.ip6tables")}}
}

// Both families are asked, and what either lacks is told.
func TestBothFamiliesAreAsked(t *testing.T) {
	t.Parallel()
	if others, err := CheckKernel(t.Context(), loaded(t).host(t), rules(someSources)); err != nil || len(others) > 0 {
		t.Errorf("%q, %v", others, err)
	}
	for _, f := range Families {
		k := loaded(t)
		k.lists[f.iptables+" -S"] = "-P INPUT ACCEPT\n"
		if _, err := CheckKernel(t.Context(), k.host(t), rules(someSources)); err == nil || !strings.Contains(err.Error(), f.iptables+": incoming") {
			t.Errorf("%s was flushed: %v", f.iptables, err)
		}
		k = loaded(t)
		k.fails = f.iptables + " -S"
		if _, err := CheckKernel(t.Context(), k.host(t), rules(someSources)); err == nil || !strings.Contains(err.Error(), "asking the kernel") {
			t.Errorf("%s does not answer: %v", f.iptables, err)
		}
		k = loaded(t)
		k.lists[f.iptables+" -S"] += "-A " + f.chain + "-user-input -p tcp -m tcp --dport 80 -j ACCEPT\n"
		if others, err := CheckKernel(t.Context(), k.host(t), rules(someSources)); err != nil || !slices.Equal(others, []string{"80/tcp"}) {
			t.Errorf("%s: %q, %v", f.iptables, others, err)
		}
	}
	k := loaded(t)
	for _, f := range Families {
		k.lists[f.iptables+" -S"] += "-A " + f.chain + "-user-input -p tcp -m tcp --dport 80 -j ACCEPT\n"
	}
	if others, _ := CheckKernel(t.Context(), k.host(t), rules(someSources)); !slices.Equal(others, []string{"80/tcp"}) {
		t.Errorf("the same is told twice: %q", others)
	}
}

func TestWhatTheKernelHolds(t *testing.T) {
	t.Parallel()
	unhooked := func(name string, f Family) func(*tables) {
		return func(k *tables) { k.lists[name] = without(k.lists[name], "-A INPUT -j "+f.chain+"-before-input") }
	}
	for name, tt := range map[string]struct {
		edit           func(*tables)
		loaded, hooked bool
	}{
		"all":         {func(*tables) {}, true, true},
		"not reached": {unhooked("iptables -S", Families[0]), true, false},
		"not by IPv6": {unhooked("ip6tables -S", Families[1]), true, false},
		"nothing": {func(k *tables) {
			k.lists = map[string]string{"iptables -S": "-P INPUT ACCEPT\n", "ip6tables -S": "-P INPUT ACCEPT\n"}
		}, false, true},
		"no IPv6 there": {func(k *tables) { delete(k.lists, "ip6tables -S") }, true, true},
	} {
		k := loaded(t)
		tt.edit(k)
		if s := Look(t.Context(), k.host(t)); s.loaded != tt.loaded || s.hooked != tt.hooked {
			t.Errorf("%s: loaded %v, hooked %v", name, s.loaded, s.hooked)
		}
	}
}

// UFW's chains go, and nothing that leads elsewhere.
func TestUnhookedChainsAreRemoved(t *testing.T) {
	t.Parallel()
	state := func() State {
		return State{chains: map[string][]string{"iptables": {"ufw-before-input", "ufw-user-input"}}}
	}
	lists := map[string]string{
		"iptables -S INPUT":   "-P INPUT DROP\n-A INPUT -j f2b-sshd\n-A INPUT -j ufw-before-input\n-A INPUT -p tcp -j ufw-user-input\n",
		"iptables -S OUTPUT":  "-P OUTPUT ACCEPT\n",
		"iptables -S FORWARD": "-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n-A FORWARD -j ufw-user-input\n",
	}
	want := []string{
		"iptables -D INPUT -j ufw-before-input", "iptables -D FORWARD -j ufw-user-input",
		"iptables -F ufw-before-input", "iptables -F ufw-user-input", "iptables -X ufw-before-input", "iptables -X ufw-user-input",
	}
	k := &tables{lists: lists}
	if err := state().remove(t.Context(), k.host(t)); err != nil || !slices.Equal(k.told, want) {
		t.Errorf("told %q, %v", k.told, err)
	}
	for _, fails := range []string{"-S OUTPUT", "-D INPUT", "-F ufw-user", "-X ufw-user"} {
		k := &tables{lists: lists, fails: fails}
		if err := state().remove(t.Context(), k.host(t)); err == nil {
			t.Errorf("%s fails, and nobody is told", fails)
		}
	}
}

func TestPoliciesComeBack(t *testing.T) {
	t.Parallel()
	s := State{policies: map[string][]string{"ip6tables": {"INPUT DROP", "FORWARD ACCEPT"}}}
	k := &tables{}
	if err := s.restorePolicies(t.Context(), k.host(t)); err != nil || !slices.Equal(k.told, []string{"ip6tables -P INPUT DROP", "ip6tables -P FORWARD ACCEPT"}) {
		t.Errorf("told %q, %v", k.told, err)
	}
	k = &tables{fails: "-P FORWARD"}
	if err := s.restorePolicies(t.Context(), k.host(t)); err == nil || !strings.Contains(err.Error(), "putting back the policy of FORWARD") {
		t.Error(err)
	}
}

// More ports than one rule takes are two rules, and a port once is once.
func TestPortLists(t *testing.T) {
	t.Parallel()
	var many []uint16
	for i := range 16 {
		many = append(many, uint16(5060+i))
	}
	got := portLists(many)
	if len(got) != 2 || strings.Count(got[0], ",") != 14 || got[1] != "5075" {
		t.Errorf("%q", got)
	}
	if got := portLists(many[:15]); len(got) != 1 {
		t.Errorf("%q", got)
	}
	if several("22") || !several("1:2") || !several("1,2") {
		t.Error("a multiport match where none is needed, or none where one is")
	}
}

// In a family's file are its own rules, and those that name no address.
func TestARuleBelongsToAFamily(t *testing.T) {
	t.Parallel()
	for from, want := range map[string][2]bool{"": {true, true}, "203.0.113.0/24": {true, false}, "2001:db8::/32": {false, true}, "0.0.0.0/0": {true, false}, "::/0": {false, true}} {
		r := Rule{Proto: "udp", Ports: "5060", For: ForSIP}
		if from != "" {
			p, err := parsePrefix(from)
			if err != nil {
				t.Fatal(err)
			}
			r.From = p
		}
		for i, f := range Families {
			if r.in(f) != want[i] {
				t.Errorf("%q in %s: %v", from, f.Rules, r.in(f))
			}
		}
		if open := from == "" || strings.HasSuffix(from, "/0"); open == strings.Contains(r.entry(Families[0]).lines[0], " -s ") {
			t.Errorf("%q: %q", from, r.entry(Families[0]).lines)
		}
	}
}
