package harden

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fail2ban"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

// The log that the jail reads. mod_logfile copies to it, by source file and by
// function (mod_logfile.c, process_node), the warnings of sofia_reg.c, and of
// the function in sofia.c that refuses by access list. What else is logged, a
// SIP trace or an SDP body among it, never comes near the jail.
const (
	authLogName    = "fs-harden-auth.log"
	authLogProfile = "fs-harden"
	tmpfilesPath   = "/etc/tmpfiles.d/fs-harden.conf"

	logProfiles fsxml.Place = "section[configuration]/configuration[logfile.conf]/profiles"
	loadModules fsxml.Place = "section[configuration]/configuration[modules.conf]/modules/load"
)

// logDirs are where FreeSWITCH writes its logs in each layout of confDirs.
var logDirs = map[string]string{
	"/etc/freeswitch":                      "/var/log/freeswitch",
	"/usr/local/freeswitch/conf":           "/usr/local/freeswitch/log",
	"/usr/local/freeswitch/etc/freeswitch": "/usr/local/freeswitch/var/log/freeswitch",
}

// authLog is the log's path. FreeSWITCH is told the same path, so that both
// mean one file wherever else it logs.
func authLog(m *Machine) string {
	dir, ok := logDirs[m.ConfDir]
	if !ok {
		dir = logDirs["/etc/freeswitch"]
	}
	return path.Join(dir, authLogName)
}

func authLogStep(_ context.Context, m *Machine) (Proposal, error) {
	if m.Plan.SkipFail2ban {
		return Proposal{Status: report.Skipped, Reason: "fail2ban is not wanted"}, nil
	}
	p, err := logProfileEdits(m)
	if err != nil {
		return Proposal{}, err
	}
	files, err := authLogFiles(m)
	if err != nil {
		return Proposal{}, err
	}
	p.Changes = append(p.Changes, files...)
	p.Reason = "fail2ban reads " + authLog(m) + ", which holds refusals only"
	return p, nil
}

// logProfileEdits adds the profile to logfile.conf.xml.
func logProfileEdits(m *Machine) (Proposal, error) {
	c, err := m.Config()
	if err != nil {
		return Proposal{}, err
	}
	if !loadsLogfile(c) {
		m.Warn("FreeSWITCH does not load mod_logfile (modules.conf.xml): it writes no log, and fail2ban sees no attack; load it")
	}
	text, err := logProfile(m)
	if err != nil {
		return Proposal{}, err
	}
	if there, same := standingProfile(c, text); there && same {
		return Proposal{}, nil
	} else if there {
		return Proposal{}, fmt.Errorf("logfile.conf.xml has a profile %s that is not the one fs-harden writes: remove it, and run this again", authLogProfile)
	}
	e := c.Edit()
	if err := e.InsertElement(logProfiles, text); errors.Is(err, fsxml.ErrNotFound) {
		m.Warn("there is no <profiles> in logfile.conf.xml: FreeSWITCH writes no log, and fail2ban sees no attack; put the file of FreeSWITCH's package back")
		return Proposal{}, nil
	} else if err != nil {
		return Proposal{}, err
	}
	return m.edits(e, "refusals are logged to "+authLog(m)+" too", secret.Value{})
}

func logProfile(m *Machine) (string, error) {
	text, err := templates.ReadFile("templates/logfile-profile.xml")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(strings.ReplaceAll(string(text), "@LOG@", authLog(m))), nil
}

// standingProfile tells whether our profile is there, and whether FreeSWITCH
// reads the same from it as from text.
func standingProfile(c *fsxml.Config, text string) (there, same bool) {
	standing := c.Elements(logProfiles + "/profile[" + authLogProfile + "]")
	if len(standing) == 0 {
		return false, false
	}
	want := etree.NewDocument()
	if err := want.ReadFromString(text); err != nil {
		return true, false
	}
	return true, outlineXML(standing[0]) == outlineXML(want.Root())
}

// outlineXML is an element's tags and attributes, without comments and blanks.
func outlineXML(e *etree.Element) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<%s", e.Tag)
	for _, a := range e.Attr {
		fmt.Fprintf(&b, " %s=%q", a.Key, a.Value)
	}
	b.WriteString(">")
	for _, child := range e.ChildElements() {
		b.WriteString(outlineXML(child))
	}
	return b.String() + "</>"
}

func loadsLogfile(c *fsxml.Config) bool {
	for _, e := range c.Elements(loadModules) {
		if e.SelectAttrValue("module", "") == "mod_logfile" {
			return true
		}
	}
	return false
}

