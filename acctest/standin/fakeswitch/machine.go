package fakeswitch

import (
	"net"
	"os"
	"path/filepath"
)

// coreVariables are the variables that FreeSWITCH sets itself before it reads
// the configuration (switch_core.c:1919-1947), as the Debian packages lay them
// out.
func coreVariables(o Options) map[string]string {
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "localhost"
	}
	const share, lib = "/usr/share/freeswitch", "/var/lib/freeswitch"
	return map[string]string{
		"hostname":       hostname,
		"local_ip_v4":    localIP("udp4", "82.45.148.209:4242", "127.0.0.1"),
		"local_ip_v6":    localIP("udp6", "[2001:503:ba3e::2:30]:4242", "::1"),
		"base_dir":       "/usr",
		"conf_dir":       o.ConfDir,
		"log_dir":        o.LogDir,
		"run_dir":        o.RunDir,
		"db_dir":         o.DBDir,
		"certs_dir":      filepath.Join(o.ConfDir, "tls"),
		"mod_dir":        "/usr/lib/freeswitch/mod",
		"htdocs_dir":     share + "/htdocs",
		"script_dir":     share + "/scripts",
		"sounds_dir":     share + "/sounds",
		"sound_prefix":   share + "/sounds",
		"grammar_dir":    share + "/grammar",
		"fonts_dir":      share + "/fonts",
		"images_dir":     lib + "/images",
		"storage_dir":    lib + "/storage",
		"recordings_dir": lib + "/recordings",
		"data_dir":       share,
		"localstate_dir": lib,
		"cache_dir":      "/var/cache/freeswitch",
		"temp_dir":       "/tmp",
	}
}

// localIP is the address that a packet to the world would leave from, which no
// packet is sent for (switch_utils.c:1856). Without a route it is the first
// global address of an interface, so that a machine in a closed network still
// listens on it, and fallback where there is none.
func localIP(network, world, fallback string) string {
	if conn, err := net.Dial(network, world); err == nil {
		defer conn.Close()
		if local, isUDP := conn.LocalAddr().(*net.UDPAddr); isUDP {
			return local.IP.String()
		}
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return fallback
	}
	for _, address := range addresses {
		prefix, isNet := address.(*net.IPNet)
		if isNet && prefix.IP.IsGlobalUnicast() && (prefix.IP.To4() != nil) == (network == "udp4") {
			return prefix.IP.String()
		}
	}
	return fallback
}
