// Package plan is what a person asks of a machine: the options of the HCL block
// as JSON. It is validated as a whole before anything is touched, and it never
// holds a secret.
package plan

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Plan is the whole of it. The zero value is not usable: start from Default.
type Plan struct {
	// ConfDir is FreeSWITCH's configuration folder. Empty: found.
	ConfDir string `json:"conf_dir"`
	// ServiceName is the systemd unit that runs FreeSWITCH, without ".service".
	ServiceName string `json:"service_name"`
	// AdminUsers get a ~/.fs_cli_conf of their own at first boot.
	AdminUsers []string `json:"admin_users"`
	// SIPAllowFrom are the addresses and CIDRs that may speak SIP. Empty: the world.
	SIPAllowFrom []string `json:"sip_allow_from"`
	// SIPBanner is what FreeSWITCH calls itself in SIP. Empty: as it is configured.
	SIPBanner string `json:"sip_banner"`
	// Trunks are who may call in on the profiles that they name, and nobody else.
	Trunks Trunks `json:"trunk"`
	// SkipFirewall leaves the firewall's policy alone.
	SkipFirewall bool `json:"skip_firewall"`
	// KeepRules adds to the firewall's rules instead of replacing them.
	KeepRules bool `json:"keep_rules"`
	// SkipFail2ban leaves fail2ban alone.
	SkipFail2ban bool `json:"skip_fail2ban"`
	// StrictImage makes every warning of the inspector an error.
	StrictImage bool `json:"strict_image"`
	// CleanupSystem removes what of the system's own no image should hold.
	CleanupSystem bool `json:"cleanup_system"`
	// RTPPortRange is "FIRST:LAST", UDP ports.
	RTPPortRange string `json:"rtp_port_range"`
	// SSHPorts are TCP ports that stay open. Empty: found from sshd.
	SSHPorts  []int     `json:"ssh_ports"`
	Fail2ban  Fail2ban  `json:"fail2ban"`
	Refusals  Refusals  `json:"refusals"`
	Recidive  Recidive  `json:"recidive"`
	RateLimit RateLimit `json:"rate_limit"`
}

// Fail2ban is the jail over FreeSWITCH's log. Times are seconds.
type Fail2ban struct {
	MaxRetry int `json:"max_retry"`
	// ChallengeMaxRetry counts all challenges apart from failures and unknown users,
	// up to a number of their own. 0: those of strangers are counted with them, and
	// nobody else's.
	ChallengeMaxRetry int `json:"challenge_max_retry"`

	FindTime  int      `json:"find_time"`
	BanTime   int      `json:"ban_time"`
	BanAction string   `json:"ban_action"`
	IgnoreIP  []string `json:"ignore_ip"`
}

// Refusals is the jail over the calls that FreeSWITCH refused. FindTime is seconds.
type Refusals struct {
	MaxRetry int `json:"max_retry"`
	FindTime int `json:"find_time"`
}

// Recidive is the jail over fail2ban's own log. Times are seconds.
type Recidive struct {
	MaxRetry int `json:"max_retry"`
	FindTime int `json:"find_time"`
	BanTime  int `json:"ban_time"`
}

// RateLimit is the limit per source and method in the kernel.
type RateLimit struct {
	Enabled bool `json:"enabled"`
}

// Default is the plan of an empty block.
func Default() *Plan {
	return &Plan{
		ServiceName:  "freeswitch",
		AdminUsers:   []string{},
		SIPAllowFrom: []string{},
		Trunks:       Trunks{},
		RTPPortRange: "16384:32768", // switch_rtp.c START_PORT and END_PORT
		SSHPorts:     []int{},
		Fail2ban: Fail2ban{
			MaxRetry: 20, FindTime: 300, BanTime: 86400,
			BanAction: "nftables", IgnoreIP: []string{},
		},
		Refusals: Refusals{MaxRetry: 20, FindTime: 300},
		// The window must hold three bans of BanTime, or the jail never fires.
		Recidive:  Recidive{MaxRetry: 3, FindTime: 604800, BanTime: 604800},
		RateLimit: RateLimit{Enabled: true},
	}
}

// Parse reads a plan: absent keys keep their defaults, unknown keys and every
// value out of bounds are faults, all told at once; of unknown keys and values
// of a wrong type, encoding/json finds the first.
func Parse(data []byte) (*Plan, error) {
	p := Default()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("plan: %w", errors.Join(explain(err, data), p.Validate()))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("plan: something follows the closing brace: a plan is one JSON object")
	}
	return p, p.Validate()
}

// Encode is the plan's form in plan.json.
func (p *Plan) Encode() []byte {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		panic(err) // strings, numbers and booleans always encode
	}
	return append(b, '\n')
}

func explain(err error, data []byte) error {
	var syn *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syn):
		return fmt.Errorf("line %d: %w", lineAt(data, syn.Offset), err)
	case errors.As(err, &typ):
		return fmt.Errorf("line %d: %q takes %s, not %s", lineAt(data, typ.Offset), cmp.Or(typ.Field, "plan"), inWords(typ.Type), typ.Value)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the file ends too early: an empty plan is {}")
	}
	// encoding/json has no type of its own for this one.
	if key, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("%s is not an option: a plan takes those of the HCL block", key)
	}
	return err
}

// inWords is what a value of type t is called in JSON.
func inWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "a list"
	default:
		return "an object"
	}
}

func lineAt(data []byte, off int64) int {
	off = min(max(off, 0), int64(len(data)))
	return 1 + bytes.Count(data[:off], []byte{'\n'})
}
