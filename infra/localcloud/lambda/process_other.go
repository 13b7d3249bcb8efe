//go:build !linux

package lambda

import "syscall"

// processAttributes give a process a group of its own, to be killed as one. When we
// are killed ourselves, it ends by the loss of its Runtime API.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
