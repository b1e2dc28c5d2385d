// Package fail2ban has the filter, the jails and the ban action that fail2ban is
// given, and asks a running one whether it uses them.
package fail2ban

import (
	"embed"
	"path"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

//go:embed templates
var templates embed.FS

const (
	// Dir is where fail2ban's configuration lies.
	Dir = "/etc/fail2ban"
	// JailsFile is the file of the jails.
	JailsFile = Dir + "/jail.d/fs-harden.local"
	// FilterFile is the filter over FreeSWITCH's log.
	FilterFile = Dir + "/filter.d/fs-harden.conf"
	// Log is fail2ban's own, which the jail recidive reads.
	Log = "/var/log/fail2ban.log"
	// Unit is its systemd unit.
	Unit = "fail2ban.service"

	tableAction    = Dir + "/action.d/fs-harden.py"
	iptablesAction = Dir + "/action.d/fs-harden-iptables.conf"
	// helperAction bans nobody; every jail has it beside the one that bans.
	helperAction = Dir + "/action.d/" + helperName + ".py"
	helperName   = "fs-harden-jail"
)

// The jails' names, which the sets in the kernel carry too.
const (
	freeswitch = "freeswitch"
	challenge  = "freeswitch-challenge"
	refused    = "freeswitch-refused"
	scanner    = "freeswitch-scanner"
	recidive   = "recidive"
	sshd       = "sshd"
)

// Config is what the files are made of.
type Config struct {
	Plan *plan.Plan
	// AuthLog is the file to which FreeSWITCH writes what the filter looks for.
	AuthLog string
	// WatchLog is the file to which the watch writes what it has heard from
	// FreeSWITCH: challenges of strangers, refused calls, scanners.
	WatchLog string
	// SSHD tells whether there is an sshd: its jail would stop all of fail2ban
	// where the journal knows none.
	SSHD bool
}

// Jails are those that are to run.
func (c Config) Jails() []string {
	jails := []string{freeswitch}
	if c.apart() {
		jails = append(jails, challenge)
	}
	jails = append(jails, refused, scanner, recidive)
	if c.SSHD {
		jails = append(jails, sshd)
	}
	return jails
}

// apart tells whether challenges are counted apart.
func (c Config) apart() bool { return c.Plan.Fail2ban.ChallengeMaxRetry > 0 }

// UsesTable tells whether bans go into the kernel's table of ours, by Action.
func UsesTable(p *plan.Plan) bool {
	return !p.SkipFail2ban && p.Fail2ban.BanAction == "nftables"
}

// File is one that fail2ban reads.
type File struct {
	Path, Text string
	// Summary says in a few words what is in it.
	Summary string
}

// Action is the ban action for the kernel's table.
func Action() (File, error) {
	text, err := templates.ReadFile("templates/action.py")
	return File{Path: tableAction, Text: string(text), Summary: "fail2ban bans in the kernel's sets"}, err
}

// ActionFile is the file of the action that the jails call.
func (c Config) ActionFile() string {
	if UsesTable(c.Plan) {
		return tableAction
	}
	return iptablesAction
}

// Files are all others: the filter, the jails with the action that helps them,
// fail2ban's own settings, and the ban action where it is that of iptables.
func (c Config) Files() ([]File, error) {
	files := []struct{ template, path, summary string }{
		{"filter.conf", FilterFile, "what counts in FreeSWITCH's log"},
		{"server.local", Dir + "/fail2ban.d/fs-harden.local", "bans outlast a restart"},
		{"jail.py", helperAction, "the jails know this machine's addresses, and tell how far they have read"},
		{"jail.local", JailsFile, "jails: " + strings.Join(c.Jails(), ", ")},
	}
	if c.ActionFile() == iptablesAction {
		files = append(files, struct{ template, path, summary string }{"iptables.conf", iptablesAction, "bans every protocol"})
	}
	var out []File
	for _, f := range files {
		text, err := templates.ReadFile(path.Join("templates", f.template))
		if err != nil {
			return nil, err
		}
		out = append(out, File{Path: f.path, Text: c.fill(string(text)), Summary: f.summary})
	}
	return out, nil
}

// fill fills the blanks of a template in.
func (c Config) fill(text string) string {
	p := c.Plan
	mode := "strangers"
	if c.apart() {
		mode = "failures"
	}
	call := "fs-harden.py"
	if !UsesTable(p) {
		call = "fs-harden-iptables[name=%(__name__)s]"
	}
	// The longest time that counts, and a day for a machine that was down.
	keep := max(p.Recidive.BanTime, p.Recidive.FindTime, p.Fail2ban.BanTime, p.Refusals.FindTime) + 86400
	return strings.NewReplacer(
		"@IGNORE@", strings.Join(neverBanned(p), " "),
		"@MODE@", mode,
		"@LOG@", c.AuthLog,
		"@FAIL2BAN_LOG@", Log,
		"@ACTION@", call,
		"@MAX_RETRY@", strconv.Itoa(p.Fail2ban.MaxRetry),
		"@FIND_TIME@", strconv.Itoa(p.Fail2ban.FindTime),
		"@BAN_TIME@", strconv.Itoa(p.Fail2ban.BanTime),
		"@CHALLENGES@", strconv.FormatBool(c.apart()),
		"@CHALLENGE_MAX_RETRY@", strconv.Itoa(max(p.Fail2ban.ChallengeMaxRetry, p.Fail2ban.MaxRetry)),
		"@WATCH_LOG@", c.WatchLog,
		"@REFUSED_MAX_RETRY@", strconv.Itoa(p.Refusals.MaxRetry),
		"@REFUSED_FIND_TIME@", strconv.Itoa(p.Refusals.FindTime),
		"@RECIDIVE_MAX_RETRY@", strconv.Itoa(p.Recidive.MaxRetry),
		"@RECIDIVE_FIND_TIME@", strconv.Itoa(p.Recidive.FindTime),
		"@RECIDIVE_BAN_TIME@", strconv.Itoa(p.Recidive.BanTime),
		"@SSHD@", strconv.FormatBool(c.SSHD),
		"@KEEP@", strconv.Itoa(keep),
	).Replace(text)
}

// neverBanned are this machine and those whom the plan trusts. Sources over UDP
// can be forged, so trunks and an allowlist of who may speak SIP are among them:
// nobody shall get a carrier banned in its name.
func neverBanned(p *plan.Plan) []string {
	var list []string
	for _, from := range p.Sources().Unbanned() {
		if from.IsSingleIP() {
			list = append(list, from.Addr().String())
		} else {
			list = append(list, from.String())
		}
	}
	return list
}
