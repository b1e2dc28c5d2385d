package inspect

import (
	"path"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// configuration is FreeSWITCH's, as FreeSWITCH would read it; nil where there is
// none, or none that can be read, which is a finding.
func (s *scene) configuration() *fsxml.Config {
	if s.ConfDir == "" || s.read {
		return s.config
	}
	s.read = true
	c, err := fsxml.Load(host.Confine(s.Tree, s.ConfDir), s.ConfDir)
	if err != nil {
		s.add(advice(Image, path.Join(s.ConfDir, "freeswitch.xml"),
			"FreeSWITCH cannot read its configuration, so nobody looked for passwords in it: "+reason(err),
			"mend the file that is named, or put it back from the backup in /root"))
		return nil
	}
	s.config = c
	s.loaded = map[string]bool{}
	for _, l := range s.loads() {
		s.loaded[moduleName(l)] = true
	}
	return c
}

// loads are the lines that load a module (switch_loadable_module.c:2232).
func (s *scene) loads() []fsxml.Spot {
	var out []fsxml.Spot
	for _, file := range []fsxml.Place{"pre_load_modules.conf", "modules.conf", "post_load_modules.conf"} {
		out = append(out, s.config.Spots(configurations+"["+file+"]/modules/load")...)
	}
	return out
}

func moduleName(load fsxml.Spot) string { return strings.TrimSuffix(load.Attr("module"), ".so") }
