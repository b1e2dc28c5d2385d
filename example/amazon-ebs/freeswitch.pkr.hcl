# Bakes an AMI of a hardened FreeSWITCH for your SIP trunk's addresses.
#
#   packer init .
#   packer build -var install_script=install-freeswitch.sh -var 'trunk=["203.0.113.0/24"]' .
#
# Each instance makes its own passwords at its first boot. Read them there, as
# root: /root/freeswitch-credentials.txt.

packer {
  required_plugins {
    amazon = {
      version = ">= 1.3.0"
      source  = "github.com/hashicorp/amazon"
    }
    freeswitch = {
      version = ">= 0.1.0"
      source  = "github.com/goldenswitch/freeswitch"
    }
  }
}

variable "region" {
  type    = string
  default = "eu-central-1"
}

variable "install_script" {
  type        = string
  description = "Your script that installs and configures FreeSWITCH; it runs as root."
}

variable "trunk" {
  type        = list(string)
  description = "Addresses and CIDRs that may speak SIP with the instances."
}

source "amazon-ebs" "freeswitch" {
  region        = var.region
  ami_name      = "freeswitch-{{ isotime \"20060102-1504\" }}"
  instance_type = "t3.small"
  ssh_username  = "admin"

  # Packer's own key is taken out of the image as the build ends.
  ssh_clear_authorized_keys = true

  source_ami_filter {
    owners      = ["136693071363"] # Debian
    most_recent = true
    filters = {
      name                = "debian-12-amd64-*"
      virtualization-type = "hvm"
    }
  }
}

build {
  sources = ["source.amazon-ebs.freeswitch"]

  provisioner "shell" {
    execute_command = "chmod +x {{ .Path }}; {{ .Vars }} sudo -E {{ .Path }}"
    script          = var.install_script
  }

  provisioner "freeswitch-harden" {
    admin_users    = ["admin"]
    cleanup_system = true
    sip_allow_from = var.trunk
    report         = "${path.root}/reports/${build.ID}.json"

    fail2ban {
      max_retry = 10
      ignore_ip = var.trunk
    }
  }

  # Last of all: fails the build where a secret is in the image, whatever the
  # provisioners before it have done.
  provisioner "shell" {
    inline = ["sudo fs-harden inspect"]
  }
}
