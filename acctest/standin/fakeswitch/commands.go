package fakeswitch

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// Die makes "reload mod_event_socket" end the whole process, as a crash does, and
// is taken away by that; see ModuleInUse.
const Die = "standin-die"

// version is what FreeSWITCH 1.10.12 calls itself.
const version = "1.10.12-release"

// answer is the text of an API command, and what is to happen once it is sent.
type answer struct {
	text string
	then func()
}

func (a answer) follow() {
	if a.then != nil {
		a.then()
	}
}

// execute runs an API command (api_exec, mod_event_socket.c:1521).
func (s *Switch) execute(command string) answer {
	name, argument, _ := strings.Cut(command, " ")
	argument = strings.TrimSpace(argument)
	a := answer{}
	switch name {
	case "status":
		a.text = s.status()
	case "version":
		a.text = "FreeSWITCH Version " + version + " ~64bit (-release  64bit)\n"
	case "reloadxml":
		a.text = "+OK [" + s.reloadXML() + "]\n"
	case "reloadacl":
		a.text = s.reloadACL()
	case "global_getvar":
		a.text = s.variable(argument)
	case "show":
		a.text = s.show(argument)
	case "originate":
		a.text = s.originate(argument)
	case "sofia":
		a.text = s.sofia(strings.Fields(argument))
	case "reload", "unload", "load":
		a.text = s.changeModule(name, argument)
	case "bgapi":
		if argument == "" {
			a.text = "-ERR Invalid syntax\n"
			break
		}
		a.text = "+OK Job-UUID: " + newUUID() + "\n"
		a.then = func() { s.background(argument) }
	case "shutdown":
		a.text, a.then = "+OK\n", s.shutdown
	case "fsctl":
		if argument == "send_sighup" {
			a.text, a.then = "+OK\n", s.HangUp
			break
		}
		if argument != "shutdown" && !strings.HasPrefix(argument, "shutdown ") {
			a.text = "-USAGE: [shutdown [cancel|elegant|asap|now|restart]]\n"
			break
		}
		a.text, a.then = "+OK\n", s.shutdown
	default:
		a.text = "-ERR " + name + " Command not found!\n"
	}
	if a.text == "" {
		a.text = "-ERR no reply\n"
	}
	return a
}

// background runs an API command whose answer nobody waits for, unless all is
// ending.
func (s *Switch) background(command string) {
	select {
	case <-s.stopped:
		return
	default:
	}
	s.jobs.Add(1)
	go func() {
		defer s.jobs.Done()
		s.execute(command).follow()
	}()
}

// changeModule loads, unloads or reloads mod_event_socket, the one module that
// can (mod_commands.c:2785). "reload" reads the configuration first.
func (s *Switch) changeModule(verb, argument string) string {
	name := strings.TrimSpace(strings.TrimPrefix(argument, "-f "))
	if name == "mod_logfile" {
		return s.changeLogfile(verb)
	}
	if name != "mod_event_socket" {
		return "-ERR unloading module [No such module!]\n"
	}
	s.reload.Lock()
	defer s.reload.Unlock()
	var text strings.Builder
	if verb == "reload" && s.reloadXML() == "Success" {
		text.WriteString("+OK Reloading XML\n")
	}
	if verb != "load" {
		select {
		case <-time.After(s.options.ReloadDelay):
		case <-s.stopped:
		}
		if s.told(Die) {
			_ = os.Remove(filepath.Join(s.options.DBDir, Die)) // the next start is to live
			s.shutdown()
			return ""
		}
		if s.told(ModuleInUse) || s.holdsModule() {
			s.log.line("WARNING", "switch_loadable_module.c:2345", "Module %s is in use, cannot unload.", name)
			text.WriteString("-ERR unloading module [Module in use.]\n")
		} else {
			s.unloadEventSocket()
			text.WriteString("+OK module unloaded\n")
		}
	}
	if verb != "unload" {
		s.mu.Lock()
		loaded := s.module != nil
		s.mu.Unlock()
		if loaded {
			text.WriteString("-ERR loading module [Module already loaded]\n")
		} else {
			s.loadEventSocket()
			text.WriteString("+OK module loaded\n")
		}
	}
	return text.String()
}

// reloadXML says "Success" or, where the configuration in use stayed, why
// (switch_xml.c:2395).
func (s *Switch) reloadXML() string {
	if err := s.loadXML(); err != nil {
		s.log.line("ERR", "switch_xml.c:1683", "Error Parsing File: %v", err)
		return "Cannot Open log directory or XML Root!"
	}
	return "Success"
}

func (s *Switch) variable(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != "" {
		return s.variables[name]
	}
	var lines []string
	for name, value := range s.variables {
		lines = append(lines, name+"="+value+"\n")
	}
	sort.Strings(lines)
	return strings.Join(lines, "")
}

func (s *Switch) status() string {
	up := s.now().Sub(s.started)
	return fmt.Sprintf("UP 0 years, %d days, %d hours, %d minutes, %d seconds, %d milliseconds, %d microseconds\n"+
		"FreeSWITCH (Version %s  64bit) is ready\n"+
		"0 session(s) since startup\n"+
		"0 session(s) - peak 0, last 5min 0 \n"+
		"0 session(s) per Sec out of max 30, peak 0, last 5min 0 \n"+
		"1000 session(s) max\n"+
		"min idle cpu 0.00/98.77\n",
		int(up.Hours())/24, int(up.Hours())%24, int(up.Minutes())%60, int(up.Seconds())%60, up.Milliseconds()%1000, up.Microseconds()%1000, version)
}

// show answers "show calls", and "show registrations" with the columns of FreeSWITCH's table
// (switch_core_sqldb.c).
func (s *Switch) show(argument string) string {
	switch argument {
	case "calls":
		return s.showCalls()
	case "registrations":
	default:
		return "-USAGE: calls|registrations\n"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, r := range s.registrations {
		lines = append(lines, r.row()+"\n")
	}
	sort.Strings(lines)
	const columns = "reg_user,realm,token,url,expires,network_ip,network_port,network_proto,hostname,metadata\n"
	if len(lines) == 0 {
		return "\n0 total.\n"
	}
	return columns + strings.Join(lines, "") + fmt.Sprintf("\n%d total.\n", len(lines))
}
