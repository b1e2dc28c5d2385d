package inspect

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// userFiles hold passwords of other machines and services; with marks, only where
// one of them is in the file.
var userFiles = []struct {
	name  string
	marks []string
}{
	{".netrc", []string{"password"}},
	{".aws/credentials", []string{"aws_secret_access_key"}},
	{".aws/config", []string{"aws_secret_access_key"}},
	{".azure/accessTokens.json", nil},
	{".azure/msal_token_cache.json", nil},
	{".azure/msal_token_cache.bin", nil},
	{".azure/service_principal_entries.json", nil},
	{".azure/service_principal_entries.bin", nil},
	{".boto", []string{"secret"}},
	{".cargo/credentials", []string{"token"}},
	{".cargo/credentials.toml", []string{"token"}},
	{".composer/auth.json", nil},
	{".config/composer/auth.json", nil},
	{".config/containers/auth.json", []string{`"auth"`, `"identitytoken"`}},
	{".config/doctl/config.yaml", []string{"access-token"}},
	{".config/gcloud/access_tokens.db", nil},
	{".config/gcloud/application_default_credentials.json", nil},
	{".config/gcloud/credentials.db", nil},
	{".config/gh/hosts.yml", []string{"oauth_token"}},
	{".config/git/credentials", []string{"://"}},
	{".config/glab-cli/config.yml", []string{"token"}},
	{".config/hcloud/cli.toml", []string{"token"}},
	{".config/hub", []string{"oauth_token"}},
	{".config/rclone/rclone.conf", []string{"pass", "token", "secret"}},
	{".curlrc", []string{"user", "-u"}},
	{".docker/config.json", []string{`"auth"`, `"identitytoken"`}},
	{".env", []string{"PASS", "SECRET", "TOKEN", "KEY", "pass", "secret", "token", "key"}},
	{".erlang.cookie", nil},
	{".gem/credentials", nil},
	{".git-credentials", []string{"://"}},
	{".gnupg/secring.gpg", nil},
	{".kube/config", []string{"token", "client-key", "password"}},
	{".m2/settings.xml", []string{"<password>"}},
	{".msmtprc", []string{"password"}},
	{".my.cnf", []string{"password"}},
	{".npmrc", []string{"_auth", "_password"}},
	{".pgpass", nil},
	{".pypirc", []string{"password"}},
	{".s3cfg", []string{"secret_key"}},
	{".smbcredentials", []string{"password"}},
	{".terraform.d/credentials.tfrc.json", nil},
	{".terraformrc", []string{"token"}},
	{".vault-token", nil},
	{".wgetrc", []string{"password"}},
}

// userFolders are full of such files.
var userFolders = []string{".aws/cli/cache", ".aws/sso/cache", ".config/gcloud/legacy_credentials", ".gnupg/private-keys-v1.d", ".subversion/auth"}

// keyNames are how the names of keys end that lie in a home itself.
var keyNames = []string{".pem", ".key", ".ppk", ".p12", ".pfx", "_rsa", "_dsa", "_ecdsa", "_ed25519"}

// userCredentials looks for what people and tools keep in their homes.
func userCredentials(s *scene) {
	const why = "a password or key for other machines: whoever starts an instance can use it"
	for _, home := range s.users() {
		for _, f := range userFiles {
			if at, g, ok := s.inHome(home, f.name); ok && g.Size > 0 && (f.marks == nil || s.marked(at, f.marks)) {
				s.add(advice(System, at, why, s.rm(at)))
			}
		}
		for _, name := range userFolders {
			if p := path.Join(home, name); s.isInHome(home, name) && s.holdsAny(p) {
				s.add(advice(System, p, why, "rm -r "+s.on(p)))
			}
		}
		for _, p := range s.homeKeys(home) {
			if at, yes := s.isKeyFile(p); yes {
				s.add(advice(System, at, why, s.rm(at)))
			}
		}
	}
}

