package identity

import "encoding/json"

// record is an instance as it stands in a record. An fs-harden that knew one answer
// only wrote source and value alone, and reads no more today: it is told the most
// telling answer, and Answers holds all of them.
type record struct {
	Source  Source   `json:"source"`
	Value   string   `json:"value"`
	Answers *answers `json:"answers,omitempty"`
}

type answers struct {
	Cloud    Cloud     `json:"cloud_init,omitzero"`
	AssetTag string    `json:"ec2_asset_tag,omitempty"`
	UUID     string    `json:"product_uuid,omitempty"`
	Machine  MachineID `json:"machine_id,omitzero"`
}

// MarshalJSON gives the form of a record. One that was read from an earlier
// fs-harden's record keeps its form.
func (i Instance) MarshalJSON() ([]byte, error) {
	if i.legacy.source != "" {
		return json.Marshal(record{Source: i.legacy.source, Value: i.legacy.value})
	}
	t := i.telling()
	return json.Marshal(record{t.source, t.value, &answers{i.Cloud, i.AssetTag, i.UUID, i.Machine}})
}

// UnmarshalJSON reads the form of a record, an earlier fs-harden's too. An answer of
// a source that this one does not know is kept, and compared with nothing.
func (i *Instance) UnmarshalJSON(b []byte) error {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	*i = Instance{}
	if a := r.Answers; a != nil {
		*i = Instance{Cloud: a.Cloud, AssetTag: a.AssetTag, UUID: a.UUID, Machine: a.Machine}
		return nil
	}
	i.legacy = answer{r.Source, r.Value}
	switch r.Source {
	case CloudInit, "cloud-init-data":
		i.Cloud.ID = r.Value
	case EC2:
		i.AssetTag = r.Value
	case ProductUUID:
		i.UUID = r.Value
	case FromMachine:
		i.Machine = MachineID{ID: r.Value, New: true}
	}
	return nil
}
