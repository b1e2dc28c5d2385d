# Hardens the FreeSWITCH of a machine that runs already, reached by SSH.
#
#   packer init .
#   packer validate -var host=192.0.2.10 .
#   packer build    -var host=192.0.2.10 -var user=debian -var private_key_file=~/.ssh/id_ed25519 .
#
# The machine is changed for good: use one that you can throw away, or that is
# about to become an image. "make demo" runs this file against such a machine.
# For a cloud, put a builder in place of the null source; amazon-ebs/ shows one.

packer {
  required_plugins {
    freeswitch = {
      version = ">= 0.1.0"
      source  = "github.com/goldenswitch/freeswitch"
    }
  }
}

variable "host" {
  type        = string
  description = "Address or name of the machine."
  default     = "127.0.0.1"
}

variable "port" {
  type        = number
  description = "TCP port of its sshd."
  default     = 22
}

variable "user" {
  type        = string
  description = "Who logs in: root, or a user who may use sudo without a password."
  default     = "root"
}

variable "private_key_file" {
  type        = string
  description = "SSH private key of that user. Empty: the keys of ssh-agent."
  default     = ""
}

variable "report" {
  type        = string
  description = "Where the report of the run goes on this computer."
  default     = "freeswitch-harden.json"
}

# The null source makes no machine and no image: it only connects.
source "null" "machine" {
  communicator         = "ssh"
  ssh_host             = var.host
  ssh_port             = var.port
  ssh_username         = var.user
  ssh_private_key_file = var.private_key_file == "" ? null : var.private_key_file
  ssh_agent_auth       = var.private_key_file == ""
}

build {
  sources = ["source.null.machine"]

  # Whatever installs and configures FreeSWITCH comes before. The hardening is
  # the last to touch its configuration.

  # Every option has a default that is right. Only the report is asked for.
  provisioner "freeswitch-harden" {
    report = var.report
  }

  # Last of all: fails the build where a secret is in the image, whatever the
  # provisioners before it have done.
  provisioner "shell" {
    inline = [var.user == "root" ? "fs-harden inspect" : "sudo fs-harden inspect"]
  }
}
