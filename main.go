// Command packer-plugin-freeswitch is the Packer plugin: the door through which
// Packer finds the provisioner "freeswitch-harden".
package main

import (
	"fmt"
	"os"

	"github.com/hashicorp/packer-plugin-sdk/plugin"

	"github.com/goldenswitch/packer-plugin-freeswitch/provisioner"
	"github.com/goldenswitch/packer-plugin-freeswitch/version"
)

func main() {
	set := plugin.NewSet()
	set.RegisterProvisioner("harden", new(provisioner.Provisioner))
	set.SetVersion(version.PluginVersion)
	if err := set.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
