package host

import "net/netip"

// Running is a machine that runs, as far as that is not in its files: the programs
// that it answers with and the processes that it has.
type Running interface {
	Runner
	// Runs tells whether a process of that name lives there, see Host.Runs.
	Runs(comm string, users ...int) bool
	// Serves is whose program has accepted a connection, see Host.Serves.
	Serves(server, client netip.AddrPort) (uid int, ok bool)
}

// OpenRunning gives a machine that runs and has its files below root. It is for
// tests, which put a running machine together of a folder and of recorded answers:
// nothing of the machine that runs them is looked at.
func OpenRunning(root string, m Running) (*Host, error) {
	h, err := Open(root, m)
	if err != nil {
		return nil, err
	}
	h.running = m
	return h, nil
}
