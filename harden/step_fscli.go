package harden

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// fs_cli reads $HOME/.fs_cli_conf, and /etc/fs_cli.conf only where that cannot
// be opened (libs/esl/fs_cli.c, main).
const (
	cliGlobal = "/etc/fs_cli.conf"
	cliUser   = ".fs_cli_conf"
)

// account is a line of /etc/passwd.
type account struct {
	name, home string
	uid, gid   int
}

// fsCLI lets root and the admin users call fs_cli without a password in argv.
func fsCLI(_ context.Context, m *Machine) (Proposal, error) {
	c, err := m.Config()
	if err != nil {
		return Proposal{}, err
	}
	_, port, _ := strings.Cut(eslAddress(c), ":")
	text := fmt.Appendf(nil, "[default]\nhost => %s\nport => %s\npassword => %s\ndebug => 6\nlog-uuid => true\n", eslListen, port, m.Secrets.ESL.Reveal())
	changes := []Change{{Path: cliGlobal, Node: host.NewFile(text, 0o600), Summary: "fs_cli connects for root"}}
	accounts, err := cliAccounts(m)
	if err != nil {
		return Proposal{}, err
	}
	for _, a := range accounts {
		n := host.NewFile(text, 0o600)
		n.UID, n.GID = a.uid, a.gid
		at := path.Join(a.home, cliUser)
		// What stands there is kept for a rollback, and may be anything.
		if g, err := m.Glance(at); err != nil || g.Kind == host.Folder || g.Kind == host.Other || g.Size > maxCLIFile {
			m.Warn("%s of %s is no file of fs_cli's, so none is written: once it is out of the way, run fs-harden rotate", at, a.name)
			continue
		}
		changes = append(changes, Change{Path: at, Node: n, Summary: "fs_cli connects for " + a.name, As: &host.User{UID: a.uid, GID: a.gid}})
	}
	return Proposal{Changes: changes}, nil
}

// maxCLIFile bounds a user's file that is kept for a rollback, in bytes. One for
// fs_cli has some hundred.
const maxCLIFile = 64 << 10

// cliAccounts are the admin users that exist here, and root where it has a file
// of its own, which fs_cli would prefer to the global one.
func cliAccounts(m *Machine) ([]account, error) {
	passwd, err := m.ReadFile("/etc/passwd")
	if err != nil && len(m.Plan.AdminUsers) > 0 {
		return nil, fmt.Errorf("looking for the admin users: %w", err)
	}
	known := parsePasswd(string(passwd))
	var out []account
	if m.Exists(path.Join("/root", cliUser)) {
		out = append(out, account{name: "root", home: "/root"})
	}
	for _, name := range m.Plan.AdminUsers {
		a, ok := known[name]
		if !ok || !m.Exists(a.home) {
			m.Warn("admin user %s has no account or no home folder here, so no %s: once it has, run fs-harden rotate", name, cliUser)
			continue
		}
		if name != "root" {
			out = append(out, a)
		}
	}
	return out, nil
}

// parsePasswd reads passwd(5), leaving out lines that are none.
func parsePasswd(text string) map[string]account {
	out := map[string]account{}
	for _, l := range strings.Split(text, "\n") {
		f := strings.Split(l, ":")
		if len(f) != 7 || !path.IsAbs(f[5]) {
			continue
		}
		uid, err1 := strconv.Atoi(f[2])
		gid, err2 := strconv.Atoi(f[3])
		if err1 == nil && err2 == nil {
			out[f[0]] = account{name: f[0], home: path.Clean(f[5]), uid: uid, gid: gid}
		}
	}
	return out
}

func checkFSCLI(_ context.Context, m *Machine) []report.Check {
	checks := []report.Check{secretFile(m, cliGlobal, 0, 0)}
	accounts, err := cliAccounts(m)
	if err != nil {
		return append(checks, report.Check{Name: "fs-cli", Status: report.Fail, Detail: err.Error()})
	}
	for _, a := range accounts {
		c := secretFile(m, path.Join(a.home, cliUser), a.uid, a.gid)
		// Its owner can break it at any time, and must not keep FreeSWITCH down by it.
		if c.Status == report.Fail && m.Phase != report.Verify {
			m.Warn("%s: %s", c.Name, c.Detail)
			c.Status = report.CheckSkipped
		}
		checks = append(checks, c)
	}
	return checks
}

// cliPrograms are where FreeSWITCH's console is, by its package or a build from
// source.
var cliPrograms = []string{"/usr/bin/fs_cli", "/usr/local/bin/fs_cli", "/usr/local/freeswitch/bin/fs_cli"}

// cliPatience is how long fs_cli waits for an answer, in milliseconds.
const cliPatience = "5000"

// checkConsole runs fs_cli as root does at a prompt: it finds the password by
// itself (fs_cli.c, main, by HOME), and no argument holds one. In a build from
// source it may be FreeSWITCH's user's, and then nobody runs it as root.
func checkConsole(ctx context.Context, m *Machine) (report.CheckStatus, string) {
	i := slices.IndexFunc(cliPrograms, m.Exists)
	if i < 0 {
		return report.CheckSkipped, "there is no fs_cli on this machine"
	}
	out, err := m.Run(ctx, cliPrograms[i], "-t", cliPatience, "-x", "status")
	if errors.Is(err, host.ErrUntrusted) {
		return report.CheckDeferred, err.Error() + "; event-socket-live has proven the password; chown -R root: the folder that is named, and only root can change what root runs there"
	}
	if err == nil && strings.HasPrefix(string(out), "UP ") {
		return report.Pass, "fs_cli gets in with the password of its file"
	}
	said, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil {
		said = err.Error()
	}
	return report.Fail, fmt.Sprintf("fs_cli does not get in (%s): look at /root/%s, which goes before %s, or run fs-harden rotate", said, cliUser, cliGlobal)
}
