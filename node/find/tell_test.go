package find

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"anteroom/rendezvous/wire"
)

// frames are what a home node sends: each says one kind of the rids from until to.
func frames(parts ...[3]int) []byte {
	out := bytes.NewBuffer([]byte{mineVersion})
	for _, p := range parts {
		var rids [][32]byte
		for i := p[1]; i < p[2]; i++ {
			rids = append(rids, ridOf(i))
		}
		writeMineFrame(out, byte(p[0]), rids)
	}
	return out.Bytes()
}

func ridOf(i int) (rid [32]byte) {
	copy(rid[:], fmt.Sprint("rid ", i))
	return rid
}

func TestWhatHomesTell(t *testing.T) {
	h := newHomes()
	known := func(i int) bool { _, ok, _ := h.of(ridOf(i)); return ok }
	if err := h.listen("home", bytes.NewReader(frames([3]int{mineAdded, 0, 2}))); err != io.EOF {
		t.Errorf("a list that breaks off: %v", err)
	}
	if known(0) || h.heard("home") {
		t.Error("half a list counts")
	}
	h.listen("home", bytes.NewReader(frames([3]int{mineAdded, 0, 2}, [3]int{mineAll}, [3]int{mineGone, 0, 1}, [3]int{mineAdded, 2, 3})))
	if known(0) || !known(1) || !known(2) || !h.heard("home") {
		t.Error("changes do not count")
	}
	h.listen("other", bytes.NewReader(frames([3]int{mineAdded, 9, 10}, [3]int{mineAll})))
	if home, _, _ := h.of(ridOf(9)); home != "other" {
		t.Errorf("the rid is taken for %q's", home)
	}
	h.listen("home", bytes.NewReader(frames([3]int{mineAdded, 5, 6})))
	if !known(1) || known(5) {
		t.Error("what a home told is forgotten before it has told anew")
	}
	h.listen("home", bytes.NewReader(frames([3]int{mineAdded, 5, 6}, [3]int{mineAll})))
	if known(1) || !known(5) || !known(9) {
		t.Error("a new list does not take the place of the old one")
	}
}

// Of two streams the newer one counts, however late the older one ends.
func TestHomeTellsOnItsNewestStream(t *testing.T) {
	h := newHomes()
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() { // ends with w
		defer r.Close()
		ended <- h.listen("home", r)
	}()
	_, _, news := h.of(ridOf(0))
	w.Write(frames([3]int{mineAll}))
	<-news
	h.listen("home", bytes.NewReader(frames([3]int{mineAdded, 1, 2}, [3]int{mineAll})))
	w.Write(frames([3]int{mineGone, 1, 2})[1:])
	if err := <-ended; err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the older stream: %v", err)
	}
	if _, ok, _ := h.of(ridOf(1)); !ok {
		t.Error("the older stream counts")
	}
}

func TestHomesThatTellTooMuch(t *testing.T) {
	var full [][3]int
	for i := 0; i < maxMine; i += maxRIDs {
		full = append(full, [3]int{mineAdded, i, i + maxRIDs})
	}
	if err := newHomes().listen("home", bytes.NewReader(frames(full...))); err != io.EOF {
		t.Errorf("as many as there may be: %v", err)
	}
	h := newHomes()
	if err := h.listen("home", bytes.NewReader(frames(append(full, [3]int{mineAll}, [3]int{mineAdded, maxMine, maxMine + 1})...))); err == nil || err == io.EOF {
		t.Errorf("one more: %v", err)
	}
	if n := len(h.told["home"]); n != maxMine {
		t.Errorf("%d are kept", n)
	}
	for what, b := range map[string][]byte{
		"version":          {2},
		"kind 0":           {mineVersion, 0, 0, 0},
		"kind 4":           {mineVersion, 4, 0, 0},
		"a large frame":    append([]byte{mineVersion, mineAdded, 1, 1}, make([]byte, 257*32)...),
		"all, with a rid":  append([]byte{mineVersion, mineAll, 0, 1}, make([]byte, 32)...),
		"65535 of nothing": {mineVersion, mineAdded, 255, 255},
	} {
		if err := newHomes().listen("home", bytes.NewReader(b)); !errors.Is(err, wire.ErrBadMessage) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What a home sends is what its gateway knows, however much changes at once.
func TestSendMine(t *testing.T) {
	some := func(from, to int) map[wire.MemberID][32]byte {
		m := make(map[wire.MemberID][32]byte)
		for i := from; i < to; i++ {
			m[wire.MemberID(fmt.Sprint(i))] = ridOf(i)
		}
		return m
	}
	h := newHomes()
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() { // ends with w
		defer r.Close()
		ended <- h.listen("home", r)
	}()
	var told map[wire.MemberID][32]byte
	for _, mine := range []map[wire.MemberID][32]byte{{}, some(0, 1000), some(500, 501), some(2, 300), {}, some(7, 8)} {
		var out bytes.Buffer
		if err := sendMine(&out, told, mine); err != nil {
			t.Fatal(err)
		}
		w.Write(out.Bytes())
		told = mine
	}
	w.Close()
	if err := <-ended; err != io.EOF {
		t.Error(err)
	}
	if n := len(h.told["home"]); n != 1 || !h.told["home"][ridOf(7)] {
		t.Errorf("%d are known", n)
	}
}

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := func(s *budget, from func(int) netip.Addr) (n int) {
			for i := range 5000 {
				if s.allow(from(i)) {
					n++
				}
			}
			return n
		}
		one := func(int) netip.Addr { return netip.MustParseAddr("192.0.2.1") }
		many := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i / 256), byte(i), 1}) }
		nowhere := func(int) netip.Addr { return netip.Addr{} }
		s := newBudget(Searches{})
		if got := took(s, one); got != 10 {
			t.Errorf("%d of one network at once", got)
		}
		if got := took(s, many); got != 10 {
			t.Errorf("%d of others at once", got)
		}
		time.Sleep(time.Second)
		if got := took(s, one); got != 1 {
			t.Errorf("%d of one network a second later", got)
		}
		if got := took(s, many); got != 9 {
			t.Errorf("%d of others a second later", got)
		}
		time.Sleep(time.Minute)
		if got := took(s, nowhere); got != 20 {
			t.Errorf("%d at once from where it is not known", got)
		}
		s = newBudget(Searches{All: 3, Network: 2})
		if got := took(s, many); got != 6 {
			t.Errorf("%d of all at once", got)
		}
	})
}