// homeKeys are the files of a home that may be keys: all in .ssh and where acme.sh
// keeps its own, whatever they are called, and those that lie about.
func (s *scene) homeKeys(home string) []string {
	var out []string
	for _, name := range []string{".ssh", ".acme.sh"} {
		if !s.isInHome(home, name) {
			continue
		}
		s.below(path.Join(home, name), func(p string, _ host.Glimpse) onward {
			if !strings.HasPrefix(path.Base(p), "known_hosts") { // as long as it likes
				out = append(out, p)
			}
			return into
		})
	}
	for _, name := range s.names(home) {
		if slices.ContainsFunc(keyNames, func(end string) bool { return strings.HasSuffix(name, end) }) {
			out = append(out, path.Join(home, name))
		}
	}
	return out
}

// isKeyFile tells a private key by what is in the file, and where it really is.
func (s *scene) isKeyFile(p string) (at string, yes bool) {
	at, g, ok := s.file(p)
	if !ok || g.Size == 0 {
		return at, false
	}
	if g.Size > maxKey {
		s.unseen(at, fmt.Sprintf("lies where private keys do, has %d bytes and was not read", g.Size))
		return at, false
	}
	data, err := s.Peek(at, 0, maxKey)
	if err != nil {
		s.unreadable(at, err)
		return at, false
	}
	for _, mark := range []string{"PuTTY-User-Key-File", "BEGIN OpenVPN Static key"} {
		yes = yes || bytes.Contains(data, []byte(mark))
	}
	return at, yes || holdsKey(data) != noKey || isKeyStore(at, data)
}

// marked tells whether one of these is in a file.
func (s *scene) marked(at string, marks []string) bool {
	text := s.text(at)
	return slices.ContainsFunc(marks, func(m string) bool { return bytes.Contains(text, []byte(m)) })
}

// names are those in a home, sorted. Each home is listed once: most have none of
// what is looked for, and to ask for each file by itself takes far longer.
func (s *scene) names(home string) []string {
	names, ok := s.homeNames[home]
	if !ok {
		if s.homeNames == nil {
			s.homeNames = map[string][]string{}
		}
		names = s.list(home)
		s.homeNames[home] = names
	}
	return names
}

// isInHome tells whether there may be something of that name in a home.
func (s *scene) isInHome(home, name string) bool {
	first, _, _ := strings.Cut(name, "/")
	_, ok := slices.BinarySearch(s.names(home), first)
	return ok
}

// inHome is file for one in a home.
func (s *scene) inHome(home, name string) (at string, g host.Glimpse, ok bool) {
	if !s.isInHome(home, name) {
		return "", g, false
	}
	return s.file(path.Join(home, name))
}

// historyFiles are what shells, editors and clients remember of what was typed,
// beside what ends with "history".
var historyFiles = []string{
	".dbshell", ".emacs.d/.emacs-history", ".histfile", ".lesshst", ".local/share/fish/fish_history", ".local/share/mc/history",
	".local/share/nano/search_history", ".local/share/nvim/shada/main.shada", ".local/share/xonsh/xonsh-history.sqlite",
	".local/state/bash/history", ".local/state/lesshst", ".local/state/mysql_history", ".local/state/nvim/shada/main.shada",
	".local/state/psql_history", ".local/state/python_history", ".local/state/zsh/history", ".mongodb/mongosh/mongosh_repl_history",
	".netrwhist", ".vim/.netrwhist", ".viminfo", ".wget-hsts",
}

func histories(s *scene) {
	for _, home := range s.users() {
		names := slices.Clone(historyFiles)
		for _, name := range s.names(home) {
			if strings.HasPrefix(name, ".") && (strings.Contains(name, "history") || strings.HasSuffix(name, "hist")) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		for _, name := range names {
			if at, g, ok := s.inHome(home, name); ok && g.Size > 0 {
				s.add(s.gone(System, at, "what was typed on the machine that the image is made of, perhaps passwords"))
			}
		}
	}
}
