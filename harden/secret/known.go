package secret

// Weakness says why a password must not be in use, or nothing. The known ones
// are what FreeSWITCH ships: conf/vanilla/vars.xml, event_socket.conf.xml,
// erlang_event.conf.xml, xml_rpc.conf.xml, and directory/default/*.xml of 1.10.12.
func Weakness(v Value) string {
	switch {
	case v.Empty():
		return "it is empty, and FreeSWITCH then takes its built-in default"
	case Shipped(v):
		return "it is one that FreeSWITCH ships and scanners try first"
	case len(v.Reveal()) < 8:
		return "it is shorter than 8 characters"
	}
	return ""
}

// Shipped tells whether everybody knows a password.
func Shipped(v Value) bool {
	switch v.Reveal() {
	case "1234", "ClueCon", "works", "password", "9999", "cluecon", "freeswitch":
		return true
	}
	return false
}
