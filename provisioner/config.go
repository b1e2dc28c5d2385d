//go:generate packer-sdc struct-markdown
//go:generate packer-sdc mapstructure-to-hcl2 -type Config,Trunk,Fail2ban,Refusals,Recidive,RateLimit

package provisioner

import (
	"github.com/hashicorp/packer-plugin-sdk/common"
	"github.com/hashicorp/packer-plugin-sdk/template/config"
	"github.com/hashicorp/packer-plugin-sdk/template/interpolate"
)

// Every option has a default that is right: an empty block is a hardened
// image.
type Config struct {
	common.PackerConfig `mapstructure:",squash"`

	// FreeSWITCH's configuration folder on the guest, an absolute path. By
	// default the first of `/etc/freeswitch`, `/usr/local/freeswitch/conf` and
	// `/usr/local/freeswitch/etc/freeswitch` that is there.
	ConfDir string `mapstructure:"conf_dir"`
	// The systemd unit that runs FreeSWITCH, without `.service`. Defaults to
	// `freeswitch`.
	ServiceName string `mapstructure:"service_name"`
	// Login names that get a `~/.fs_cli_conf` of their own at first boot, so
	// that `fs_cli` works for them. By default the user who runs the build
	// through sudo.
	AdminUsers []string `mapstructure:"admin_users"`
	// Addresses and CIDRs, IPv4 and IPv6, that may speak SIP with this machine.
	// Host names are not looked up. They are trusted too: never banned, never
	// limited. By default the whole world may speak SIP, and the report warns of
	// it. `0.0.0.0/0` and `::/0`, and networks that together are as wide as a /7
	// of IPv4 or a /12 of IPv6, mean the same for their family: it is open, and
	// nobody of it is trusted.
	SIPAllowFrom []string `mapstructure:"sip_allow_from"`
	// What FreeSWITCH calls itself in SIP, instead of its name and version: in
	// `User-Agent`, in the SDP and in its own `Contact`, on every SIP profile. One
	// word of up to 32 letters, digits and `._-`, which begins with a letter, such
	// as `pbx`. It counts from FreeSWITCH's next start on. By default everything
	// stays as it is configured: see [What strangers learn](#what-strangers-learn).
	SIPBanner string `mapstructure:"sip_banner"`
	// Who may call in on a SIP profile that then answers nobody else: your carriers.
	// As many blocks as wanted; see [trunk](#trunk). By default there is none, and
	// each profile answers whoever may speak SIP.
	Trunks []Trunk `mapstructure:"trunk"`
	// Leave the firewall's policy alone. Bans are enforced all the same.
	// Defaults to `false`.
	SkipFirewall bool `mapstructure:"skip_firewall"`
	// Keep the rules that UFW has already, and add to them. By default they are
	// dropped, and the report names each of them. Defaults to `false`.
	KeepRules bool `mapstructure:"keep_rules"`
	// Leave fail2ban alone. Defaults to `false`.
	SkipFail2ban bool `mapstructure:"skip_fail2ban"`
	// Fail the build on warnings of the inspection too. Before the image is made,
	// the machine is looked through for what every instance would share; an
	// error fails the build, and a warning is shown. What the build itself still
	// needs, such as Packer's own SSH key, stays a warning. Defaults to `false`.
	StrictImage bool `mapstructure:"strict_image"`
	// Also remove what the system keeps of this one machine: machine-id
	// (emptied), random seeds, histories, cloud-init's state and logs,
	// core dumps.
	// SSH host keys and authorized keys stay, because Packer still needs them:
	// see [What is removed](#what-is-removed). Defaults to `false`.
	CleanupSystem bool `mapstructure:"cleanup_system"`
	// UDP ports for media, `FIRST:LAST`. Defaults to `16384:32768`, which is
	// FreeSWITCH's own range; the configuration's range wins where it has one.
	RTPPortRange string `mapstructure:"rtp_port_range"`
	// TCP ports of SSH that stay open. By default those that sshd listens on.
	SSHPorts []int `mapstructure:"ssh_ports"`
	// Where the report of the run goes on the build host: one JSON object, the
	// same for auditors and scripts. Missing folders are made. It is written
	// after a failure too, and it never holds a secret. By default there is
	// none.
	Report string `mapstructure:"report"`

	// How often a source may fail before it is banned, and for how long: see
	// [fail2ban](#fail2ban).
	Fail2ban Fail2ban `mapstructure:"fail2ban"`
	// How many calls of a stranger FreeSWITCH may refuse before he is banned: see
	// [refusals](#refusals).
	Refusals Refusals `mapstructure:"refusals"`
	// The longer ban of those who come back: see [recidive](#recidive).
	Recidive Recidive `mapstructure:"recidive"`
	// The limit per source and SIP method in the kernel: see
	// [rate_limit](#rate_limit).
	RateLimit RateLimit `mapstructure:"rate_limit"`

	// The command that runs the uploaded script, as in the `shell`
	// provisioner: `{{ .Path }}` is the script, `{{ .Vars }}` the variables
	// `PACKER_BUILD_NAME` and `PACKER_BUILDER_TYPE` as assignments, and the
	// build's generated data is there as well. The script must run as root. It
	// sets `environment_vars` itself, so sudo cannot drop them.
	//
	// Defaults to `chmod +x {{.Path}}; {{.Vars}} {{.Path}}` for root, and to
	// `chmod +x {{.Path}}; {{.Vars}} sudo -n {{.Path}}` for any other user.
	// Where sudo asks for a password:
	// `echo '${var.password}' | {{.Vars}} sudo -S -p '' {{.Path}}`.
	ExecuteCommand string `mapstructure:"execute_command"`
	// An existing folder on the guest in which a folder of its own is made for
	// what is uploaded. Programs must be allowed to run in it. By default the
	// first of `/tmp`, `/var/tmp` and the home folder that allows it.
	RemoteFolder string `mapstructure:"remote_folder"`
	// Leave what was uploaded on the guest, to look at it. Defaults to `false`:
	// it is removed, after a failure too.
	SkipCleanUp bool `mapstructure:"skip_clean_up"`
	// Variables for the helper's environment, each `NAME=VALUE`, such as
	// `https_proxy=http://proxy.example:3128` where packages are fetched
	// through a proxy. They travel in the uploaded script, which only the
	// build's user can read, never on a command line or in a log.
	EnvironmentVars []string `mapstructure:"environment_vars"`

	ctx interpolate.Context
}

