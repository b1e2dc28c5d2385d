package report

import "encoding/json"

// A machine with 10,000 users has 10,000 findings that say the same. A report
// lists so many of one kind, and so many of all kinds of one severity; the rest is
// counted.
const (
	Listed    = 100
	ListedAll = 1000
)

// Omitted are the findings of one kind that a step has and does not list.
type Omitted struct {
	Severity Severity `json:"severity"`
	Look     string   `json:"look,omitempty"`
	// Why is that of the listed ones of the same kind. Empty: these are of kinds
	// of which none is listed, because there are too many kinds.
	Why   string `json:"why,omitempty"`
	Count int    `json:"count"`
}

// Count is how many findings of a severity a step has, listed or not.
func (s Step) Count(of Severity) int {
	n := 0
	for _, f := range s.Findings {
		if f.Severity == of {
			n++
		}
	}
	for _, o := range s.Omitted {
		if o.Severity == of {
			n += o.Count
		}
	}
	return n
}

// MarshalJSON gives the step's form with its lists bounded.
func (s Step) MarshalJSON() ([]byte, error) {
	type plain Step
	return json.Marshal(plain(s.Bounded()))
}

// Bounded is the step with what is beyond the bounds counted instead of listed. A
// step that is bounded already stays as it is.
func (s Step) Bounded() Step {
	s.Findings, s.Omitted = boundedFindings(s.Findings, s.Omitted)
	var more int
	s.Changes, more = boundedChanges(s.Changes)
	s.OmittedChanges += more
	return s
}

func boundedFindings(all []Finding, omitted []Omitted) ([]Finding, []Omitted) {
	type kind struct {
		severity  Severity
		look, why string
	}
	listed, ofSeverity, more := map[kind]int{}, map[Severity]int{}, map[kind]int{}
	var kept []Finding
	var order []kind // in which kinds were first left out
	leave := func(k kind, n int) {
		if more[k] == 0 {
			order = append(order, k)
		}
		more[k] += n
	}
	for _, o := range omitted {
		leave(kind{o.Severity, o.Look, o.Why}, o.Count)
	}
	for _, f := range all {
		k := kind{f.Severity, f.Look, f.Why}
		switch {
		case listed[k] >= Listed:
			leave(k, 1)
		case ofSeverity[f.Severity] < ListedAll:
			listed[k]++
			ofSeverity[f.Severity]++
			kept = append(kept, f)
		case listed[k] > 0:
			leave(k, 1)
		default:
			leave(kind{f.Severity, f.Look, ""}, 1)
		}
	}
	var counted []Omitted
	for _, k := range order {
		counted = append(counted, Omitted{Severity: k.severity, Look: k.look, Why: k.why, Count: more[k]})
	}
	return kept, counted
}

func boundedChanges(all []Change) (kept []Change, more int) {
	type kind struct{ action, summary string }
	listed := map[kind]int{}
	for _, c := range all {
		k := kind{c.Action, c.Summary}
		if listed[k] >= Listed || len(kept) >= ListedAll {
			more++
			continue
		}
		listed[k]++
		kept = append(kept, c)
	}
	return kept, more
}
