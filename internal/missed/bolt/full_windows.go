package bolt

import "golang.org/x/sys/windows"

// fullErrors say that there is no space for more.
var fullErrors = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL}
