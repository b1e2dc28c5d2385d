// Package lab makes disposable Debian machines on one Debian host, as root: for
// the acceptance tests and for the demonstration.
//
// A [Lab] is one run. From it come an [Image] (a Debian directory tree, in
// layers), a [Container] booted from an image (real systemd in a network of the
// lab's own), a [VM] booted from a disk made of an image (real kernel, software
// emulation), and a [Packer] that bakes either. What is expensive to make is
// kept in a [Cache]; everything else is undone by [Lab.Close], which also runs
// on SIGINT and SIGTERM. What a run left that was killed outright, the next one
// sweeps away.
//
// Nothing touches the host's own network namespace: containers and the host's
// ends of their links live in network namespaces that the lab made.
package lab
