package inspect

// Named is one look.
type Named struct {
	Name string
	Look func(*scene)
}

// Looks is everything that is looked at, in order: what is FreeSWITCH's and the
// bake's, vanilla's defaults, and the system's own.
func Looks() []Named {
	return []Named{
		{"unit", unitFolders}, // first, for the others look where it leads
		{"other-starters", otherStarters},
		{"shared-secrets", sharedSecrets},
		{"private-keys", privateKeys},
		{"expanded-configuration", expandedConfiguration},
		{"logs", logs},
		{"databases", databases},
		{"run-files", runFiles},
		{"core-dumps", coreDumps},
		{"credentials", credentials},
		{"leftovers", leftovers},
		{"backups", backups},
		{KeptPasswords, keptPasswords},
		{"editor-files", editorFiles},
		{"site-secrets", siteSecrets},
		{"recordings", recordings},

		{"directory", directory},
		{"modules", modules},
		{"sip-profiles", sipProfiles},
		{"dialplan", dialplan},
		{"advisories", advisories},

		{"ssh-host-keys", sshHostKeys},
		{"authorized-keys", authorizedKeys},
		{"ssh-passwords", sshPasswords},
		{"password-hashes", passwordHashes},
		{"user-credentials", userCredentials},
		{"histories", histories},
		{"machine-id", machineID},
		{"random-seeds", randomSeeds},
		{"cloud-init", cloudInit},
		{"system-logs", systemLogs},
		{"installer", installer},
		{"dhcp-leases", leases},
		{"sudo-rules", sudoRules},
		{"tls-keys", tlsKeys},
		{"network-keys", networkKeys},
		{"package-credentials", packageCredentials},
		{"swap", swap},
	}
}
