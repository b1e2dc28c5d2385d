#!/bin/sh
# Runs on the build host once the packages are in; $1 is the root directory.
set -eu
root=$1

chroot "$root" useradd --create-home --shell /bin/bash --groups sudo debian
chmod 0440 "$root/etc/sudoers.d/lab"
chroot "$root" systemctl --quiet enable lab-ssh-host-key.service

# Nothing may hold apt's lock or the processor behind a test's back.
chroot "$root" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer \
	dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service

# What each machine makes or is given by itself.
rm -f "$root"/etc/ssh/ssh_host_*_key "$root"/etc/ssh/ssh_host_*_key.pub "$root/etc/hostname"
: >"$root/etc/machine-id"
: >"$root/etc/resolv.conf"
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' >"$root/etc/hosts"
