//go:build linux && acceptance

package acctest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Whoever has become FreeSWITCH's user, and an admin user with him, exchange what
// is theirs for links, folders and FIFOs all the time. A run may fail; it ends, and
// changes nothing but what the contract names.
func TestHostileRaces(t *testing.T) {
	const links = "link:" // absolute, for a tree is a machine, or relative
	var (
		includes = []string{
			"etc/freeswitch/x=" + links + "/etc/profile.d", "etc/freeswitch/y=" + links + "../profile.d",
			"etc/freeswitch/x/evil.sh=" + links + "/etc/cron.d/root.xml", "etc/freeswitch/y/more.sh=fifo",
		}
		writings = []string{
			"etc/freeswitch/tls=" + links + "../ssh/keys", "etc/freeswitch/tls/CA=" + links + "/etc/letsencrypt/live/x",
			"var/log/freeswitch/xml_cdr=" + links + "/var/lib/mysql", "var/log/freeswitch/zz.log=" + links + "../../../etc/passwd",
			"var/lib/freeswitch/db=" + links + "/var/lib/mysql",
		}
		home = []string{"home/alice/.fs_cli_conf=" + links + "/etc/shadow", "home/alice/.fs_cli_conf=folder", "home/alice/.fs_cli_conf=fifo", "home/alice/.bash_history=" + links + "/etc/shadow"}
	)
	for _, c := range []struct {
		command string
		swaps   []string // FreeSWITCH's user's
		// round makes one run of the command, and what has to come before it.
		round func(r *race, n int) ended
	}{
		{"rotate", includes, func(r *race, n int) ended {
			if !r.has("committed.json") {
				r.run("firstboot", r.tr.helperFor("firstboot"))
			}
			return r.run("rotate", r.tr.helperFor("rotate"))
		}},
		{"firstboot", includes, func(r *race, n int) ended {
			r.anotherInstance(n)
			return r.run("firstboot", r.tr.helperFor("firstboot"))
		}},
		{"forget", append(writings, includes[0]), func(r *race, n int) ended {
			r.run("firstboot", r.tr.helperFor("firstboot"))
			return r.run("forget", r.tr.helperFor("forget"))
		}},
		{"recovery", append(writings, includes...), func(r *race, n int) ended {
			if !r.has("committed.json") {
				r.run("firstboot", r.tr.helperFor("firstboot"))
			}
			r.killed(n)
			return r.run("firstboot after a killed run", r.tr.helperFor("firstboot"))
		}},
		{"apply", append(writings, includes...), func(r *race, n int) ended {
			if n%16 == 15 {
				r.run("rollback", r.tr.helperFor("rollback"))
			}
			return r.run("apply", r.tr.helperFor("apply"))
		}},
	} {
		t.Run(c.command, func(t *testing.T) {
			t.Parallel()
			const runs = 200
			r := newRace(t)
			r.attack(switchUID, "var/lib/freeswitch/stash", c.swaps)
			r.attack(adminUID, "home/alice/stash", home)
			done := 0
			for n := range runs {
				if e := c.round(r, n); e.code == 0 {
					done++
				}
				if t.Failed() {
					t.Fatalf("in round %d; the seeds of the users are %d and %d", n, switchUID, adminUID)
				}
			}
			r.peace()
			t.Logf("%d of %d runs succeeded, %d were killed", done, runs, r.kills)
			if done < runs/20 {
				t.Errorf("only %d of %d runs succeeded: the users keep it from all work, and this looks past something", done, runs)
			}
			if c.command == "recovery" && r.kills < runs/4 {
				t.Errorf("only %d runs were killed", r.kills)
			}
		})
	}
}

// race is a machine whose users are at work while commands run on it.
type race struct {
	t      *testing.T
	tr     tree
	before map[string]sight
	users  []*user
	random *rand.Rand // when a run is killed
	kills  int
}

func newRace(t *testing.T) *race {
	t.Helper()
	tr := newHostileTree(t)
	r := &race{t: t, tr: tr, random: rand.New(rand.NewPCG(1, 2))}
	for _, command := range []string{"apply", "firstboot"} {
		if e := tr.bounded(tr.helperFor(command)...); e.code != 0 {
			t.Fatalf("%s, before anybody was at work: %s", command, e.output)
		}
	}
	// What apply removes for good is there to be removed again.
	for _, name := range append([]string{"home/alice/.bash_history", "var/log/freeswitch/zz.log", "var/log/freeswitch/xml_cdr/a.cdr.xml"}, traces[:]...) {
		uid := switchUID
		if strings.HasPrefix(name, "home/") {
			uid = adminUID
		}
		at := filepath.Join(tr.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte("-----BEGIN PRIVATE KEY-----\n"), 0o644), give(filepath.Dir(at), uid)); err != nil {
			t.Fatal(err)
		}
	}
	r.before = tr.sights(atWork)
	return r
}

