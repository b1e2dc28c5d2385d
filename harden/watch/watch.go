// Package watch listens to a running FreeSWITCH's events, and tells others what
// they need to stop who takes his time: the kernel, which sources have registered
// or had a call answered, so that the limits for strangers spare them; fail2ban's
// jails, whose calls were refused, and who calls himself a scanner.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/esl"
)

// A Watch is what it takes.
type Watch struct {
	// Dial connects to the event socket with the password of now: a rotation
	// changes it.
	Dial func(context.Context) (*esl.Conn, error)
	// Kernel carries out a script of nft's as one transaction. It is nil where no
	// limits are wanted.
	Kernel func(ctx context.Context, script string) error
	// Log is what the jails read. A line is one write.
	Log io.Writer
	// Known are the scanners.
	Known Signatures
	// Say tells a person what is going on; each sentence once in a row.
	Say func(string)
	// Ready is called whenever a connection has been made and the kernel told.
	Ready func()

	accepted accepted
	waiting  []challenge
	scanners budget
	said     string
}

// retry is how long is waited between two connections.
const retry = time.Second

// Run watches until ctx ends. Whatever fails is told, and tried again.
func (w *Watch) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.session(ctx)
		if ctx.Err() == nil {
			w.say(fmt.Sprintf("not watching: %v; tried again every %s", err, retry))
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
}

func (w *Watch) say(what string) {
	if what != w.said {
		w.said = what
		w.Say(what)
	}
}

// session is one connection, from its start to its end.
func (w *Watch) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// The kernel may have been given an empty table meanwhile.
	w.accepted = accepted{}
	addresses, err := registered(ctx, conn)
	if err != nil {
		return err
	}
	var news []netip.Prefix
	for _, a := range addresses {
		news = w.accept(news, Finding{a, Accepted, registeredNow})
	}
	if err := conn.Subscribe(ctx, Events()...); err != nil {
		return err
	}
	if err := w.tellKernel(ctx, news, watchedScript(false)); err != nil {
		return err
	}
	w.say(fmt.Sprintf("watching FreeSWITCH's events; %d sources have registered", len(w.accepted)))
	w.Ready()
	return w.follow(ctx, conn)
}

// startTimeout bounds what comes before the first event.
const startTimeout = 30 * time.Second

func (w *Watch) dial(ctx context.Context) (*esl.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return w.Dial(ctx)
}

// queue is how many events may wait while the kernel is told of others.
const queue = 4096

// follow takes events in until the connection ends.
func (w *Watch) follow(ctx context.Context, conn *esl.Conn) error {
	events, ended := make(chan esl.Event, queue), error(nil)
	go func() {
		defer close(events) // what has come is taken in before
		for ended == nil {
			var e esl.Event
			if e, ended = conn.Next(ctx); ended != nil {
				return
			}
			select {
			case events <- e:
			case <-ctx.Done():
				ended = ctx.Err()
			}
		}
	}()
	ping, due := time.NewTicker(pingEvery), time.NewTicker(patience/4)
	defer ping.Stop()
	defer due.Stop()
	waits := 0 // pings without an answer
	for {
		select {
		case <-ping.C:
			if waits++; waits > 2 {
				return errors.New("FreeSWITCH runs, and its event socket does not answer")
			}
			if err := conn.Ping(); err != nil {
				return err
			}
		case now := <-due.C:
			if err := w.tellChallenges(now); err != nil {
				return err
			}
		case e, open := <-events:
			if !open {
				return ended
			}
			answered, err := w.take(ctx, e, events)
			if err != nil {
				return err
			}
			if answered {
				waits = 0
			}
		}
	}
}

// take is for one event and all that wait behind it: the kernel is told of them
// in one go. It reports whether a ping was answered.
func (w *Watch) take(ctx context.Context, e esl.Event, more <-chan esl.Event) (answered bool, err error) {
	var news []netip.Prefix
	for {
		f := Judge(e, w.Known)
		now := time.Now()
		switch {
		case e == nil:
			answered = true
		case f.Verdict == Accepted:
			news = w.accept(news, f)
		case w.accepted.trusts(f.Source, now):
		case f.Verdict == Challenged && len(w.waiting) < queue:
			w.waiting = append(w.waiting, challenge{f, now})
		case f.Verdict == Scanner && !w.scanners.spend(now):
		default:
			if err := writeLine(w.Log, now, f); err != nil {
				return answered, err
			}
		}
		var open bool
		select {
		case e, open = <-more:
		default:
		}
		if !open {
			break
		}
	}
	watched := ""
	if answered {
		watched = watchedScript(true)
	}
	return answered, w.tellKernel(ctx, news, watched)
}

// accept takes a source in, and adds it to those that the kernel is to be told of.
func (w *Watch) accept(news []netip.Prefix, f Finding) []netip.Prefix {
	if w.accepted.add(f.Source, f.Why != conversed, time.Now()) {
		news = append(news, keyOf(f.Source))
	}
	return news
}

// tellKernel tells it of sources and, where that is not empty, that FreeSWITCH is
// watched.
func (w *Watch) tellKernel(ctx context.Context, news []netip.Prefix, watched string) error {
	if w.Kernel == nil {
		return nil
	}
	scripts := acceptScripts(news)
	if watched != "" {
		scripts = append(scripts, watched)
	}
	for _, script := range scripts {
		if err := w.Kernel(ctx, script); err != nil {
			return err
		}
	}
	return nil
}

// A challenge waits to be told to the jail: FreeSWITCH asks every telephone for
// its password once, and whoever gives the right one is no stranger.
type challenge struct {
	Finding
	at time.Time
}

// patience is how long a source has for the right password. It is longer than a
// way around the world and back, and short enough for the jail to come in time.
const patience = 2 * time.Second

// tellChallenges writes those whose time is over.
func (w *Watch) tellChallenges(now time.Time) error {
	for len(w.waiting) > 0 && now.Sub(w.waiting[0].at) >= patience {
		c := w.waiting[0]
		w.waiting = w.waiting[1:]
		if w.accepted.trusts(c.Source, now) {
			continue
		}
		if err := writeLine(w.Log, c.at, c.Finding); err != nil {
			return err
		}
	}
	return nil
}

// A budget is how many scanners are told to the jail in a second. One packet is
// enough for a ban, and its sender can be forged: a flood of them must not keep
// fail2ban from banning others.
type budget struct {
	second int64
	spent  int
}

const scannersASecond = 10

func (b *budget) spend(now time.Time) bool {
	if now.Unix() != b.second {
		b.second, b.spent = now.Unix(), 0
	}
	b.spent++
	return b.spent <= scannersASecond
}
