package identity

import (
	"encoding/json"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// Where cloud-init writes. /run is empty before each boot; the disk holds what the
// origin of a copy had.
const (
	runID        = "/run/cloud-init/.instance-id"
	runStatus    = "/run/cloud-init/status.json" // a link to the disk, made and filled in this boot
	runResult    = "/run/cloud-init/result.json" // the same, at the end of the boot
	instanceData = "/run/cloud-init/instance-data.json"
	diskID       = "/var/lib/cloud/data/instance-id"
	// manualClean stands where cloud-init was told to believe its cache
	// (manual_cache_clean; cloudinit/stages.py): the id may be another machine's.
	manualClean = "/var/lib/cloud/instance/manual-clean"
)

// cloudInit is cloud-init's instance id, with the datasource that gave it.
func cloudInit(h *host.Host) Cloud {
	st := readStatus(h, runStatus)
	id := line(h, runID)
	if id == "" && st.localDone() {
		id = line(h, diskID)
	}
	if id == "" {
		return Cloud{}
	}
	c := Cloud{ID: id, Datasource: st.datasource(), Shared: h.Exists(manualClean)}
	if c.Datasource == "" {
		c.Datasource = readStatus(h, runResult).datasource()
	}
	if c.Datasource == "" {
		c.Datasource = platform(h, id)
	}
	return c
}

// status is status.json of cloud-init 22 to 26 (cloudinit/cmd/main.py,
// status_wrapper). result.json has the datasource in the same place.
type status struct {
	V1 struct {
		Datasource *string `json:"datasource"` // str() of it; null while there is none
		InitLocal  struct {
			// When the stage ended: seconds since 1970, and since the start of the
			// kernel from 24.2 on.
			Finished *float64 `json:"finished"`
		} `json:"init-local"`
	} `json:"v1"`
}

func readStatus(h *host.Host, path string) (s status) {
	b, err := h.ReadFile(path)
	if err != nil || json.Unmarshal(b, &s) != nil {
		return status{}
	}
	return s
}

// localDone tells whether the disk holds this boot's instance id: the stage
// init-local has ended and found a datasource. If only the network tells which, the
// datasource is null then and nothing was written in this boot yet.
func (s status) localDone() bool { return s.V1.InitLocal.Finished != nil && s.V1.Datasource != nil }

// datasource is the class of "DataSourceNoCloud [seed=/dev/sr0][dsmode=net]" without
// what only tells at which stage it was asked.
func (s status) datasource() string {
	if s.V1.Datasource == nil {
		return ""
	}
	name, _, _ := strings.Cut(strings.TrimSpace(*s.V1.Datasource), " ")
	name, ok := strings.CutPrefix(name, "DataSource")
	if !ok || !isWord(name) {
		return ""
	}
	for _, stage := range []string{"Local", "Net"} {
		if short, ok := strings.CutSuffix(name, stage); ok && short != "" {
			return short
		}
	}
	return name
}

// platform is the datasource's name in instance-data.json, if that speaks of id
// (cloudinit/sources/__init__.py, _get_standardized_metadata).
func platform(h *host.Host, id string) string {
	b, err := h.ReadFile(instanceData)
	if err != nil {
		return ""
	}
	var d struct {
		V1 struct {
			InstanceID string `json:"instance_id"`
			Platform   string `json:"platform"`
		} `json:"v1"`
	}
	if json.Unmarshal(b, &d) != nil || d.V1.InstanceID != id || !isWord(d.V1.Platform) {
		return ""
	}
	return d.V1.Platform
}

// isWord tells a name that may be shown and kept.
func isWord(s string) bool {
	letter := func(r rune) bool { return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
	return s != "" && len(s) <= 40 && strings.TrimFunc(s, letter) == ""
}
