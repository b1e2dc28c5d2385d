// Package fakeswitch is test code: it stands in for FreeSWITCH on machines
// that have none, and imitates what FreeSWITCH 1.10.12 does with its
// configuration, its event socket and the SIP requests of strangers. Calls carry
// no sound.
//
// What it imitates, with the place in FreeSWITCH's source:
//
//   - the preprocessor that makes XML of the configuration, and the expanded
//     text that it leaves in the log folder (switch_xml.c:1424, 1688);
//   - the event socket: its defaults (also for an empty password), its access
//     list, one try of a password a connection, the settings kept until the
//     module is loaded again (mod_event_socket.c);
//   - the events of registrations and calls, to those who ask for them with
//     "event plain", and how a listener that does not read is thrown out;
//   - the API commands that a tool for the event socket needs
//     (mod_commands.c, mod_sofia.c);
//   - SIP on every profile, over UDP, TCP, TLS and WebSockets (answers go back
//     the way the request came): challenge, digest, registration, and the
//     log lines of those (sofia.c, sofia_reg.c), in the form that
//     shared/data/freeswitch-1.10.12-attack.log holds;
//   - every other method, as sofia-sip and mod_sofia answer it to strangers, and
//     what a profile calls itself in its answers (methods.go, introduction.go);
//   - calls, as far as the number decides in the dialplan: answered, ringing at
//     a registered phone until the caller gives up, or refused with the status
//     of a cause (mod_sofia.c:292);
//   - the log profiles of logfile.conf, by file, function and level, their
//     rotation, and SIP traces, which come without a prefix (mod_logfile.c);
//   - the two private keys made at the first start (switch_core_cert.c:250).
//
// Where it departs from FreeSWITCH: commands in the configuration ("exec",
// "exec-set") are not run, and a STUN server always answers with the machine's
// own address; local_ip_v4 is the first address of an interface where there is
// no route to the world, and not 127.0.0.1; keys are elliptic; SIP has
// no access lists, and a profile that is "tls-only" listens on UDP and TCP too;
// there is no voicemail, a registered phone is not really called, and a call
// that was challenged and given up leaves no event; a filter of events with a
// regular expression fits nothing.
//
// It shares no code with what it tests, so that a fault in a parser cannot
// hide behind the same fault here.
package fakeswitch

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options are the folders of an installation, all of which must exist but for
// the run folder, and how slow it is.
type Options struct {
	ConfDir string
	LogDir  string
	DBDir   string
	RunDir  string

	// ReloadDelay passes between the answer to "reload mod_event_socket" and
	// the unloading, in which the old password still works.
	ReloadDelay time.Duration
}

// Files below DBDir that make it misbehave while they exist.
const (
	// ModuleInUse makes the unloading of mod_event_socket fail, as an active
	// outbound "socket" application does.
	ModuleInUse = "standin-module-in-use"
	// Hang makes the event socket accept connections and say nothing more.
	Hang = "standin-hang"
)

// Switch is a FreeSWITCH that runs.
type Switch struct {
	options Options
	log     *logger
	started time.Time
	now     func() time.Time // a test's clock
	stopped chan struct{}
	stop    sync.Once
	jobs    sync.WaitGroup // background API commands
	closing sync.Once
	closed  error
	reload  sync.Mutex // one "reload" at a time (mod_commands.c:2819)
	uuid    string     // Core-UUID

	events   sync.Mutex // guards sequence, and keeps events in its order
	sequence uint64

	mu            sync.Mutex // guards what follows
	variables     map[string]string
	document      *document
	lists         *document    // whose access lists are in force (switch_core.c:1451)
	module        *eventSocket // nil while unloaded
	profiles      map[string]*profile
	registrations map[string]registration
	calls         []*call
	tracing       bool // every SIP packet is logged
}

// Start reads the configuration and opens the event socket and the SIP
// profiles. A profile whose address cannot be had and a key that cannot be
// written are logged and left out, as FreeSWITCH does; a configuration that
// cannot be read is an error.
func Start(o Options) (*Switch, error) {
	if err := os.MkdirAll(o.RunDir, 0o755); err != nil {
		return nil, fmt.Errorf("make the run folder: %w", err)
	}
	s := &Switch{
		options:       o,
		log:           &logger{},
		started:       time.Now(),
		now:           time.Now,
		stopped:       make(chan struct{}),
		uuid:          newUUID(),
		variables:     coreVariables(o),
		profiles:      map[string]*profile{},
		registrations: map[string]registration{},
	}
	if err := s.loadXML(); err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	s.lists = s.document
	s.loadLogfile()
	if err := makeKeys(filepath.Join(o.ConfDir, "tls")); err != nil {
		s.log.line("ERR", "switch_core_cert.c:291", "Certificate generation failed: %v", err)
	}
	for _, name := range s.configuration().profileNames() {
		s.startProfile(name)
	}
	s.loadEventSocket()
	s.log.line("CONSOLE", "switch_core.c:2504", "FreeSWITCH Started")
	return s, nil
}

// Stopped is closed once "fsctl shutdown" or "shutdown" was asked for. Close
// has then still to be called.
func (s *Switch) Stopped() <-chan struct{} { return s.stopped }

// Close ends everything and waits for it. A second Close does nothing.
func (s *Switch) Close() error {
	s.closing.Do(func() { s.closed = s.close() })
	return s.closed
}

func (s *Switch) close() error {
	s.shutdown()
	s.unloadEventSocket() // ends the sessions, which start jobs
	s.jobs.Wait()
	s.unloadEventSocket() // a job may have loaded it again
	s.mu.Lock()
	profiles := s.profiles
	s.profiles = map[string]*profile{}
	s.mu.Unlock()
	for _, p := range profiles {
		p.close()
	}
	return s.log.close()
}

func (s *Switch) shutdown() {
	s.stop.Do(func() { close(s.stopped) })
}

// loadXML reads the configuration anew and writes its expansion beside the log
// (switch_xml.c:1707). The one in use stays where the new one does not parse.
func (s *Switch) loadXML() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := preprocessor{variables: s.variables, log: s.log}
	if err := p.file(filepath.Join(s.options.ConfDir, "freeswitch.xml"), 0); err != nil {
		return err
	}
	expanded := filepath.Join(s.options.LogDir, "freeswitch.xml.fsxml")
	if err := os.WriteFile(expanded+".tmp", p.out.Bytes(), 0o666); err != nil {
		return err
	}
	if err := os.Rename(expanded+".tmp", expanded); err != nil {
		return err
	}
	d, err := parseDocument(p.out.Bytes())
	if err != nil {
		return err
	}
	s.document = d
	return nil
}

// reloadACL reads the configuration and takes over its access lists, which no other
// reload does (mod_commands.c:1911).
func (s *Switch) reloadACL() string {
	if result := s.reloadXML(); result != "Success" {
		return "-ERR [" + result + "]\n"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists = s.document
	return "+OK acl reloaded\n"
}

func (s *Switch) accessLists() *document {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists
}

func (s *Switch) configuration() *document {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.document
}

// told says whether one of the files that ask for misbehaviour is there.
func (s *Switch) told(what string) bool {
	_, err := os.Lstat(filepath.Join(s.options.DBDir, what))
	return err == nil
}
