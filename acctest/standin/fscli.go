package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// target is where fs_cli connects to, and as whom.
type target struct{ host, port, password string }

// fsCLI runs one command of FreeSWITCH's console and prints its answer. Only
// what is asked with -x is imitated, not the console itself.
func fsCLI(args []string, stdout io.Writer) int {
	flags := flag.NewFlagSet("fs_cli", flag.ContinueOnError)
	flags.SetOutput(stdout)
	host, port, password, command := "", "", "", ""
	for _, f := range []struct {
		to    *string
		names [2]string
		usage string
	}{
		{&host, [2]string{"H", "host"}, "Host to connect"},
		{&port, [2]string{"P", "port"}, "Port to connect (1 - 65535)"},
		{&password, [2]string{"p", "password"}, "Password"},
		{&command, [2]string{"x", "execute"}, "Execute Command and Exit"},
	} {
		flags.StringVar(f.to, f.names[0], "", f.usage)
		flags.StringVar(f.to, f.names[1], "", f.usage)
	}
	timeout := flags.Int("t", 0, "Timeout for API commands (in milliseconds)")
	if err := flags.Parse(args); err != nil || command == "" {
		flags.Usage()
		return exitDone
	}
	to := chooseProfile(readProfiles(os.Getenv("HOME")), flags.Arg(0))
	for _, o := range []struct{ given, field *string }{{&host, &to.host}, {&port, &to.port}, {&password, &to.password}} {
		if *o.given != "" {
			*o.field = *o.given
		}
	}
	answer, err := to.execute(command, time.Duration(*timeout)*time.Millisecond)
	if err != nil {
		fmt.Fprintf(stdout, "[ERROR] fs_cli.c:1699 main() Error Connecting [%v]\n", err)
		return exitRefused
	}
	fmt.Fprintln(stdout, answer)
	return exitDone
}

// profileEntry is one [name] of a configuration file.
type profileEntry struct {
	name string
	target
}

// readProfiles reads ~/.fs_cli_conf or, only where that cannot be opened,
// /etc/fs_cli.conf (read_config, fs_cli.c:1278).
func readProfiles(home string) []profileEntry {
	const system = "/etc/fs_cli.conf"
	path := system
	if home != "" {
		path = filepath.Join(home, ".fs_cli_conf")
	}
	content, err := os.ReadFile(path)
	if err != nil {
		if content, err = os.ReadFile(system); err != nil {
			return nil
		}
	}
	return parseProfiles(string(content))
}

// parseProfiles reads "[name]" and "key => value" lines as
// esl_config_next_pair does (esl_config.c:106). A section without keys is
// none.
func parseProfiles(content string) []profileEntry {
	var profiles []profileEntry
	section := ""
	for line := range strings.Lines(content) {
		if inside, isSection := strings.CutPrefix(line, "["); isSection {
			if name, _, closed := strings.Cut(inside, "]"); closed {
				section = name
				continue
			}
		}
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		if strings.HasPrefix(line, "__END__") {
			break
		}
		line, _, _ = strings.Cut(line, ";;")
		key, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if !found {
			continue
		}
		key = strings.Trim(key, " \t")
		value = strings.TrimLeft(strings.TrimPrefix(value, ">"), " \t")
		if len(profiles) == 0 || profiles[len(profiles)-1].name != section {
			profiles = append(profiles, profileEntry{section, builtIn()})
		}
		to := &profiles[len(profiles)-1].target
		switch strings.ToLower(key) {
		case "host":
			to.host = value
		case "password":
			to.password = value
		case "port":
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				to.port = value
			}
		}
	}
	return profiles
}

// chooseProfile takes the one asked for, else "default", else the first, else
// what is built in (fs_cli.c:1641).
func chooseProfile(profiles []profileEntry, wanted string) target {
	for _, name := range []string{wanted, "default"} {
		for _, p := range profiles {
			if name != "" && p.name == name {
				return p.target
			}
		}
	}
	if len(profiles) > 0 {
		return profiles[0].target
	}
	return builtIn()
}

func builtIn() target { return target{"127.0.0.1", "8021", "ClueCon"} }

// execute connects, authenticates and runs one command. A timeout of 0 is
// none.
func (t target) execute(command string, timeout time.Duration) (string, error) {
	conn, err := net.Dial("tcp", net.JoinHostPort(t.host, t.port))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if timeout > 0 {
		if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
			return "", err
		}
	}
	reader := textproto.NewReader(bufio.NewReader(conn))
	hello, err := reader.ReadMIMEHeader()
	if err != nil {
		return "", err
	}
	if kind := hello.Get("Content-Type"); kind != "auth/request" {
		return "", errors.New(kind)
	}
	if _, err := fmt.Fprintf(conn, "auth %s\n\n", t.password); err != nil {
		return "", err
	}
	reply, err := reader.ReadMIMEHeader()
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(reply.Get("Reply-Text"), "+OK") {
		return "", errors.New("Authentication Error") //nolint:staticcheck // the words of the real fs_cli
	}
	if _, err := fmt.Fprintf(conn, "api %s\nconsole_execute: true\n\n", command); err != nil {
		return "", err
	}
	response, err := reader.ReadMIMEHeader()
	if err != nil {
		return "", err
	}
	length, err := strconv.ParseUint(response.Get("Content-Length"), 10, 24)
	if err != nil {
		return response.Get("Reply-Text"), nil
	}
	body := make([]byte, length)
	_, err = io.ReadFull(reader.R, body)
	return string(body), err
}
