package fakeswitch

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// maxRotated is MAX_ROT of mod_logfile.c.
const maxRotated = 4096

// levels are FreeSWITCH's log levels (switch_log.c, LEVELS).
var levels = []string{"CONSOLE", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG"}

// logFile is a profile of mod_logfile that is loaded.
type logFile struct {
	path     string
	handle   *os.File
	rollover int64 // bytes; 0 for never
	keep     int   // old files that are kept; 0 for all, named by date
	old      int   // the number that the oldest one has or gets, at least 1
	uuid     bool  // each line of a call begins with its uuid
	all      []string
	mappings map[string][]string // levels by file, function or FILE:FUNCTION
}

// loadLogfile is the loading of mod_logfile, which is loaded whatever
// modules.conf says.
func (s *Switch) loadLogfile() {
	config := s.configuration().file("logfile.conf")
	var files []*logFile
	var failures []error
	for _, x := range child(config, "profiles").SelectElements("profile") {
		f := newLogFile(x, filepath.Join(s.options.LogDir, "freeswitch.log"))
		if err := f.open(); err != nil {
			failures = append(failures, err)
			continue
		}
		files = append(files, f)
	}
	rotate := false
	for _, p := range settings(child(config, "settings")) {
		if p.name == "rotate-on-hup" {
			rotate = isTrue(p.value)
		}
	}
	s.log.load(files, rotate)
	for _, err := range failures {
		s.log.line("ERR", "mod_logfile.c:119", "%v", err)
	}
}

func (l *logger) load(files []*logFile, rotateOnHUP bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loaded, l.files, l.rotateOnHUP = true, files, rotateOnHUP
	for _, m := range l.waiting {
		for _, f := range files {
			f.take(m)
		}
	}
	l.waiting = nil
}

// changeLogfile loads, unloads or reloads mod_logfile.
func (s *Switch) changeLogfile(verb string) string {
	s.reload.Lock()
	defer s.reload.Unlock()
	var text strings.Builder
	if verb == "reload" && s.reloadXML() == "Success" {
		text.WriteString("+OK Reloading XML\n")
	}
	if verb != "load" {
		if err := s.log.close(); err != nil {
			return text.String() + "-ERR unloading module [" + err.Error() + "]\n"
		}
		text.WriteString("+OK module unloaded\n")
	}
	if verb != "unload" {
		s.loadLogfile()
		text.WriteString("+OK module loaded\n")
	}
	return text.String()
}

// HangUp is what SIGHUP does to FreeSWITCH: its logs are rotated, or opened
// anew (mod_logfile.c, event_handler).
func (s *Switch) HangUp() {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.files {
		if l.rotateOnHUP {
			f.rotate()
			continue
		}
		_ = f.handle.Close()
		_ = f.open() // nobody is left to tell
	}
}

// newLogFile reads a profile (load_profile).
func newLogFile(x *etree.Element, fallback string) *logFile {
	f := &logFile{old: 1, uuid: true, mappings: map[string][]string{}}
	for _, s := range settings(child(x, "settings")) {
		switch n, _ := strconv.ParseUint(s.value, 10, 31); s.name {
		case "logfile":
			f.path = s.value
		case "rollover":
			f.rollover = int64(n)
		case "maximum-rotate":
			f.keep = cmp.Or(int(n), maxRotated)
		case "uuid":
			f.uuid = isTrue(s.value)
		}
	}
	f.path = cmp.Or(f.path, fallback)
	for _, m := range child(x, "mappings").SelectElements("map") {
		name, mask := m.SelectAttrValue("name", ""), levelMask(m.SelectAttrValue("value", ""))
		if strings.EqualFold(name, "all") {
			f.all = append(f.all, mask...)
		} else {
			f.mappings[name] = mask
		}
	}
	return f
}

// levelMask reads "warning,err" (switch_log_str2mask).
func levelMask(list string) (mask []string) {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.ToUpper(strings.TrimSpace(name))
		if name == "ALL" {
			return levels
		}
		if slices.Contains(levels, name) {
			mask = append(mask, name)
		}
	}
	return mask
}

func (f *logFile) open() error {
	handle, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o666) // less the umask
	if err != nil {
		return fmt.Errorf("logfile %s open error: %w", f.path, err)
	}
	f.handle = handle
	if f.full() {
		f.rotate()
	}
	return nil
}

func (f *logFile) full() bool {
	info, err := f.handle.Stat()
	return err == nil && f.rollover > 0 && info.Size() >= f.rollover
}

// take writes a message that the profile asks for (process_node).
func (f *logFile) take(m message) {
	if !slices.Contains(f.all, m.level) &&
		!slices.Contains(f.mappings[m.file], m.level) &&
		!slices.Contains(f.mappings[m.function], m.level) &&
		!slices.Contains(f.mappings[m.file+":"+m.function], m.level) {
		return
	}
	if !f.uuid || m.uuid == "" {
		f.write(m.text)
		return
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(m.text, "\n"), "\n") {
		f.write(m.uuid + " " + line + "\n")
	}
}

// write writes, and rotates a file that became too long. Nobody is left to tell
// of a failure.
func (f *logFile) write(text string) {
	_, _ = f.handle.WriteString(text)
	if f.full() {
		f.rotate()
	}
}

// rotate puts the file aside as FILE.1, and what was FILE.1 as FILE.2, or with
// no limit as FILE.DATE.N, and begins a new one (mod_logfile_rotate).
func (f *logFile) rotate() {
	aside := f.path + ".1"
	if f.keep > 0 {
		for n := f.old; n > 1; n-- {
			_ = os.Rename(f.numbered(n-1), f.numbered(n))
		}
		f.old = min(f.old+1, f.keep)
	} else {
		date := f.path + "." + time.Now().Format("2006-01-02-15-04-05")
		for n := 1; n < maxRotated; n++ {
			aside = fmt.Sprintf("%s.%d", date, n)
			if _, err := os.Lstat(aside); errors.Is(err, os.ErrNotExist) {
				break
			}
		}
	}
	_ = f.handle.Close()
	_ = os.Rename(f.path, aside)
	handle, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o666)
	if err == nil {
		f.handle = handle
	}
}

func (f *logFile) numbered(n int) string { return fmt.Sprintf("%s.%d", f.path, n) }
