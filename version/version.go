// Package version is the plugin's version, told to Packer by "describe".
package version

import "github.com/hashicorp/packer-plugin-sdk/version"

// Version and VersionPrerelease make the version, as in 0.1.0-dev. A release
// is built with VersionPrerelease emptied through -ldflags -X; Packer installs
// and compares only semantic versions.
var (
	Version           = "0.1.0"
	VersionPrerelease = "dev"
)

// PluginVersion is both of them in the SDK's form.
var PluginVersion = version.NewPluginVersion(Version, VersionPrerelease, "")
