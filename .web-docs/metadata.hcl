# Read by HashiCorp's integrations site: https://developer.hashicorp.com/packer/integrations
integration {
  name        = "FreeSWITCH"
  description = "Bakes hardened FreeSWITCH images whose instances make their own secrets at first boot."
  identifier  = "packer/goldenswitch/freeswitch"
  flags       = []
  docs {
    process_docs    = true
    readme_location = "./README.md"
    external_url    = "https://github.com/goldenswitch/packer-plugin-freeswitch"
  }
  license {
    type = "MPL-2.0"
    url  = "https://github.com/goldenswitch/packer-plugin-freeswitch/blob/main/LICENSE"
  }
  component {
    type = "provisioner"
    name = "FreeSWITCH harden"
    slug = "harden"
  }
}
