package harden

import "github.com/goldenswitch/packer-plugin-freeswitch/harden/report"

var (
	bake   = []report.Phase{report.Bake}
	boot   = []report.Phase{report.FirstBoot, report.Rotate}
	starts = []report.Phase{report.Bake, report.FirstBoot}
	always = []report.Phase{report.Bake, report.FirstBoot, report.Rotate}
)

// Steps is everything that happens to a machine, in order. The bake runs in
// Packer; what must differ per instance runs at first boot and at a rotation.
func Steps() []Step {
	return []Step{
		{Name: "preflight", In: always, Propose: preflight},
		{Name: "backup", In: bake, OnlyWithOthers: true, Propose: backup, Check: checkBackup},
		{Name: "helper", In: bake, Propose: installHelper, Check: checkHelper},
		// Before a secret is written: no moment in which others read it.
		{Name: "configuration-access", In: always, Propose: confidential, Check: checkConfidential},
		// Random and kept by nobody in the image; the instance's own from first boot on.
		{Name: "sip-password", In: always, Propose: sipPassword, Check: checkSIPPassword},
		{Name: "event-socket", In: always, Propose: eventSocket, Check: checkEventSocket},
		{Name: "event-socket-access", In: always, Propose: eventSocketAccess, Check: checkEventSocketAccess},
		{Name: "log-auth-failures", In: bake, Propose: logAuthFailures, Check: checkLogAuthFailures},
		{Name: "sip-banner", In: bake, Propose: sipBanner, Check: checkSIPBanner},
		// Who may call in without a password: after what else sets a profile's parameters.
		{Name: "trunks", In: bake, Propose: trunks, Check: checkTrunks},
		// FreeSWITCH writes every password in clear beside its log.
		{Name: "expanded-configuration", In: bake, Propose: expandedConfiguration, Check: checkExpanded},
		{Name: "auth-log", In: bake, Propose: authLogStep, Check: checkAuthLog},
		// Who may read the secrets, and how fs_cli finds them.
		{Name: "credentials", In: boot, Propose: credentials, Check: checkCredentials},
		{Name: "fs-cli", In: boot, Propose: fsCLI, Check: checkFSCLI},
		// FreeSWITCH starts behind the first boot, or not at all.
		{Name: "gate", In: bake, Propose: gate, Check: checkGate},
		// A FreeSWITCH that runs already is told, and the change is proven on it.
		{Name: "reload", In: boot, Propose: reload, Check: checkLive},
		{Name: "packages", In: bake, Replan: true, Propose: packages, Check: checkPackages},
		// Bans and limits in the kernel; fail2ban fills what this makes.
		{Name: "rate-limit", In: bake, Propose: rateLimit, Check: checkKernel},
		// Who has registered, and whose calls were refused, for both of them. Not in a
		// rotation, which must not fail for a watch that does not come up.
		{Name: "watch", In: starts, Propose: watchStep, Check: checkWatch},
		{Name: "fail2ban", In: bake, Propose: jails, Check: checkJails},
		// What comes in at all.
		{Name: "firewall", In: bake, Propose: firewall, Check: checkFirewall},
		// Whether all of it holds, tried out.
		{Name: "proof", In: bake, Propose: nothing, Check: checkProof},
		// What no image may hold goes, once nothing writes it any more.
		{Name: "halt", In: bake, Replan: true, Propose: halt},
		{Name: "image", In: bake, Propose: image, Inspect: inspectImage},
		// The record comes last: without it, nothing before it counts.
		{Name: "record", In: bake, OnlyWithOthers: true, Propose: recordBake},
		{Name: "commit", In: boot, Propose: commit},
	}
}