// run runs a command, and proves that it kept to the contract.
func (r *race) run(what string, argv []string) ended {
	r.t.Helper()
	e := r.tr.bounded(argv...)
	journal := r.has("journal")
	unfinished := journal || r.has("journal.finished")
	if strings.Contains(e.output, "goes on from the journal") && !journal {
		r.t.Errorf("%s: there is no journal from which the next run could go on:\n%s", what, e.output)
	}
	theirs := func(p string) bool {
		return isUsers(p) && !isKept(p) || p == "/run/cloud-init/.instance-id" || unfinished && isLeftover(p)
	}
	if bad := ours.trespasses(r.before, r.tr.sights(atWork), theirs); len(bad) > 0 {
		r.t.Errorf("%s:\n%s\nit ended with %d and said:\n%s", what, strings.Join(bad, "\n"), e.code, e.output)
	}
	return e
}

// atWork tells a folder in which users are at work: it may be a FIFO by the time
// that somebody lists it.
func atWork(dir string) bool {
	return isUsers(dir) && !isKept(dir) && dir != adminHome && dir != "/var/lib/freeswitch"
}

// killed runs a rotation that is killed as it writes, if it comes that far.
func (r *race) killed(n int) {
	r.t.Helper()
	call := []string{"renameat", "write", "fsync"}[n%3]
	at := r.tr.at("rotate", call, 1+r.random.IntN(12), "KILL")
	if r.run("rotate, killed at "+call, at.Args).code == bySignal {
		r.kills++
	}
}

// bySignal is the status of a run that was killed, as a shell tells it.
const bySignal = 128 + 9

// has tells whether there is a record of that name.
func (r *race) has(record string) bool {
	_, err := os.Lstat(filepath.Join(r.tr.dir, "var/lib/fs-harden", record))
	return err == nil
}

// anotherInstance is a clone of the disk, started.
func (r *race) anotherInstance(n int) {
	if err := os.WriteFile(r.tr.dir+"/run/cloud-init/.instance-id", fmt.Appendf(nil, "i-%017x\n", n+1), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// peace ends the attack, and proves that the machine can be put into service.
func (r *race) peace() {
	r.t.Helper()
	for _, u := range r.users {
		u.stop()
	}
	r.anotherInstance(1 << 20)
	for _, command := range []string{"apply", "firstboot", "gate", "verify"} {
		if e := r.run(command, r.tr.helperFor(command)); e.code != 0 {
			r.t.Errorf("%s, after the attack: %s", command, e.output)
		}
	}
}

// user is a process of a user of the machine that exchanges things.
type user struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.Closer
	out  *bufio.Reader
	once sync.Once
}

// swapperProgram builds the program of that name, once.
var swapperProgram = sync.OnceValues(func() (string, error) {
	program, err := filepath.Abs("../.build/swapper")
	if err != nil {
		return "", err
	}
	if out, err := exec.Command("go", "build", "-o", program, "./swapper").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building swapper: %w\n%s", err, out)
	}
	return program, nil
})

// attack starts a user. It ends with the test at the latest.
func (r *race) attack(uid uint32, stash string, swaps []string) {
	r.t.Helper()
	built, err := swapperProgram()
	if err != nil {
		r.t.Fatal(err)
	}
	// The user may not come to where it was built. This process does not write it
	// itself: what another test starts in that moment would have it open.
	program := filepath.Join(filepath.Dir(r.tr.base), "swapper-"+strconv.Itoa(int(uid)))
	if out, err := exec.Command("install", "-m", "755", built, program).CombinedOutput(); err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(program, append([]string{strconv.Itoa(int(uid)), stash}, swaps...)...)
	cmd.Dir = r.tr.dir
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	in, err := cmd.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	u := &user{t: r.t, cmd: cmd, in: in, out: bufio.NewReader(out)}
	r.users = append(r.users, u)
	r.t.Cleanup(u.stop)
}

// stop ends a user, who then has everything in its place.
func (u *user) stop() {
	u.once.Do(func() {
		late := time.AfterFunc(runTime, func() { _ = u.cmd.Process.Kill() })
		defer late.Stop()
		_ = u.in.Close()
		said, _ := u.out.ReadString('\n')
		if err := u.cmd.Wait(); err != nil {
			u.t.Errorf("a user's process: %v", err)
		}
		const many = 500
		n, err := strconv.Atoi(strings.TrimSpace(said))
		if err != nil || n < many && !u.t.Failed() {
			u.t.Errorf("a user exchanged things %q times only", said)
		}
		u.t.Logf("a user exchanged things %d times", n)
	})
}
