package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

const hidden = "Xq7Zp2Lm9Kd4Rt6Vw8Yb3Nc5Hj1G"

// shapes are ways in which a secret comes to be handed to a printer.
func shapes() map[string]any {
	type kept struct{ inner secret.Value } // fmt does not call methods through this
	type shown struct{ Inner secret.Value }
	v := secret.Of(hidden)
	pair := secret.Pair{SIP: v, ESL: v}
	return map[string]any{
		"value": v, "pointer": &v, "pair": pair, "pair pointer": &pair,
		"exported field": shown{v}, "unexported field": kept{v}, "pointer to unexported": &kept{v},
		"slice": []secret.Value{v}, "map": map[string]secret.Value{"k": v}, "nested": []any{map[string]any{"p": &pair}},
		"error": fmt.Errorf("with %v", v),
	}
}

// leaks tells whether s holds the secret, as it is or as hex.
func leaks(s string) bool {
	low := strings.ToLower(s)
	return strings.Contains(s, hidden) || strings.Contains(low, fmt.Sprintf("%x", hidden)) ||
		strings.Contains(low, strings.ToLower(fmt.Sprintf("% x", hidden)))
}

func TestLeaksSeesALeak(t *testing.T) {
	for _, s := range []string{hidden, fmt.Sprintf("%X", hidden), fmt.Sprintf("% x", hidden)} {
		if !leaks(s) {
			t.Errorf("%q would not be noticed", s)
		}
	}
}

func TestNoVerbPrintsIt(t *testing.T) {
	for name, v := range shapes() {
		for _, flag := range []string{"", "+", "#", "-", " ", "0", "40", ".40", "+#"} {
			for verb := '!'; verb <= '~'; verb++ { // every one, those of today's fmt and others
				if out := fmt.Sprintf("%"+flag+string(verb), v); leaks(out) {
					t.Errorf("%s: %%%s%c prints %s", name, flag, verb, out)
				}
			}
		}
		if leaks(fmt.Sprint(v) + fmt.Sprintln(v)) {
			t.Errorf("%s: Print gives it away", name)
		}
	}
}

func TestItShowsAsAsterisks(t *testing.T) {
	v := secret.Of(hidden)
	for _, format := range []string{"%v", "%s", "%+v", "%#v"} {
		if got := fmt.Sprintf(format, v); got != "********" {
			t.Errorf("%s prints %q", format, got)
		}
	}
}

func TestNoLogHoldsIt(t *testing.T) {
	for name, v := range shapes() {
		var out bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).With("with", v).WithGroup("g").Info("made", "v", v, slog.Any("any", v), slog.Group("in", "v", v))
		}
		if leaks(out.String()) {
			t.Errorf("%s: slog prints %s", name, out.String())
		}
	}
}

func TestEncodingIsRefused(t *testing.T) {
	v := secret.Of(hidden)
	for name, v := range map[string]any{"value": v, "pointer": &v, "pair": secret.Pair{SIP: v}, "list": []secret.Value{v}} {
		if b, err := json.Marshal(v); err == nil || leaks(string(b)+err.Error()) {
			t.Errorf("%s: json gives %s, %v", name, b, err)
		}
	}
	for name, v := range shapes() {
		var out bytes.Buffer
		err := errors.Join(gob.NewEncoder(&out).Encode(v), xml.NewEncoder(&out).Encode(v))
		if leaks(out.String()) || (err != nil && leaks(err.Error())) {
			t.Errorf("%s: gob or xml gives it away", name)
		}
	}
}
