// Package testenv says what a test needs of the machine that runs it.
package testenv

import (
	"os"
	"testing"
)

// Root skips a test that takes root. Under CI=true it is a failure: nothing that
// should run there may skip.
func Root(t testing.TB) {
	t.Helper()
	switch {
	case os.Geteuid() == 0:
	case os.Getenv("CI") == "true":
		t.Fatal("this needs root (CI=true, so this is a failure and not a skip)")
	default:
		t.Skip("this needs root")
	}
}
