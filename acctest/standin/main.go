// Command standin is test code: it is installed as /usr/bin/freeswitch and, by
// another name, as /usr/bin/fs_cli on test machines that have no FreeSWITCH.
// What it imitates is told in package fakeswitch.
//
// As freeswitch it takes the flags that Debian's unit uses (switch.c:554-1007):
//
//	freeswitch [-u USER] [-g GROUP] [-nc | -ncwait | -nf] [-conf DIR] [-log DIR] [-db DIR] [-run DIR]
//	freeswitch -stop
//
// With -ncwait it goes into the background, and the command ends once the
// event socket and the SIP profiles are open; with -nc it does not wait.
//
// As fs_cli it runs one command (libs/esl/fs_cli.c):
//
//	fs_cli [-H HOST] [-P PORT] [-p PASSWORD] -x COMMAND [PROFILE]
package main

import (
	"os"
	"path/filepath"
)

func main() {
	if filepath.Base(os.Args[0]) == "fs_cli" {
		os.Exit(fsCLI(os.Args[1:], os.Stdout))
	}
	os.Exit(freeswitch(os.Args[1:], os.Stderr))
}
