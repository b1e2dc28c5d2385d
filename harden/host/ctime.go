package host

import (
	"os"
	"syscall"
	"time"
)

// changeTime is the inode's ctime.
func changeTime(info os.FileInfo) time.Time {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}
	}
	return time.Unix(st.Ctim.Unix())
}
