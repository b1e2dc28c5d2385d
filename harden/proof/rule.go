package proof

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/nft"
)

// banRule is a rule of the kernel that drops what an address sends, whatever
// the protocol and the port, and that packets reach.
type banRule struct {
	where   string
	packets int
}

// findBan looks for it where the ban action puts it. What would stop TCP
// only, or what nothing leads to, does not count.
func findBan(ctx context.Context, m Machine, a netip.Addr) (banRule, error) {
	if m.Table {
		out, err := m.Host.Run(ctx, nft.Program, "-j", "list", "table", "inet", nft.Table)
		if err != nil {
			return banRule{}, err
		}
		return banInTable(out, a)
	}
	command := "iptables-save"
	if a.Is6() {
		command = "ip6tables-save"
	}
	out, err := m.Host.Run(ctx, command, "-c", "-t", "filter")
	if err != nil {
		return banRule{}, err
	}
	return banInChains(string(out), a)
}

// nftListing is "nft -j list table" (libnftables-json(5)), as far as it is read.
type nftListing struct {
	Nftables []struct {
		Chain *struct{ Name, Hook string }
		Set   *struct {
			Name string
			Elem []json.RawMessage
		}
		Counter *struct {
			Name    string
			Packets int
		}
		Rule *struct {
			Chain string
			Expr  []map[string]json.RawMessage
		}
	}
}

func banInTable(listing []byte, a netip.Addr) (banRule, error) {
	var l nftListing
	if err := json.Unmarshal(listing, &l); err != nil {
		return banRule{}, fmt.Errorf("reading what nft prints: %w", err)
	}
	holds, counted, hooked := map[string]bool{}, map[string]int{}, map[string]string{}
	for _, o := range l.Nftables {
		switch {
		case o.Set != nil:
			for _, e := range o.Set.Elem {
				holds[o.Set.Name] = holds[o.Set.Name] || elementIs(e, a)
			}
		case o.Counter != nil:
			counted[o.Counter.Name] = o.Counter.Packets
		case o.Chain != nil:
			hooked[o.Chain.Name] = o.Chain.Hook
		}
	}
	for _, o := range l.Nftables {
		if o.Rule == nil {
			continue
		}
		set, packets, ok := dropsSet(o.Rule.Expr, counted)
		if !ok || !holds[set] {
			continue
		}
		if h := hooked[o.Rule.Chain]; h != "input" && h != "prerouting" {
			return banRule{}, fmt.Errorf("no packet reaches the chain %s of the table inet %s", o.Rule.Chain, nft.Table)
		}
		return banRule{"the set " + set + " of the table inet " + nft.Table, packets}, nil
	}
	return banRule{}, fmt.Errorf("no rule of the table inet %s drops %s for every protocol", nft.Table, a)
}

// elementIs reads a set's element: an address, or one with its timeout.
func elementIs(raw json.RawMessage, a netip.Addr) bool {
	var plain string
	if json.Unmarshal(raw, &plain) == nil {
		got, err := netip.ParseAddr(plain)
		return err == nil && got == a
	}
	var timed struct{ Elem struct{ Val json.RawMessage } }
	return json.Unmarshal(raw, &timed) == nil && len(timed.Elem.Val) > 0 && elementIs(timed.Elem.Val, a)
}

// dropsSet reads a rule that drops whom a set holds and asks nothing else of a
// packet: no protocol, no port.
func dropsSet(expr []map[string]json.RawMessage, counted map[string]int) (set string, packets int, ok bool) {
	drops := false
	for _, statement := range expr {
		for kind, raw := range statement {
			switch kind {
			case "match":
				var match struct {
					Left  struct{ Payload struct{ Field string } }
					Right string
				}
				if json.Unmarshal(raw, &match) != nil || match.Left.Payload.Field != "saddr" || set != "" {
					return "", 0, false
				}
				if set, ok = strings.CutPrefix(match.Right, "@"); !ok {
					return "", 0, false
				}
			case "counter":
				var name string
				var own struct{ Packets int }
				if json.Unmarshal(raw, &name) == nil {
					packets = counted[name]
				} else if json.Unmarshal(raw, &own) == nil {
					packets = own.Packets
				}
			case "drop", "reject":
				drops = true
			default:
				return "", 0, false
			}
		}
	}
	return set, packets, drops && set != ""
}

// savedRule reads a line of iptables-save -c: [PACKETS:BYTES] -A CHAIN RULE.
func savedRule(line string) (packets int, chain, rule string, ok bool) {
	counted, line, ok1 := strings.Cut(strings.TrimSuffix(line, "\n"), "] -A ")
	chain, rule, ok2 := strings.Cut(line, " ")
	before, _, ok3 := strings.Cut(strings.TrimPrefix(counted, "["), ":")
	packets, err := strconv.Atoi(before)
	return packets, chain, rule, ok1 && ok2 && ok3 && err == nil
}

func banInChains(listing string, a netip.Addr) (banRule, error) {
	want := "-s " + netip.PrefixFrom(a, a.BitLen()).String() + " "
	hooked := map[string]bool{}
	var found *banRule
	var chain string
	for line := range strings.Lines(listing) {
		packets, at, rule, ok := savedRule(line)
		if !ok {
			continue
		}
		if target, ok := strings.CutPrefix(rule, "-j "); ok && at == "INPUT" {
			hooked[target] = true
		}
		verdict, ok := strings.CutPrefix(rule, want)
		verdict, does := strings.CutPrefix(strings.TrimPrefix(verdict, "! -i lo "), "-j ")
		if ok && does && (verdict == "DROP" || strings.HasPrefix(verdict, "REJECT")) {
			chain, found = at, &banRule{"the chain " + at, packets}
		}
	}
	switch {
	case found == nil:
		return banRule{}, fmt.Errorf("no rule drops %s for every protocol", a)
	case !hooked[chain]:
		return banRule{}, errors.New("INPUT does not lead to the chain " + chain + " for every protocol: fail2ban-client reload makes it again")
	}
	return *found, nil
}
