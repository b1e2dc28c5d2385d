// Package report is what fs-harden says about a run: one JSON object that an
// auditor keeps, and that Packer's side reads back. No secret is ever in it.
package report

// Version of the report's form. It rises when a field changes its meaning.
const Version = 1

// Phase is the part of a machine's life that a run belongs to.
type Phase string

// The phases. Bake runs in Packer, the others on the instance.
const (
	Bake      Phase = "bake"
	FirstBoot Phase = "firstboot"
	Rotate    Phase = "rotate"
	Verify    Phase = "verify"
	Rollback  Phase = "rollback"
	Inspect   Phase = "inspect"
	Forget    Phase = "forget"
)

// Result is the outcome of a whole run.
type Result string

// The results.
const (
	OK     Result = "ok"
	Failed Result = "failed"
)

// Status is the outcome of one step.
type Status string

// The statuses. Deferred means that the work waits for a running system and is
// done at first boot; Skipped, that there is nothing to do here and why.
const (
	Changed    Status = "changed"
	Unchanged  Status = "unchanged"
	Deferred   Status = "deferred"
	Skipped    Status = "skipped"
	StepFailed Status = "failed"
)

// CheckStatus is the outcome of one check.
type CheckStatus string

// The outcomes of a check.
const (
	Pass          CheckStatus = "pass"
	Fail          CheckStatus = "fail"
	CheckDeferred CheckStatus = "deferred"
	CheckSkipped  CheckStatus = "skipped"
)

// Report is one run of the helper.
type Report struct {
	Version    int      `json:"version"`
	Phase      Phase    `json:"phase"`
	Result     Result   `json:"result"`
	InstanceID string   `json:"instance_id"`
	DurationMS int64    `json:"duration_ms"`
	DryRun     bool     `json:"dry_run,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`
	Steps      []Step   `json:"steps"`
}

// Step is what one step did.
type Step struct {
	Name    string   `json:"name"`
	Status  Status   `json:"status"`
	Reason  string   `json:"reason,omitempty"`
	Changes []Change `json:"changes,omitempty"`
	Checks  []Check  `json:"checks,omitempty"`
	// Findings are what stands in the way of being an image, see Finding.
	Findings []Finding `json:"findings,omitempty"`
	// Omitted and OmittedChanges count what is not listed, see Listed.
	Omitted        []Omitted `json:"omitted,omitempty"`
	OmittedChanges int       `json:"omitted_changes,omitempty"`
}

// Change is one thing that a step altered. Summary never holds a secret.
type Change struct {
	Path    string `json:"path"`
	Action  string `json:"action"`
	Summary string `json:"summary"`
}

// Check is one statement about the machine that was put to the test.
type Check struct {
	Name   string      `json:"name"`
	Status CheckStatus `json:"status"`
	Detail string      `json:"detail,omitempty"`
}

// Severity is how much a finding weighs.
type Severity string

// The severities. An error fails a run, a warning is for a person to judge.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing that must not be in an image, or had better not be.
type Finding struct {
	Path     string   `json:"path"`
	Severity Severity `json:"severity"`
	// Why says what it does to whoever starts the image, Remedy what removes it.
	Why    string `json:"why"`
	Remedy string `json:"remedy"`
	// Look is the look that found it, in a step that holds those of several.
	Look string `json:"look,omitempty"`
}

// FailedChecks counts the checks that failed in the whole report.
func (r *Report) FailedChecks() int {
	n := 0
	for _, s := range r.Steps {
		for _, c := range s.Checks {
			if c.Status == Fail {
				n++
			}
		}
	}
	return n
}
