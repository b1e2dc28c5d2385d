package fsxml

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// A writer makes up configurations that FreeSWITCH can mostly read: a byte
// fuzzer seldom gets past the parser.
type writer struct {
	*rand.Rand
	strings.Builder
}

func (w *writer) one(list ...string) { w.WriteString(list[w.IntN(len(list))]) }

func (w *writer) value() {
	for range w.IntN(3) {
		w.one("1", "$${x}", "$${e}", "$${local_ip_v4}", "$${q", "&amp;", "&#65;", "&foo;", " ", "\n", "\r\n", ">", "<", "/", "é", "${y}", "<!-- -->")
	}
}

func (w *writer) attrs() {
	for range w.IntN(3) {
		w.one(" ", "\n", "\t ", "\r\n")
		w.one("value", "name", "other", "VALUE", "$${x}")
		w.one("=", " = ", "=\n")
		quote := []string{`"`, "'"}[w.IntN(2)]
		w.WriteString(quote)
		w.one("a", "b", "A", "$${x}", "")
		w.value()
		w.WriteString(quote)
	}
	w.one("", "", " ", "\n", " bare", " bare=word ")
}

func (w *writer) between() {
	w.one("\n", "\n", "\n", "\n  ", "\r\n\t", " ", "", "", "\n\n", "text", "\r",
		"<!-- comment -->", "<!-- over\nlines -->", "<!--#comment x\n-->", "<!--#set \"x=Y\"-->",
		"\n<X-PRE-PROCESS cmd=\"set\" data=\"x=a\"/> lost\n", "\n<X-PRE-PROCESS cmd=\"include\" data=\"shared.xml\"/>\n",
		"\n<?lost?>\n", "\n<include>\n", "<![CDATA[<a>]]>", "\x00", "\n<!-- <X-PRE-PROCESS cmd=\"set\" data=\"e=\"/>\n -->")
}

func (w *writer) element(depth int) {
	tag := []string{"a", "settings", "param", "param", "param"}[w.IntN(5)]
	if depth == 0 {
		tag = "param"
	}
	w.WriteString("<" + tag)
	w.attrs()
	if w.IntN(2) == 0 && (tag == "param" || w.IntN(4) == 0) {
		w.WriteString("/>")
		return
	}
	w.WriteString(">")
	w.inside(depth - 1)
	w.WriteString("</" + tag)
	w.one(">", ">", " >", "\n>")
}

func (w *writer) inside(depth int) {
	w.between()
	for range w.IntN(4) {
		if depth >= 0 {
			w.element(depth)
		}
		w.between()
	}
}

func (w *writer) file() string {
	w.Reset()
	w.inside(3)
	return w.String()
}

func TestRandomEdits(t *testing.T) {
	seed, values := uint64(0), []string{"new", `"'<&>`, "", "a/>b", "-->"}
	done := 0
	for ; seed < 3000; seed++ {
		w := &writer{Rand: rand.New(rand.NewPCG(seed, 0))}
		tree := fuzzTree([]byte(w.file()))
		tree[conf+"/shared.xml"] = strings.ReplaceAll(w.file(), "shared.xml", "none.xml")
		done += checkSetParam(t, tree, "a", values[seed%5])
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if done < 1000 {
		t.Errorf("only %d edits of %d configurations went through", done, seed)
	}
}
