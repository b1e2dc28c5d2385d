package identity

import "encoding/json"

// localStageDone reads cloud-init's /run/cloud-init/status.json (cloud-init,
// cmd/main.py status_wrapper). The stage init-local has a finish time once it
// ran. If it found no datasource, which only the network tells then, the
// datasource is null and nothing was written in this boot yet.
func localStageDone(status []byte) bool {
	var s struct {
		V1 struct {
			Datasource json.RawMessage `json:"datasource"`
			InitLocal  struct {
				Finished *float64 `json:"finished"`
			} `json:"init-local"`
		} `json:"v1"`
	}
	if err := json.Unmarshal(status, &s); err != nil {
		return false
	}
	return s.V1.InitLocal.Finished != nil && string(s.V1.Datasource) != "null"
}
