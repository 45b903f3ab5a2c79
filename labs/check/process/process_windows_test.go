package process

import "golang.org/x/sys/windows"

func running(pid int) bool {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return false
	}
	defer windows.CloseHandle(h)
	s, _ := windows.WaitForSingleObject(h, 0)
	return s != windows.WAIT_OBJECT_0
}

func leaver(string) {}
