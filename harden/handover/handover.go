// Package handover makes a running FreeSWITCH take over a new event socket
// password, and proves that it did: the new one is accepted, every old one
// refused.
package handover

import (
	"context"
	"fmt"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

// Handover takes a running FreeSWITCH from one password to another, and back.
type Handover struct {
	Was   Socket
	Fresh secret.Value
	told  bool // it was asked to read its files
}

// Do tells FreeSWITCH, the files holding the new password already, and proves that
// it and no other is in force.
func (h *Handover) Do(ctx context.Context) error {
	return h.Was.takeOver(ctx, h.Fresh, func() { h.told = true })
}

// Undo runs once the files are back. One that was told nothing still has the old
// settings, and one that has ended will read the files as they are now.
func (h *Handover) Undo(ctx context.Context) error {
	if !h.told || !h.Was.Runs() {
		return nil
	}
	now := h.Was // whichever of the passwords it listens with
	now.Passwords = append([]secret.Value{h.Fresh}, h.Was.Passwords...)
	if err := now.takeOver(ctx, h.Was.Passwords[0], func() {}); err != nil {
		return fmt.Errorf("%w; what it has in memory is not certain: restart FreeSWITCH, and it starts with the old secrets", err)
	}
	return nil
}
