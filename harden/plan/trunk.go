package plan

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// TrunkProfile is the SIP profile of a trunk that names none.
const TrunkProfile = "external"

// Trunks are those that call in without a password, carriers mostly, by name.
type Trunks map[string]Trunk

// Trunk is one of them. A SIP profile that has trunks answers them alone.
type Trunk struct {
	// From are the addresses and CIDRs that it calls from.
	From []string `json:"from"`
	// Profile is the SIP profile that it calls.
	Profile string `json:"profile"`
}

// ProfileTrunks are the networks that may call in on one SIP profile.
type ProfileTrunks struct {
	Profile string // in lower case: FreeSWITCH takes the case of a profile's name for nothing
	From    []netip.Prefix
}

// UnmarshalJSON reads them as an object does, but for a name that stands there twice:
// of two carriers, encoding/json would drop the first without a word.
func (t *Trunks) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if begin, err := dec.Token(); err != nil || begin != json.Delim('{') {
		return errors.New(`"trunk" takes an object: {"carrier": {"from": ["203.0.113.0/24"]}}`)
	}
	all := Trunks{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		var body json.RawMessage
		if err := dec.Decode(&body); err != nil {
			return err
		}
		one := Trunk{Profile: TrunkProfile}
		inner := json.NewDecoder(bytes.NewReader(body))
		inner.DisallowUnknownFields()
		var typ *json.UnmarshalTypeError
		if err := inner.Decode(&one); errors.As(err, &typ) {
			return fmt.Errorf("trunk %q: %q takes %s, not %s", name, cmp.Or(typ.Field, name), inWords(typ.Type), typ.Value)
		} else if err != nil {
			return err
		}
		if _, twice := all[name]; twice {
			return fmt.Errorf("trunk: %q is named twice; give each its own name", name)
		}
		all[name] = one
	}
	*t = all
	return nil
}

// byProfile are the networks of each profile that has trunks, in the order of the
// profiles' names; what is not valid is left out.
func (t Trunks) byProfile() []ProfileTrunks {
	from := map[string][]netip.Prefix{}
	for _, name := range slices.Sorted(maps.Keys(t)) {
		profile := strings.ToLower(t[name].Profile)
		from[profile] = append(from[profile], prefixes(t[name].From)...)
	}
	var out []ProfileTrunks
	for _, profile := range slices.Sorted(maps.Keys(from)) {
		out = append(out, ProfileTrunks{profile, Merged(from[profile])})
	}
	return out
}

// networks are those of all trunks.
func (t Trunks) networks() []netip.Prefix {
	var all []netip.Prefix
	for _, p := range t.byProfile() {
		all = append(all, p.From...)
	}
	return Merged(all)
}

const (
	inTrunkNames = lower + digits + "-"
	// It becomes a part of an access list's name and of a place in a file.
	inProfileNames = letters + digits + "_.-"
)

func (f *faults) trunks(all Trunks) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t := all[name]
		if !made(name, inTrunkNames, 32) {
			f.add("trunk: %q is not a name; use up to 32 of a-z, 0-9 and -, as in \"carrier\"", name)
		}
		option := fmt.Sprintf("trunk %q", name)
		if len(t.From) == 0 {
			f.add("%s: from is empty; name the addresses that it calls from, as in [\"203.0.113.0/24\"]", option)
		}
		f.addresses(option, t.From)
		if !made(t.Profile, inProfileNames, 64) {
			f.add("%s: profile %q is not usable; name a SIP profile in up to 64 letters, digits and _.-, as in %q", option, t.Profile, TrunkProfile)
		}
	}
	for _, fam := range everybody {
		if own := family(all.networks(), fam.all); tooWide(own) {
			f.add("trunk: the %s networks add up to so much of the Internet that hardly anybody would be refused or banned (%s); name the addresses that your carriers call from", fam.Family, joined(own))
		}
	}
}
