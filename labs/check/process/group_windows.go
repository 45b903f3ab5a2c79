package process

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// A group is a job object: what is in it cannot leave, and ends when the last
// handle of the job is closed, ours.
type group struct{ job windows.Handle }

func (g *group) take(p *os.Process) error {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return os.NewSyscallError("CreateJobObject", err)
	}
	var info windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err == nil {
		var h windows.Handle
		if h, err = windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE|windows.SYNCHRONIZE, false, uint32(p.Pid)); err == nil {
			err = windows.AssignProcessToJobObject(job, h)
			if s, _ := windows.WaitForSingleObject(h, 0); err != nil && s == windows.WAIT_OBJECT_0 {
				err = nil // it has ended before, alone
			}
			windows.CloseHandle(h)
		}
	}
	if err != nil {
		windows.CloseHandle(job)
		return os.NewSyscallError("job object", err)
	}
	g.job = job
	return nil
}

func (g *group) kill(p *os.Process) {
	windows.TerminateJobObject(g.job, 1)
	p.Kill()
}

func (g *group) release() { windows.CloseHandle(g.job) }

// accounting is JOBOBJECT_BASIC_ACCOUNTING_INFORMATION.
type accounting struct {
	times                                      [4]int64
	faults, total, activeProcesses, terminated uint32
}

const basicAccounting = 1 // JobObjectBasicAccountingInformation

// running returns how many processes of the job run.
func (g *group) running() int {
	var a accounting
	if err := windows.QueryInformationJobObject(g.job, basicAccounting, uintptr(unsafe.Pointer(&a)), uint32(unsafe.Sizeof(a)), nil); err != nil {
		return 0
	}
	return int(a.activeProcesses)
}

func (g *group) alive() bool { return g.running() > 0 }

// members says how many processes outlived the program; which is not known.
func (g *group) members() []Left { return make([]Left, g.running()) }

func (g *group) starved() time.Duration { return 0 }

// An entry stands for a process outside of the job: there is none.
type entry struct{}

func (g *group) outside(int) []entry           { return nil }
func (g *group) strays(string, []entry) []Left { return nil }
func killOne(int)                              {}
