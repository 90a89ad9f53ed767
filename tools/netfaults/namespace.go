package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// insideEnv names the environment variable that says that the program runs in namespaces of its own.
const insideEnv = "CAIRN_NETFAULTS_INSIDE"

func inside() bool { return os.Getenv(insideEnv) != "" }

// impossible returns why namespaces cannot be made here; empty if they can.
func impossible() string {
	for _, program := range []string{"ip", "iptables"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Sprintf("network faults need %s (Debian: iproute2, iptables)", program)
		}
	}
	try := exec.Command("iptables", "-L", "-n")
	try.SysProcAttr = ownNamespaces()
	if out, err := try.CombinedOutput(); err != nil {
		return fmt.Sprintf("network namespaces with iptables cannot be made here (root is needed): %v: %s", err, strings.TrimSpace(string(out)))
	}
	return ""
}

// ownNamespaces returns attributes that give a process a network and mounts of its own, which end with
// it.
func ownNamespaces() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
}

// reexec runs the program again, in namespaces of its own, and returns its exit status.
func reexec() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = ownNamespaces()
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return max(1, exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "netfaults:", err)
		return 1
	}
	return 0
}

// command runs a program of iproute2 or iptables.
func command(args ...string) error {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
