//go:build linux

// Shaper makes the network namespace that it runs in a slow and lossy router:
// what the namespace forwards is late by a delay, lost at random, or limited to
// a rate from each address to each other. It is for kernels without netem.
//
//	shaper -delay 20ms -loss 0.01 -rate 8
//
// All packets are routed into a TUN device, and come back out of it when they
// are due. It prints "shaping" when it does so, and ends with its process.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const (
	device   = "shaper"
	table    = "100"                  // of routes, for packets that have not been through the device
	queueLen = 4096                   // packets on one way; what comes when it is full is lost
	maxWait  = 200 * time.Millisecond // in front of a slow link; what would wait longer is lost
	maxBytes = 12_000                 // or so many
)

type packet struct {
	due  time.Time
	data []byte
}

func main() {
	log.SetFlags(0)
	delay := flag.Duration("delay", 0, "how late a packet is, each way")
	loss := flag.Float64("loss", 0, "the part of packets that is lost, 0 to 1")
	rate := flag.Float64("rate", 0, "Mbit/s from each address to each other; 0: no limit")
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
	links := make(map[way]*link)
	fmt.Println("shaping")

	buf := make([]byte, 1<<16)
	for {
		n, err := tun.Read(buf)
		if err != nil {
			log.Fatalf("read: %v", err)
		}
		if rand.Float64() < *loss {
			continue
		}
		w := wayOf(buf[:n])
		l := links[w]
		if l == nil {
			l = &link{queue: make(chan packet, queueLen)}
			links[w] = l
			go send(tun, l.queue)
		}
		sent, ok := l.take(n, *rate)
		if !ok {
			continue
		}
		select {
		case l.queue <- packet{sent.Add(*delay), bytes.Clone(buf[:n])}:
		default:
		}
	}
}

// way is where a packet comes from, and where it goes.
type way struct{ from, to netip.Addr }

// link is what packets of one way go through.
type link struct {
	free  time.Time // when it has sent what it was given
	queue chan packet
}

// take returns when the link will have sent n more bytes at a rate in Mbit/s, or
// false if too many wait already.
func (l *link) take(n int, rate float64) (sent time.Time, ok bool) {
	now := time.Now()
	if rate <= 0 {
		return now, true
	}
	if l.free.Sub(now) > max(maxWait, duration(maxBytes, rate)) {
		return time.Time{}, false
	}
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(duration(n, rate))
	return l.free, true
}

// duration is how long n bytes take at a rate in Mbit/s.
func duration(n int, rate float64) time.Duration {
	return time.Duration(float64(n) * 8 / rate * float64(time.Microsecond))
}

// wayOf returns the way of an IP packet; it is the zero way if the packet is none.
func wayOf(data []byte) way {
	at, size := 0, 0
	switch {
	case len(data) >= 20 && data[0]>>4 == 4:
		at, size = 12, 4
	case len(data) >= 40 && data[0]>>4 == 6:
		at, size = 8, 16
	}
	from, _ := netip.AddrFromSlice(data[at : at+size])
	to, _ := netip.AddrFromSlice(data[at+size : at+2*size])
	return way{from, to}
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
