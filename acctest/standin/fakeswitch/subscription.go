package fakeswitch

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// What mod_event_socket holds for a listener that does not keep up, and how
// many it misses until it is thrown out (mod_event_socket.c:34).
const (
	maxQueue  = 100000
	maxMissed = 500
)

// everything is the name under which a listener asks for every event.
const everything = "ALL"

// The subclasses of CUSTOM that are fired (mod_sofia.h:84).
const (
	registered     = "sofia::register"
	registerFailed = "sofia::register_failure"
	unregistered   = "sofia::unregister"
	challenged     = "sofia::pre_register"
)

// eventNames are the names that "event" knows, of FreeSWITCH's all those that a
// tool listens for. Others are passed over, as FreeSWITCH passes over words that
// it does not know.
var eventNames = strings.Fields(`ALL API BACKGROUND_JOB CHANNEL_ANSWER CHANNEL_CALLSTATE CHANNEL_CREATE CHANNEL_DESTROY
	CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_PROGRESS CHANNEL_STATE CUSTOM HEARTBEAT MESSAGE MODULE_LOAD
	MODULE_UNLOAD PRESENCE_IN RELOADXML SHUTDOWN STARTUP TRAP`)

// subscription is what one listener wants to hear of, and what waits to be sent
// to it.
type subscription struct {
	mu         sync.Mutex
	names      map[string]bool
	subclasses map[string]bool // of CUSTOM
	filters    []setting       // a header's name, and what it is compared to
	queue      chan *event     // nil until the first "event"
	missed     int             // since the last one that found room
}

// wants says whether an event goes to the listener; sub.mu is held. Filters are
// asked one after another (mod_event_socket.c:319).
func (sub *subscription) wants(e *event) bool {
	switch {
	case sub.names[everything]:
	case !sub.names[e.name]:
		return false
	case e.subclass != "" && !sub.subclasses[e.subclass]:
		return false
	}
	if len(sub.filters) == 0 {
		return true
	}
	send := false
	for _, f := range sub.filters {
		value, found := e.header(f.name)
		if !found {
			continue
		}
		want := strings.TrimLeft(f.value, "+- ")
		signs := strings.TrimSuffix(f.value, want)
		exclude := strings.LastIndex(signs, "-") > strings.LastIndex(signs, "+")
		switch {
		case send && !exclude, !strings.EqualFold(value, want):
		case exclude:
			return false
		default:
			send = true
		}
	}
	return send
}

// offer puts an event into the queue if the listener wants it and there is
// room, and says whether the listener has missed too many.
func (sub *subscription) offer(e *event, log *logger) (tooMany bool) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.queue == nil || !sub.wants(e) {
		return false
	}
	select {
	case sub.queue <- e:
		if sub.missed > 0 {
			log.line("CRIT", "mod_event_socket.c:392", "Lost [%d] events! Event Queue size: [%d/%d]", sub.missed, len(sub.queue), cap(sub.queue))
			sub.missed = 0
		}
		return false
	default:
	}
	sub.missed++
	log.line("CRIT", "mod_event_socket.c:397", "Event enqueue ERROR [11] | [Resource temporarily unavailable] | Queue size: [%d/%d] Max queue size reached", len(sub.queue), cap(sub.queue))
	if sub.missed > maxMissed {
		log.line("CRIT", "mod_event_socket.c:401", "Killing listener because of too many lost events. Lost [%d] Queue size[%d/%d]", sub.missed, len(sub.queue), cap(sub.queue))
		return true
	}
	return false
}

// add is the command "event": a format, names, and after CUSTOM the names of
// subclasses (mod_event_socket.c:2457).
func (sub *subscription) add(words []string) string {
	if len(words) > 0 {
		switch strings.ToLower(words[0]) {
		case "plain":
			words = words[1:]
		case "json", "xml":
			return "-ERR the stand-in sends events as plain only"
		}
	}
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.names == nil {
		sub.names, sub.subclasses = map[string]bool{}, map[string]bool{}
	}
	names, subclasses := eventWords(words)
	if len(names) == 0 {
		return "-ERR no keywords supplied"
	}
	sub.name(names)
	for _, subclass := range subclasses {
		sub.subclasses[subclass] = true
	}
	if sub.queue == nil {
		sub.queue = make(chan *event, maxQueue)
	}
	return "+OK event listener enabled plain"
}

// name adds to the names that are wanted. Whoever wants all of them wants all
// the subclasses, too.
func (sub *subscription) name(names []string) {
	for _, name := range names {
		sub.names[name] = true
		if name == everything {
			for _, subclass := range []string{registered, registerFailed, unregistered} {
				sub.subclasses[subclass] = true
			}
		}
	}
}

// remove is the command "nixevent".
func (sub *subscription) remove(words []string) string {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	names, subclasses := eventWords(words)
	if len(names) == 0 {
		return "-ERR no keywords supplied"
	}
	for _, name := range names {
		switch name {
		case everything:
			clear(sub.names)
		case "CUSTOM": // its subclasses alone
		default:
			if sub.names[everything] {
				sub.name(eventNames)
				delete(sub.names, everything)
			}
			delete(sub.names, name)
		}
	}
	for _, subclass := range subclasses {
		delete(sub.subclasses, subclass)
	}
	return "+OK events nixed"
}

// eventWords tells the names of events from those of subclasses, which follow
// CUSTOM.
func eventWords(words []string) (names, subclasses []string) {
	for i, word := range words {
		name := strings.TrimPrefix(strings.ToUpper(word), "SWITCH_EVENT_")
		if !slices.Contains(eventNames, name) {
			continue
		}
		names = append(names, name)
		if name == "CUSTOM" {
			return names, words[i+1:]
		}
	}
	return names, nil
}

// end is the command "noevents", which also drops what waits.
func (sub *subscription) end() string {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.queue == nil || len(sub.names) == 0 {
		return "-ERR not listening for events"
	}
	clear(sub.names)
	clear(sub.subclasses)
	for len(sub.queue) > 0 {
		select {
		case <-sub.queue:
		default:
		}
	}
	return "+OK no longer listening for events"
}

// filter is the command of that name (mod_event_socket.c:1953). A regular
// expression ("/.../") is compared as the text that it is.
func (sub *subscription) filter(argument string) string {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	name, value, hasValue := strings.Cut(strings.TrimLeft(argument, " "), " ")
	verb := strings.ToLower(name)
	if hasValue && (verb == "delete" || verb == "add") {
		name, value, hasValue = strings.Cut(value, " ")
	}
	switch {
	case verb == "delete" && name != "":
		sub.filters = slices.DeleteFunc(sub.filters, func(f setting) bool {
			return strings.EqualFold(name, "all") || strings.EqualFold(f.name, name) && (!hasValue || f.value == value)
		})
		return fmt.Sprintf("+OK filter deleted. [%s][%s]", name, value)
	case !hasValue:
		return "-ERR invalid syntax"
	default:
		sub.filters = append(sub.filters, setting{name, value})
		return fmt.Sprintf("+OK filter added. [%s]=[%s]", name, value)
	}
}
