package lambda

import "syscall"

// processAttributes give a process a group of its own, to be killed as one, and
// have the kernel kill it when we are killed ourselves.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
