package nft

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

var limitIn = map[string]time.Duration{"second": time.Second, "minute": time.Minute, "hour": time.Hour}

var limitRule = regexp.MustCompile(`update @([a-z]+)_v([46]) \{ [^}]*? limit rate over (\d+)(?: bytes)?/(second|minute|hour) burst (\d+) (?:packets|bytes) \}`)

// The pages that people read have the numbers of the rules, of both families.
func TestTheDocsTellTheLimits(t *testing.T) {
	const limits, strangers = "../../docs/limits.md", "../../docs/strangers.md"
	pages := map[string]string{}
	for _, name := range []string{limits, strangers} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pages[name] = string(b)
	}
	text := mustRuleset(t, plan.Default(), vanillaPorts)
	found := map[string]string{}
	for _, m := range limitRule.FindAllStringSubmatch(strings.ReplaceAll(text, " bytes/", "/"), -1) {
		n, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		found[m[1]+m[2]] = fmt.Sprintf("%g a minute, at once %s", n*float64(time.Minute)/float64(limitIn[m[4]]), m[5])
	}
	for name, want := range map[string]struct{ page, row, numbers string }{
		"invite":    {limits, "| INVITE | 25 | 100 |", "1500 a minute, at once 100"},
		"register":  {limits, "| REGISTER | 10 | 200 |", "600 a minute, at once 200"},
		"options":   {limits, "| OPTIONS | 10 | 60 |", "600 a minute, at once 60"},
		"subscribe": {limits, "| SUBSCRIBE | 50 | 600 |", "3000 a minute, at once 600"},
		"message":   {limits, "| MESSAGE | 10 | 100 |", "600 a minute, at once 100"},
		"connect":   {limits, "| new TCP connections | 10 | 200 |", "600 a minute, at once 200"},
		"call":      {strangers, "| INVITE | 0.5 | 22 |", "0.5 a minute, at once 22"},
		"enrol":     {strangers, "| REGISTER | 20 | 9 |", "20 a minute, at once 9"},
		"probe":     {strangers, "together | 3 | 10 |", "3 a minute, at once 10"},
		"visit":     {strangers, "| new TCP connections | 0.2 | 2 |", "0.2 a minute, at once 2"},
		"stream":    {strangers, "| 720 bytes | 6,000 bytes |", "720 a minute, at once 6000"},
	} {
		if !strings.Contains(pages[want.page], want.row) {
			t.Errorf("%s does not have %q", want.page, want.row)
		}
		for _, family := range []string{"4", "6"} {
			if found[name+family] != want.numbers {
				t.Errorf("the limit %s of IPv%s is %q, and the page says %q", name, family, found[name+family], want.numbers)
			}
		}
	}
}
