package inspect_test

import "github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"

// systemPoisons are those of the operating system that hold a key, a password, or
// what the build was.
func systemPoisons(self pair) []poison {
	system := inspect.System
	none, remove := inspect.None, inspect.Remove
	const cloud, admin = "/etc/cloud/cloud.cfg.d/", "/home/admin/"
	out := []poison{
		{"cloud-init", "/var/log/cloud-init.log", "log of the build", system, remove, text("/var/log/cloud-init.log", "x"), false},
		{"cloud-init", "/var/log/cloud-init-output.log.1.gz", "log of the build", system, remove, text("/var/log/cloud-init-output.log.1.gz", "x"), false},
		{"cloud-init", "/var/lib/cloud/instances", "user data", system, remove, text("/var/lib/cloud/instances/i-1/user-data.txt.i", "x"), false},
		{"cloud-init", "/var/lib/cloud/seed/nocloud-net/meta-data", "this data", system, none, text("/var/lib/cloud/seed/nocloud-net/meta-data", "instance-id: x\n"), false},
		{"cloud-init", cloud + "99-seed.cfg", "data of the build", system, none, text(cloud+"99-seed.cfg", "datasource:\n  NoCloud:\n    seedfrom: http://10.0.2.2/\n"), false},
		{"cloud-init", cloud + "99-installer.cfg", "data of the build", system, none, text(cloud+"99-installer.cfg", "datasource:\n  None:\n    userdata_raw: |\n      #cloud-config\n"), false},
		{"cloud-init", cloud + "90-users.cfg", "data of the build", system, none, text(cloud+"90-users.cfg", "users:\n  - name: me\n    passwd: $6$abc$def\n"), false},
		{"cloud-init", "/etc/cloud/cloud.cfg", "data of the build", system, none, text("/etc/cloud/cloud.cfg", "chpasswd:\n  list: |\n    root:x\n"), false},

		{"system-logs", "/var/log", "logs of the build: who was on it and from where, what ran, perhaps passwords (dpkg.log)", system, none, text("/var/log/dpkg.log", "x"), true},
		{"system-logs", "/var/log", "(apt, auth.log, auth.log.1, btmp and 2 more)", system, none, func(tr tree) {
			for _, name := range []string{"wtmp", "syslog", "auth.log", "auth.log.1", "apt/history.log", "btmp"} {
				tr.put("/var/log/"+name, "x")
			}
		}, true},
		{"system-logs", "/var/log/journal", "the journal", system, none, text("/var/log/journal/0123456789abcdef0123456789abcdef/system.journal", "x"), true},
		{"installer", "/var/log/installer", "answers", system, none, text("/var/log/installer/cdebconf/questions.dat", "x"), false},
		{"installer", "/root/preseed.cfg", "was told", system, none, text("/root/preseed.cfg", "d-i passwd/root-password password x\n"), false},
		{"installer", "/root/anaconda-ks.cfg", "was told", system, none, text("/root/anaconda-ks.cfg", "rootpw x\n"), false},
		{"installer", "/autoinstall.yaml", "was told", system, none, text("/autoinstall.yaml", "x"), false},
		{"installer", "/var/cache/debconf/passwords.dat", "packages were told", system, none, text("/var/cache/debconf/passwords.dat", "Name: x/password\nValue: x\n"), false},
		{"dhcp-leases", "/var/lib/dhcp/dhclient.eth0.leases", "DHCP client", system, none, text("/var/lib/dhcp/dhclient.eth0.leases", "lease {}\n"), true},
		{"dhcp-leases", "/var/lib/NetworkManager/internal-x-eth0.lease", "DHCP client", system, none, text("/var/lib/NetworkManager/internal-x-eth0.lease", "x"), true},
		{"dhcp-leases", "/var/lib/NetworkManager/secret_key", "DHCP client", system, none, text("/var/lib/NetworkManager/secret_key", "x"), true},
		{"sudo-rules", "/etc/sudoers.d/packer", "without a password", system, none, text("/etc/sudoers.d/packer", "Defaults:packer !requiretty\npacker ALL=(ALL) \\\n NOPASSWD: ALL\n"), true},
		{"sudo-rules", "/etc/sudoers", "without a password", system, none, text("/etc/sudoers", "%sudo ALL=(ALL:ALL) NOPASSWD:ALL\n"), true},
		{"sudo-rules", "/etc/sudoers.d/x", "without a password", system, none, text("/etc/sudoers.d/x", "Defaults:me !authenticate\n"), true},
		{"tls-keys", "/etc/letsencrypt/archive/x/privkey1.pem", "private key of a certificate", system, none, text("/etc/letsencrypt/archive/x/privkey1.pem", self.key), false},
		{"tls-keys", "/etc/letsencrypt/live/x/privkey.pem", "private key of a certificate", system, none, text("/etc/letsencrypt/live/x/privkey.pem", self.key), false},
		{"tls-keys", "/etc/letsencrypt/accounts/acme-v02.api.letsencrypt.org/directory/1/private_key.json", "the account", system, none, text("/etc/letsencrypt/accounts/acme-v02.api.letsencrypt.org/directory/1/private_key.json", "{}"), false},
		{"tls-keys", "/etc/ssl/private/site", "private key of a certificate", system, none, text("/etc/ssl/private/site", self.key), false},
		{"package-credentials", "/etc/apt/auth.conf", "repository", system, none, text("/etc/apt/auth.conf", "machine freeswitch.signalwire.com login signalwire password x\n"), false},
		{"package-credentials", "/etc/apt/auth.conf.d/freeswitch.conf", "repository", system, none, text("/etc/apt/auth.conf.d/freeswitch.conf", "machine freeswitch.signalwire.com\nlogin signalwire\npassword x\n"), false},
		{"package-credentials", "/etc/apt/sources.list", "repository", system, none, text("/etc/apt/sources.list", "deb https://me:"+hunter+"@example.net/ bookworm main\n"), false},
		{"package-credentials", "/etc/apt/sources.list.d/fs.sources", "repository", system, none, text("/etc/apt/sources.list.d/fs.sources", "Types: deb\nURIs: https://me:"+hunter+"@example.net/\n"), false},
		{"package-credentials", "/etc/apt/apt.conf.d/90proxy", "repository", system, none, text("/etc/apt/apt.conf.d/90proxy", "Acquire::http::Proxy \"http://me:"+hunter+"@10.0.0.1:3128\";\n"), false},
		{"user-credentials", "/root/.ssh/deploy", "other machines", system, none, text("/root/.ssh/deploy", self.key), false},
		{"user-credentials", admin + ".ssh/keys/work", "other machines", system, none, text(admin+".ssh/keys/work", "-----BEGIN OPENSSH PRIVATE KEY-----\nx"), false},
		{"user-credentials", admin + ".ssh/a", "other machines", system, none, text(admin+".ssh/a", "PuTTY-User-Key-File-3: ssh-ed25519\n"), false},
		{"user-credentials", admin + ".ssh/big", "bytes and was not read", inspect.Known, none, func(tr tree) { tr.sparse(admin+".ssh/big", 2<<20) }, false},
		{"user-credentials", "/root/site.pem", "other machines", system, none, text("/root/site.pem", self.key), false},
		{"user-credentials", "/root/.acme.sh/x/x.key", "other machines", system, none, text("/root/.acme.sh/x/x.key", self.key), false},
	}
	for name, content := range map[string]string{
		".aws/config": "aws_secret_access_key = x", ".azure/accessTokens.json": "[]", ".azure/msal_token_cache.json": "{}", ".azure/msal_token_cache.bin": "x",
		".azure/service_principal_entries.json": "[]", ".azure/service_principal_entries.bin": "x", ".boto": "gs_oauth2_client_secret = x", ".cargo/credentials": "token = x",
		".cargo/credentials.toml": "token = x", ".composer/auth.json": "{}", ".config/composer/auth.json": "{}", ".config/containers/auth.json": `{"auths":{"r":{"auth":"x"}}}`,
		".config/doctl/config.yaml": "access-token: x", ".config/gcloud/access_tokens.db": "x", ".config/gcloud/credentials.db": "x", ".config/gh/hosts.yml": "oauth_token: x",
		".config/git/credentials": "https://u:p@h", ".config/glab-cli/config.yml": "token: x", ".config/hcloud/cli.toml": "token = x", ".config/hub": "oauth_token: x",
		".config/rclone/rclone.conf": "pass = x", ".curlrc": "user = me:x", ".env": "DB_PASSWORD=x", ".erlang.cookie": "x", ".gem/credentials": "x", ".gnupg/secring.gpg": "x",
		".kube/config": "users:\n- user:\n    client-key-data: x", ".m2/settings.xml": "<password>x</password>", ".msmtprc": "password x", ".npmrc": "//registry.npmjs.org/:_authToken=x",
		".pypirc": "password = x", ".s3cfg": "secret_key = x", ".smbcredentials": "password=x", ".terraform.d/credentials.tfrc.json": "{}", ".terraformrc": "token = x", ".wgetrc": "password=x",
	} {
		out = append(out, poison{"user-credentials", admin + name, "other machines", system, none, text(admin+name, content), false})
	}
	for name, file := range map[string]string{
		".aws/cli/cache": "x.json", ".aws/sso/cache": "x.json", ".config/gcloud/legacy_credentials": "me/adc.json", ".gnupg/private-keys-v1.d": "x.key", ".subversion/auth": "svn.simple/x",
	} {
		out = append(out, poison{"user-credentials", admin + name, "other machines", system, none, text(admin+name+"/"+file, "x"), false})
	}
	for _, name := range []string{
		".zsh_history", ".zhistory", ".histfile", ".ksh_history", ".sh_history", ".ash_history", ".history", ".python_history", ".mysql_history", ".mariadb_history", ".psql_history",
		".psql_history-fs", ".sqlite_history", ".rediscli_history", ".node_repl_history", ".irb_history", ".lesshst", ".wget-hsts", ".dbshell", ".vim/.netrwhist", ".netrwhist",
		".local/share/fish/fish_history", ".local/share/mc/history", ".local/share/nano/search_history", ".local/share/nvim/shada/main.shada", ".local/share/xonsh/xonsh-history.sqlite",
		".local/state/bash/history", ".local/state/lesshst", ".local/state/mysql_history", ".local/state/nvim/shada/main.shada", ".local/state/psql_history", ".local/state/python_history",
		".local/state/zsh/history", ".mongodb/mongosh/mongosh_repl_history", ".emacs.d/.emacs-history",
	} {
		out = append(out, poison{"histories", admin + name, "typed", system, remove, text(admin+name, "x"), false})
	}
	for p, content := range map[string]string{
		"/etc/wireguard/wg0.conf":                               "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n",
		"/etc/wireguard/privatekey":                             "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n",
		"/etc/wireguard/wg0.key":                                "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n",
		"/etc/ipsec.secrets":                                    "# x\n: PSK \"x\"\n",
		"/etc/ipsec.d/site.secrets":                             ": PSK \"x\"\n",
		"/etc/ipsec.d/private/x.der":                            "x",
		"/etc/swanctl/private/x":                                "x",
		"/etc/swanctl/rsa/x":                                    "x",
		"/etc/swanctl/ecdsa/x":                                  "x",
		"/etc/swanctl/pkcs8/x":                                  "x",
		"/etc/swanctl/pkcs12/x":                                 "x",
		"/etc/swanctl/bliss/x":                                  "x",
		"/etc/swanctl/conf.d/site.conf":                         "secrets {\n ike-1 {\n  secret = x1\n }\n}\n",
		"/etc/openvpn/client/a.conf":                            "client\n<key>\n" + self.key + "</key>\n",
		"/etc/openvpn/ta":                                       "-----BEGIN OpenVPN Static key V1-----\n",
		"/etc/openvpn/login-credentials":                        "me\nx\n",
		"/etc/NetworkManager/system-connections/w.nmconnection": "[wifi-security]\npsk=x1x1x1x1\n",
		"/etc/netplan/50-x.yaml":                                "network:\n  wifis:\n    w:\n      password: x1\n",
		"/etc/systemd/network/wg0.netdev":                       "[WireGuard]\nPrivateKey=yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n",
		"/etc/wpa_supplicant/wpa_supplicant.conf":               "network={\n psk=\"x1x1x1x1\"\n}\n",
		"/etc/ppp/chap-secrets":                                 "me * x *\n",
		"/etc/ppp/pap-secrets":                                  "me * x *\n",
		"/var/lib/tailscale/tailscaled.state":                   "{}",
		"/var/lib/zerotier-one/identity.secret":                 "x",
	} {
		out = append(out, poison{"network-keys", p, "a network", system, none, text(p, content), false})
	}
	return out
}