// authLogFiles are the logs, so that fail2ban finds them at its first start,
// and the order to make them again at each boot.
func authLogFiles(m *Machine) ([]Change, error) {
	log := authLog(m)
	dir, err := logFolder(m, path.Dir(log))
	if err != nil {
		return nil, err
	}
	text, err := templates.ReadFile("templates/tmpfiles.conf")
	if err != nil {
		return nil, err
	}
	rules := strings.NewReplacer(
		"@LOG@", log, "@LOG_DIR@", path.Dir(log), "@DIR_MODE@", fmt.Sprintf("%04o", dir.Mode.Perm()),
		"@WATCH_DIR@", watchDir, "@WATCH_LOG@", watchLog,
		"@UID@", strconv.Itoa(dir.UID), "@GID@", strconv.Itoa(dir.GID),
	).Replace(string(text))
	changes := []Change{
		{Path: dir.path, Node: dir.Node, Summary: "FreeSWITCH's logs"},
		{Path: watchDir, Node: host.Node{Kind: host.Folder, Mode: 0o700}, Summary: "what fs-harden-watch writes"},
		{Path: tmpfilesPath, Node: host.NewFile([]byte(rules), 0o644), Summary: "the logs are there before fail2ban starts"},
	}
	empty := host.NewFile(nil, 0o640)
	ours := empty
	ours.UID, ours.GID = dir.UID, dir.GID
	for _, c := range []Change{
		{Path: log, Node: ours, Summary: "empty; fail2ban reads it"},
		{Path: watchLog, Node: host.NewFile(nil, 0o600), Summary: "empty; fail2ban reads it"},
		{Path: fail2ban.Log, Node: empty, Summary: "empty; fail2ban reads its own log"},
	} {
		// A log that is there is never touched: it may hold what fail2ban needs.
		standing, err := m.Lookup(c.Path)
		if err != nil {
			return nil, err
		}
		if standing.Kind == host.Absent {
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// folder is a folder and where it stands, links followed.
type folder struct {
	host.Node
	path string
}

// logFolder is the log folder as it stands, or as FreeSWITCH's package makes it:
// its user's where there is one, else root's, as whom a build from source runs. In a
// tree that an ordinary user has unpacked the owners are his, and say nothing.
func logFolder(m *Machine, dir string) (folder, error) {
	real, err := m.Canonical(dir)
	if err != nil {
		return folder{}, err
	}
	n, err := m.Lookup(real)
	switch {
	case err != nil:
		return folder{}, err
	case n.Kind == host.Folder && os.Geteuid() == 0:
		return folder{n, real}, nil
	case n.Kind == host.Absent:
		n = host.Node{Kind: host.Folder, Mode: 0o750}
	case n.Kind != host.Folder:
		return folder{}, fmt.Errorf("%s is not a folder: FreeSWITCH's logs belong there; move it out of the way", real)
	}
	n.UID, n.GID = 0, 0
	passwd, err := m.ReadFile("/etc/passwd")
	if errors.Is(err, fs.ErrNotExist) {
		return folder{n, real}, nil
	} else if err != nil {
		return folder{}, err
	}
	if a, ok := parsePasswd(string(passwd))["freeswitch"]; ok {
		n.UID, n.GID = a.uid, a.gid
	}
	return folder{n, real}, nil
}

func checkAuthLog(_ context.Context, m *Machine) []report.Check {
	if m.Plan.SkipFail2ban {
		return nil
	}
	c := report.Check{Name: "auth-log", Status: report.Pass, Detail: "refusals go to " + authLog(m)}
	if err := authLogInPlace(m); err != nil {
		c.Status, c.Detail = report.Fail, err.Error()
	}
	return []report.Check{c}
}

func authLogInPlace(m *Machine) error {
	c, err := m.Config()
	if err != nil {
		return err
	}
	text, err := logProfile(m)
	if err != nil {
		return err
	}
	if len(c.Elements(logProfiles)) == 0 {
		return nil // warned of when it was baked: this FreeSWITCH writes no log file
	}
	if _, same := standingProfile(c, text); !same {
		return fmt.Errorf("logfile.conf.xml does not have the profile %s as it was written: fail2ban would read an empty log; run fs-harden apply", authLogProfile)
	}
	if !m.Exists(authLog(m)) {
		return fmt.Errorf("%s is missing, and fail2ban does not start without it: run systemd-tmpfiles --create %s", authLog(m), tmpfilesPath)
	}
	return nil
}
