package fail2ban

import (
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

func TestFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plan func(*plan.Plan)
		sshd bool
		want []string
		file string
	}{
		"of an empty plan": {want: []string{
			"ignoreip = 127.0.0.0/8 ::1\n",
			"[freeswitch]\nenabled  = true\nfilter   = fs-harden[mode=strangers]\nlogpath  = /var/log/freeswitch/fs-harden-auth.log\n           /var/log/fs-harden/watch.log\nbackend  = polling\nusedns   = no\nignoreself = false\nmaxretry = 20\nfindtime = 300\nbantime  = 86400\naction   = fs-harden.py\n           fs-harden-jail.py\n",
			"[freeswitch-challenge]\nenabled  = false\n",
			"[freeswitch-refused]\nenabled  = true\nfilter   = fs-harden[mode=refused]\nlogpath  = /var/log/fs-harden/watch.log\nbackend  = polling\nusedns   = no\nignoreself = false\nmaxretry = 20\nfindtime = 300\nbantime  = 86400\naction   = fs-harden.py\n           fs-harden-jail.py\n",
			"[freeswitch-scanner]\nenabled  = true\nfilter   = fs-harden[mode=scanner]\nlogpath  = /var/log/fs-harden/watch.log\nbackend  = polling\nusedns   = no\nignoreself = false\nmaxretry = 1\n",
			"maxretry = 3\nfindtime = 604800\nbantime  = 604800\naction   = fs-harden.py\n",
			"[sshd]\nenabled  = false\n",
		}},
		"the trusted": {
			plan: func(p *plan.Plan) {
				p.SIPAllowFrom, p.Fail2ban.IgnoreIP = []string{"203.0.113.0/24", "2001:db8::/32"}, []string{"192.0.2.7"}
			},
			want: []string{"ignoreip = 127.0.0.0/8 ::1 192.0.2.7 203.0.113.0/24 2001:db8::/32\n"},
		},
		"everybody may call and nobody is trusted": {
			plan: func(p *plan.Plan) {
				p.SIPAllowFrom, p.Fail2ban.IgnoreIP = []string{"0.0.0.0/0", "::/0"}, []string{"192.0.2.7"}
			},
			want: []string{"ignoreip = 127.0.0.0/8 ::1 192.0.2.7\n"},
		},
		"everybody in two halves": {
			plan: func(p *plan.Plan) { p.SIPAllowFrom = []string{"0.0.0.0/1", "128.0.0.0/1", "2001:db8::/32"} },
			want: []string{"ignoreip = 127.0.0.0/8 ::1 2001:db8::/32\n"},
		},
		"refusals": {
			plan: func(p *plan.Plan) { p.Refusals.MaxRetry, p.Refusals.FindTime = 7, 77 },
			want: []string{"[mode=refused]\nlogpath  = /var/log/fs-harden/watch.log\nbackend  = polling\nusedns   = no\nignoreself = false\nmaxretry = 7\nfindtime = 77\n"},
		},
		"challenges apart": {
			plan: func(p *plan.Plan) { p.Fail2ban.ChallengeMaxRetry = 2000 },
			want: []string{"fs-harden[mode=failures]", "[freeswitch-challenge]\nenabled  = true\nfilter   = fs-harden[mode=challenges]\n", "maxretry = 2000\n"},
		},
		"with sshd": {
			sshd: true,
			want: []string{"[sshd]\nenabled  = true\n"},
		},
		"by iptables": {
			plan: func(p *plan.Plan) { p.Fail2ban.BanAction = "iptables-allports" },
			want: []string{"action   = fs-harden-iptables[name=%(__name__)s]\n           fs-harden-jail.py\n"},
		},
		"every protocol by iptables": {
			plan: func(p *plan.Plan) { p.Fail2ban.BanAction = "iptables-allports" },
			file: "action.d/fs-harden-iptables.conf",
			want: []string{"protocol = all\n", "[Init?family=inet6]\nblocktype = DROP\n", "actionban = <iptables> -I f2b-<name> -s <ip> ! -i lo -j <blocktype>\n"},
		},
		"bans are kept as long as they last": {
			file: "fail2ban.d/fs-harden.local",
			want: []string{"dbpurgeage = 691200\n", "logtarget = /var/log/fail2ban.log\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan.Default()
			if c.plan != nil {
				c.plan(p)
			}
			if c.file == "" {
				c.file = "jail.d/fs-harden.local"
			}
			files, err := Config{Plan: p, AuthLog: "/var/log/freeswitch/fs-harden-auth.log", WatchLog: "/var/log/fs-harden/watch.log", SSHD: c.sshd}.Files()
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(files, func(f File) bool { return f.Path == Dir+"/"+c.file })
			if i < 0 {
				t.Fatalf("no file %s", c.file)
			}
			got := files[i].Text
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("lacks %q", want)
				}
			}
			if strings.ContainsAny(got, "@") || t.Failed() {
				t.Errorf("%s:\n%s", c.file, got)
			}
		})
	}
}

// A jail that asks the resolver is blind until an answer comes.
func TestNoJailAsksAResolver(t *testing.T) {
	t.Parallel()
	files, err := Config{Plan: plan.Default(), SSHD: true}.Files()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(files, func(f File) bool { return f.Path == JailsFile })
	_, text, _ := strings.Cut(files[i].Text, "[DEFAULT]\n")
	jails := strings.Split(text, "\n[")[1:]
	if len(jails) != 6 {
		t.Fatalf("%d jails in\n%s", len(jails), text)
	}
	for _, jail := range jails {
		for _, want := range []string{"\nusedns   = no\n", "\nignoreself = false\n", "\n           fs-harden-jail.py\n"} {
			if !strings.Contains(jail+"\n", want) {
				t.Errorf("a jail lacks %q:\n[%s", want, jail)
			}
		}
	}
}

func TestJailList(t *testing.T) {
	got := jailList("Status\n|- Number of jail:\t3\n`- Jail list:\tfreeswitch, recidive, sshd\n")
	if !slices.Equal(got, []string{"freeswitch", "recidive", "sshd"}) {
		t.Errorf("%q", got)
	}
}
