package inspect

import (
	"bytes"
	"path"
	"strings"
)

// passwordHashes looks for passwords of users, which can be guessed from their
// hashes, and which every instance would have. A locked hash is one too.
func passwordHashes(s *scene) {
	for _, l := range s.lines("/etc/shadow") {
		name, rest, ok := strings.Cut(l, ":")
		hash, _, more := strings.Cut(rest, ":")
		switch {
		case !ok || !more:
		case hash == "":
			s.add(advice(System, "/etc/shadow", "the user "+name+" needs no password at all", s.within("usermod -p '*' "+quoted(name))))
		case isHash(hash):
			s.add(advice(System, "/etc/shadow", "holds the password hash of the user "+name+": every instance would have that password", s.within("usermod -p '*' "+quoted(name))))
		}
	}
	for _, l := range s.lines("/etc/shadow-") {
		if f := strings.Split(l, ":"); len(f) > 2 && isHash(f[1]) {
			s.add(advice(System, "/etc/shadow-", "the copy of /etc/shadow that the last change left, with password hashes", s.rm("/etc/shadow-")))
		}
	}
}

// isHash tells a hash from what no password ever becomes: "*", "!", "!!", "x".
func isHash(field string) bool {
	field = strings.TrimLeft(field, "!*")
	return strings.HasPrefix(field, "$") || strings.HasPrefix(field, "_") || len(field) == 13 // crypt(5)
}

// userFiles hold passwords of other machines and services; with a mark, only
// where that is in them.
var userFiles = []struct{ name, mark string }{
	{".netrc", "password"},
	{".aws/credentials", "aws_secret_access_key"},
	{".git-credentials", "://"},
	{".docker/config.json", `"auth"`},
	{".config/gcloud/application_default_credentials.json", ""},
	{".pgpass", ""},
	{".my.cnf", "password"},
	{".vault-token", ""},
}

// userCredentials looks for what people and tools keep in their homes.
func userCredentials(s *scene) {
	const why = "a password or key for other machines: whoever starts an instance can use it"
	for _, home := range s.users() {
		for _, f := range userFiles {
			if at, g, ok := s.file(path.Join(home, f.name)); ok && g.Size > 0 && bytes.Contains(s.text(at), []byte(f.mark)) {
				s.add(advice(System, at, why, s.rm(at)))
			}
		}
		for _, name := range s.list(path.Join(home, ".ssh")) {
			if !strings.HasPrefix(name, "id_") {
				continue
			}
			if at, _, ok := s.file(path.Join(home, ".ssh", name)); ok && bytes.Contains(s.text(at), []byte("PRIVATE KEY-----")) {
				s.add(advice(System, at, why, s.rm(at)))
			}
		}
	}
}

// historyFiles are what shells and clients remember of what was typed.
var historyFiles = []string{
	".bash_history", ".zsh_history", ".sh_history", ".ash_history", ".history", ".local/share/fish/fish_history",
	".python_history", ".lesshst", ".viminfo", ".mysql_history", ".psql_history", ".sqlite_history", ".rediscli_history",
	".wget-hsts", ".fs_cli_history",
}

func histories(s *scene) {
	for _, home := range s.users() {
		for _, name := range historyFiles {
			if at, g, ok := s.file(path.Join(home, name)); ok && g.Size > 0 {
				s.add(s.gone(System, at, "what was typed on the machine that the image is made of, perhaps passwords"))
			}
		}
	}
}
