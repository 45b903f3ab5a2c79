//go:build !windows

package bolt

import "syscall"

// fullErrors say that there is no space for more.
var fullErrors = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}
