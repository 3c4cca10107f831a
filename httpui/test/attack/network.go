package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// everybody is the network in which everyone lives. All of it is local, so that
// a connection can come from any of its addresses.
const everybody = "10.0.0.0/8"

// enterNetwork runs this program again in a network namespace of its own.
func enterNetwork(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, self, append([]string{"-inside"}, os.Args[1:]...)...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 20 * time.Second
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		return fmt.Errorf("make a network namespace, for which one must be root: %w", err)
	}
	if err := c.Wait(); err != nil {
		return errors.New("the run inside failed; it says why above")
	}
	return nil
}

func makeNetwork(ctx context.Context) error {
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"route", "add", "local", everybody, "dev", "lo"}} {
		if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	return nil
}

// address is the host-th address of the n-th /24: n below 25,600.
func address(n, host int) net.IP { return net.IPv4(10, byte(1+n/256), byte(n%256), byte(host)) }

// dialFrom connects to where from one of everybody's addresses.
func dialFrom(ctx context.Context, from net.IP, where string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: patience}
	return d.DialContext(ctx, "tcp", where)
}

// patience is how long a guest waits for anything before they count as kept out.
const patience = 10 * time.Second
