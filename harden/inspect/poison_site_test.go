package inspect_test

import (
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
)

// hunter is a password that nobody has published.
const hunter = "Hunter2Hunter2"

const (
	carrier  = "<include>\n" + `<gateway name="carrier"><param name="username" value="me"/><param name="password" value="` + hunter + `"/></gateway>` + "\n</include>"
	password = `<param name="password" value="` + hunter + `"/>`
)

// carrierIn has the SIP profile include a gateway's file, as vanilla's does.
func carrierIn(text string) func(tree) {
	return func(tr tree) {
		tr.edit("/etc/freeswitch/autoload_configs/sofia.conf.xml", "<settings>", "<gateways>\n<X-PRE-PROCESS cmd=\"include\" data=\"../gateways/*.xml\"/>\n</gateways><settings>")
		tr.put("/etc/freeswitch/gateways/carrier.xml", text)
	}
}

// sitePoisons are those in FreeSWITCH's folders that are somebody's own.
func sitePoisons(self, issued pair) []poison {
	image, known, system := inspect.Image, inspect.Known, inspect.System
	none, remove := inspect.None, inspect.Remove
	const conf, dir = "/etc/freeswitch/", "/etc/freeswitch/autoload_configs/"
	out := []poison{
		{"private-keys", conf + "wss.pem", "private key", image, none, text(conf+"wss.pem", self.key+self.cert), false},
		{"private-keys", conf + "certs/agent", "private key", image, none, text(conf+"certs/agent", self.key), false},
		{"private-keys", conf + "a/b/c/stir.txt", "private key", image, none, text(conf+"a/b/c/stir.txt", "x\n"+self.key), false},
		{"private-keys", conf + "certs/issued.pem", "an authority has issued", known, none, text(conf+"certs/issued.pem", issued.cert+issued.key), false},
		{"private-keys", conf + "bundle.p12", "private key", image, none, text(conf+"bundle.p12", "\x30\x82\x09\x00\x02\x01\x03"), false},
		{"private-keys", conf + "tls/a/b/c/wss", "private key", image, remove, text(conf+"tls/a/b/c/wss", self.key), false},
		{"private-keys", conf + "tls/a.pfx", "private key", image, remove, text(conf+"tls/a.pfx", "\x30\x82\x09\x00\x02\x01\x03"), false},
		{"private-keys", conf + "tls/1/2/3/4/5/6/7/8", "more than 8 folders below", known, none, text(conf+"tls/1/2/3/4/5/6/7/8/9/wss.pem", self.key), false},

		{"databases", "/var/lib/freeswitch/db/core.sqlite3", "registrations", image, remove, text("/var/lib/freeswitch/db/core.sqlite3", "x"), false},
		{"databases", "/var/lib/freeswitch/db/core.sqlite3-wal", "registrations", image, remove, text("/var/lib/freeswitch/db/core.sqlite3-wal", "x"), false},
		{"databases", "/var/lib/freeswitch/db/calls", "registrations", image, remove, text("/var/lib/freeswitch/db/calls", "SQLite format 3\x00"), false},
		{"databases", "/usr/local/freeswitch/db/old/calls.1", "registrations", image, remove, text("/usr/local/freeswitch/db/old/calls.1", "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"), false},
		{"databases", conf + "lua/numbers", "below the configuration", known, none, text(conf+"lua/numbers", "SQLite format 3\x00"), false},
		{"databases", conf + "lua/numbers-wal", "below the configuration", known, none, text(conf+"lua/numbers-wal", "\x37\x7f\x06\x82\x00"), false},

		{"editor-files", conf + ".git", "every version", known, none, text(conf+".git/HEAD", "ref: refs/heads/main\n"), false},
		{"editor-files", conf + "directory/.svn", "every version", known, none, text(conf+"directory/.svn/wc.db", "SQLite format 3\x00"), false},
		{"editor-files", "/etc/.git", "every version", system, none, text("/etc/.git/HEAD", "ref: refs/heads/main\n"), false},
		{"site-secrets", conf + "gateways/carrier.xml", "gateway's password", known, none, carrierIn(carrier), false},
		{"site-secrets", vars, "gateway's password", known, none, func(tr tree) {
			set("carrier_key=" + hunter)(tr)
			carrierIn("<include>\n" + `<gateway name="c"><param name="password" value="$${carrier_key}"/></gateway>` + "\n</include>")(tr)
		}, false},
		{"site-secrets", vars, "(default_provider_password)", known, none, set("default_provider_password=" + hunter), false},
		{"site-secrets", users, "user's password", known, none, user(`<user id="1001"><params>` + password + `</params></user>`), false},
		{"site-secrets", users, "user's password", known, none, user(`<user id="1001"><params><param name="a1-hash" value="00112233445566778899aabbccddeeff"/></params></user>`), false},
		{"site-secrets", dir + "xml_curl.conf.xml", "(gateway-credentials)", known, none, config("xml_curl.conf", `<bindings><binding name="d"><param name="gateway-credentials" value="me:`+hunter+`"/></binding></bindings>`), false},
		{"site-secrets", dir + "switch.conf.xml", "(core-db-dsn)", known, none, config("switch.conf", `<settings><param name="core-db-dsn" value="db:me:`+hunter+`"/></settings>`), false},
		{"site-secrets", dir + "db.conf.xml", "(password)", known, none, config("db.conf", `<settings><param name="odbc-dsn" value="pgsql://host=10.0.0.1 user=fs password='`+hunter+`'"/></settings>`), false},
		{"site-secrets", dir + "db.conf.xml", "(a URL)", known, none, config("db.conf", `<settings><param name="odbc-dsn" value="mariadb://fs:`+hunter+`@10.0.0.1/fs"/></settings>`), false},
		{"site-secrets", dir + "amqp.conf.xml", "(password)", known, none, config("amqp.conf", `<producers><profile name="d"><connections><connection name="p">`+password+`</connection></connections></profile></producers>`), false},
		{"site-secrets", dir + "hiredis.conf.xml", "(password)", known, none, config("hiredis.conf", `<profiles><profile name="d"><connections><connection name="p">`+password+`</connection></connections></profile></profiles>`), false},
		{"site-secrets", dir + "cidlookup.conf.xml", "(whitepages-apikey)", known, none, config("cidlookup.conf", `<settings><param name="whitepages-apikey" value="`+hunter+`"/></settings>`), false},
		{"site-secrets", dir + "cidlookup.conf.xml", "(api_key)", known, none, config("cidlookup.conf", `<settings><param name="url" value="http://x/?api_key=`+hunter+`&amp;number=${n}"/></settings>`), false},
		{"site-secrets", dir + "hash.conf.xml", "(password)", known, none, config("hash.conf", `<remotes><remote name="b" host="10.0.0.2" password="`+hunter+`"/></remotes>`), false},
		{"site-secrets", dir + "x.conf.xml", "(a private key)", known, none, config("x.conf", "<settings>"+self.key+"</settings>"), false},
		{"site-secrets", plans, "(sip_auth_password)", known, none, extension("default", `<extension name="x"><condition field="destination_number" expression="^5$"><action application="set" data="sip_auth_password=`+hunter+`"/></condition></extension>`), false},
		{"site-secrets", conf + "gateways/carrier.xml.noload", "gateway's password", known, none, text(conf+"gateways/carrier.xml.noload", carrier), false},
		{"site-secrets", conf + "site.yaml", "(db_password)", known, none, text(conf+"site.yaml", "db_password: "+hunter+"\n"), false},
		{"site-secrets", conf + "freeswitch.tgz", "an archive", known, none, text(conf+"freeswitch.tgz", "\x1f\x8b\x08\x00"), false},
		{"site-secrets", conf + "all.tar", "an archive", known, none, func(tr tree) { tr.put(conf+"all.tar", string(make([]byte, 257))+"ustar\x00") }, false},
		{"site-secrets", conf + "notes.txt", "only its beginning was read", known, none, func(tr tree) { tr.sparse(conf+"notes.txt", 2<<20) }, false},
	}
	// Whatever left them, with a password.
	for _, name := range []string{
		"vars.xml~", "vars.xml.orig", ".vars.xml.swp", "#vars.xml#", ".#vars.xml", "vars.xml.save", "vars.xml.save.1", "vars.xml.old", "x.xml.bak", "vars.xml.bak.2", "x.bak-2026",
		"vars.xml.dpkg-old", "vars.xml.dpkg-dist", "vars.xml.dpkg-new", "vars.xml.ucf-old", "vars.xml.rej", "vars.xml.rpmsave",
	} {
		out = append(out, poison{"editor-files", conf + name, "a copy that an editor", image, none, text(conf+name, "<include>\n"+`<X-PRE-PROCESS cmd="set" data="default_password=`+hunter+`"/>`+"\n</include>\n"), false})
	}
	return out
}
