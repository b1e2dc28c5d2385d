//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// view is what a person would look at on a machine.
type view struct {
	name string
	rows map[string]string
}

// rows are the lines of the table: what is looked at, and the command that
// shows it. These machines live for a minute, so their passwords may be shown.
var rows = []struct{ name, script string }{
	{"SIP password", `grep -o 'default_password=[^"]*' /etc/freeswitch/vars.xml | cut -d= -f2`},
	{"event socket password", `sed -n 's/.*name="password" value="\([^"]*\)".*/\1/p' /etc/freeswitch/autoload_configs/event_socket.conf.xml`},
	{"event socket listens on", `ss -Hlnt 'sport = :8021' | awk '{print $4}' | paste -sd ' '`},
	{"ClueCon is accepted", `fs_cli -H 127.0.0.1 -P 8021 -p ClueCon -x status >/dev/null 2>&1 && echo yes || echo no`},
	{"fs_cli -x status", `fs_cli -x status 2>/dev/null | head -1 | cut -d' ' -f1 | grep . || echo 'does not connect'`},
	{"profiles that log guesses", `grep -l '^ *<param name="log-auth-failures" value="true"' /etc/freeswitch/sip_profiles/*.xml | wc -l`},
	{"secrets made for", `fs-harden status 2>/dev/null | sed -n 's/^instance  *//p' | grep . || echo -`},
	{"made before FreeSWITCH by", `a=$(systemctl show --value -p ExecMainExitTimestampMonotonic fs-harden-firstboot); b=$(systemctl show --value -p ExecMainStartTimestampMonotonic freeswitch); [ "$a" -gt 0 ] 2>/dev/null && echo "$(( (b - a) / 1000 )) ms" || echo -`},
	{"fs-harden verify", `if command -v fs-harden >/dev/null; then fs-harden verify --json | tail -1 | grep -o '"status":"[a-z]*"' | sort | uniq -c | grep -E 'pass|fail' | awk '{print $2 ": " $1}' | tr -d '"' | sed 's/status://' | paste -sd ' '; else echo -; fi`},
}

func look(ctx context.Context, m lab.Machine) (view, error) {
	v := view{m.Name(), map[string]string{}}
	for _, r := range rows {
		out, err := m.Exec(ctx, "sh", "-c", r.script)
		if err != nil {
			return v, err
		}
		v.rows[r.name] = strings.TrimSpace(out)
	}
	return v, nil
}

// table prints the machines side by side.
func table(views []view) {
	line := func(first string, cell func(view) string) {
		fmt.Printf("%-26s", first)
		for _, v := range views {
			fmt.Printf("  %-36s", cell(v))
		}
		fmt.Println()
	}
	line("", func(v view) string { return v.name })
	for _, r := range rows {
		line(r.name, func(v view) string { return v.rows[r.name] })
	}
}

// compare is the point of it all.
func compare(a, b view) error {
	var faults []error
	for _, name := range []string{"SIP password", "event socket password"} {
		if a.rows[name] == b.rows[name] {
			faults = append(faults, fmt.Errorf("both instances have the same %s", name))
		}
	}
	for _, v := range []view{a, b} {
		if v.rows["ClueCon is accepted"] != "no" {
			faults = append(faults, fmt.Errorf("%s accepts FreeSWITCH's default password", v.name))
		}
		if !strings.HasPrefix(v.rows["fs_cli -x status"], "UP") {
			faults = append(faults, fmt.Errorf("FreeSWITCH is not up on %s", v.name))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	fmt.Println("\nThe secrets differ, each was made before FreeSWITCH started, and the default is refused.")
	return nil
}