// Who may call in on a SIP profile: that profile answers its trunks alone, by an
// access list of FreeSWITCH's own and by the firewall, while phones register from
// anywhere on the others.
type Trunk struct {
	// What the trunk is called, up to 32 of `a-z`, `0-9` and `-`. Each has its own
	// name.
	Name string `mapstructure:"name" required:"true"`
	// Addresses and CIDRs, IPv4 and IPv6, that it calls from. Host names are not
	// looked up. They are never banned, and not limited on the ports of their
	// profile. Networks of all trunks that together are as wide as a /7 of IPv4 or a
	// /12 of IPv6, private ones apart, are refused.
	From []string `mapstructure:"from" required:"true"`
	// The SIP profile that it calls, as `sip_profiles/` names it. FreeSWITCH's example
	// has one for each family: `external` for IPv4, `external-ipv6` for IPv6. Defaults
	// to `external`.
	Profile string `mapstructure:"profile"`
}

// The jail over FreeSWITCH's log.
type Fail2ban struct {
	// Failures within `find_time` after which a source is banned, from 1.
	// Defaults to `20`.
	MaxRetry *int `mapstructure:"max_retry"`
	// Count challenges apart from failures and unknown users, and ban a source
	// after so many of them within `find_time`, whoever it is. Defaults to `0`:
	// challenges of strangers, who have given no right password since yesterday,
	// count with the failures, up to `max_retry`; those of telephones do not.
	ChallengeMaxRetry *int `mapstructure:"challenge_max_retry"`
	// The window in which failures are counted, in seconds, from 1. Defaults to
	// `300`.
	FindTime *int `mapstructure:"find_time"`
	// How long a ban lasts, in seconds, from 1. Defaults to `86400`, a day.
	BanTime *int `mapstructure:"ban_time"`
	// What bans: `nftables` or `iptables-allports`. Defaults to `nftables`.
	BanAction string `mapstructure:"ban_action"`
	// Addresses and CIDRs that are never banned and never limited. By default
	// none but the machine itself and `sip_allow_from`. Networks that together
	// are as wide as a /7 of IPv4 or a /12 of IPv6, private ones apart, are
	// refused.
	IgnoreIP []string `mapstructure:"ignore_ip"`
}

// The jail over the calls that FreeSWITCH refused: whoever calls numbers that do
// not exist, without a password and on whatever profile. Calls of telephones that
// have registered, and calls for which FreeSWITCH called somebody, do not count.
// `fail2ban.ban_time` is how long the ban lasts.
type Refusals struct {
	// Refused calls within `find_time` after which a source is banned, from 1.
	// Defaults to `20`.
	MaxRetry *int `mapstructure:"max_retry"`
	// The window in which they are counted, in seconds, from 1. Defaults to
	// `300`.
	FindTime *int `mapstructure:"find_time"`
}

// The jail over fail2ban's own log: whoever is banned again and again.
type Recidive struct {
	// Bans within `find_time` after which the longer ban follows, from 1.
	// Defaults to `3`.
	MaxRetry *int `mapstructure:"max_retry"`
	// The window in which bans are counted, in seconds, from 1. Defaults to
	// `604800`, a week: it must hold `max_retry` bans of `fail2ban.ban_time`,
	// or the jail never fires.
	FindTime *int `mapstructure:"find_time"`
	// How long the longer ban lasts, in seconds, from 1. Defaults to `604800`,
	// a week.
	BanTime *int `mapstructure:"ban_time"`
}

// The limit on SIP requests per source and method, in the kernel. Trusted
// sources are exempt.
type RateLimit struct {
	// Whether there is a limit. Defaults to `true`.
	Enabled config.Trilean `mapstructure:"enabled"`
}
