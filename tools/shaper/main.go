//go:build linux

// Shaper makes the network namespace that it runs in a slow and lossy router:
// what the namespace forwards is late by a delay, lost at random, or limited to
// a rate. It is for kernels without netem.
//
//	shaper -delay 20ms -loss 0.01 -rate 8
//
// All packets are routed into a TUN device, and come back out of it when they
// are due. It prints "shaping" when it does so, and ends with its process.
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const (
	device   = "shaper"
	table    = "100" // of routes, for packets that have not been through the device
	queueLen = 4096  // packets on their way; what comes when it is full is lost
	maxWait  = 200 * time.Millisecond
)

type packet struct {
	due  time.Time
	data []byte
}

func main() {
	log.SetFlags(0)
	delay := flag.Duration("delay", 0, "how late a packet is, each way")
	loss := flag.Float64("loss", 0, "the part of packets that is lost, 0 to 1")
	rate := flag.Float64("rate", 0, "Mbit/s in all; 0: no limit")
	flag.Parse()
	tun, err := openTUN()
	if err != nil {
		log.Fatalf("open TUN device: %v", err)
	}
	for _, args := range []string{
		"link set " + device + " up",
		"-4 route add default dev " + device + " table " + table,
		"-6 route add default dev " + device + " table " + table,
		"-4 rule add not iif " + device + " lookup " + table,
		"-6 rule add not iif " + device + " lookup " + table,
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			log.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	queue := make(chan packet, queueLen)
	go send(tun, queue)
	fmt.Println("shaping")

	var free time.Time // when the link has sent what it was given
	buf := make([]byte, 1<<16)
	for {
		n, err := tun.Read(buf)
		if err != nil {
			log.Fatalf("read: %v", err)
		}
		now := time.Now()
		if rand.Float64() < *loss {
			continue
		}
		if free.Before(now) {
			free = now
		}
		if *rate > 0 {
			if free.Sub(now) > maxWait {
				continue
			}
			free = free.Add(time.Duration(float64(n) * 8 / *rate * float64(time.Microsecond)))
		}
		select {
		case queue <- packet{free.Add(*delay), append([]byte(nil), buf[:n]...)}:
		default:
		}
	}
}

// send puts packets back when they are due, which is in the order they came.
func send(tun *os.File, queue <-chan packet) {
	for p := range queue {
		time.Sleep(time.Until(p.due))
		if _, err := tun.Write(p.data); err != nil {
			log.Printf("write: %v", err) // such as one too long for the way out
		}
	}
}

func openTUN() (*os.File, error) {
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	var request struct { // struct ifreq
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], device)
	request.flags = syscall.IFF_TUN | syscall.IFF_NO_PI
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TUNSETIFF, uintptr(unsafe.Pointer(&request))); errno != 0 {
		syscall.Close(fd)
		return nil, errno
	}
	return os.NewFile(uintptr(fd), "tun"), nil
}
