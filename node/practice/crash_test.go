package practice

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"anteroom/node/audit"
	"anteroom/rendezvous/wire"
)

// crashDirEnv makes the test program a child that writes until it is killed.
const crashDirEnv = "ANTEROOM_TEST_CRASH_DIR"

const crashes = 20

// writeUntilKilled does what a busy practice does and says on stdout what has
// been acknowledged.
func writeUntilKilled(dir string) {
	ctx := context.Background()
	fail := func(err error) {
		if err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
	}
	p, err := Open(ctx, Config{Dir: dir, passwords: cheap})
	fail(err)
	who, err := p.People.Practitioners(ctx)
	fail(err)
	fmt.Println("ready")
	for {
		a, err := p.Create(ctx, who[0].ID, New{Starts: time.Now(), Minutes: 30, Label: "busy", Guests: []string{"Ann", "Ben"}})
		fail(err)
		ann, ben := a.Invites[0].Member, a.Invites[1].Member
		fmt.Println("created", a.ID)
		fail(p.Bind(ctx, ann, device(1)))
		fail(p.MarkAdmitted(ctx, ann))
		fmt.Println("admitted", a.ID)
		fail(p.Revoke(ctx, who[0].ID, ben))
		fmt.Println("revoked", a.ID)
		fail(p.People.Sessions().Commit("token", []byte(a.ID), time.Now().Add(time.Hour)))
	}
}

// TestKilledWhileWriting kills a writing process again and again: whatever it
// acknowledged is there afterwards, and nothing is half done.
func TestKilledWhileWriting(t *testing.T) {
	f := newFixture(t)
	f.set(time.Now())
	must(t, f.Close())
	program, err := os.Executable()
	must(t, err)

	acknowledged := 0
	for range crashes {
		child := exec.CommandContext(t.Context(), program)
		child.Env = append(os.Environ(), crashDirEnv+"="+f.dir)
		out, err := child.StdoutPipe()
		must(t, err)
		must(t, child.Start())
		lines := bufio.NewScanner(out)
		said := map[string][]string{} // appointment → what was done to it
		for left := 1 + rand.IntN(12); lines.Scan(); left-- {
			if left == 0 {
				must(t, child.Process.Kill()) // while it goes on writing
			}
			verb, id, _ := strings.Cut(lines.Text(), " ")
			if verb == "failed" {
				t.Fatal(lines.Text())
			}
			if id != "" {
				said[id] = append(said[id], verb)
				acknowledged++
			}
		}
		if err := child.Wait(); err == nil || err.Error() != "signal: killed" {
			t.Fatalf("the child ended by itself: %v", err)
		}

		f.open()
		for id, verbs := range said {
			a := f.reread(id)
			if len(a.Invites) != 2 {
				t.Fatalf("%d invites", len(a.Invites))
			}
			for _, verb := range verbs {
				if verb == "admitted" && a.Invites[0].State != InviteAdmitted {
					t.Errorf("an acknowledged admission is %s", a.Invites[0].State)
				}
				if verb == "revoked" && (a.Invites[1].State != InviteRevoked || a.Invites[1].HasLink) {
					t.Errorf("an acknowledged revocation is %s", a.Invites[1].State)
				}
			}
		}
		f.checkWhole()
		must(t, f.Close())
	}
	if acknowledged < crashes {
		t.Errorf("only %d writes were acknowledged in %d lives", acknowledged, crashes)
	}
	if _, err := os.Stat(filepath.Join(f.dir, "anteroom.db-wal")); err == nil {
		t.Error("a log is left after closing")
	}
	f.open()
}

// checkWhole fails unless the database is sound, every appointment is whole
// and every deed has its entry in the trail.
func (f *fixture) checkWhole() {
	f.t.Helper()
	var verdict string
	must(f.t, f.store.Read(f.t.Context(), func(tx *sql.Tx) error {
		return tx.QueryRow("PRAGMA integrity_check").Scan(&verdict)
	}))
	if verdict != "ok" {
		f.t.Fatal(verdict)
	}
	deeds := map[string]int{}
	list, err := f.Appointments(f.t.Context(), f.who.ID, time.Time{}, time.Time{})
	must(f.t, err)
	for _, a := range list {
		deeds[audit.EventCreate]++
		for _, inv := range a.Invites {
			switch inv.State {
			case InviteAdmitted:
				deeds[audit.EventAdmit]++
			case InviteRevoked:
				deeds[audit.EventRevoke]++
			}
			if inv.HasLink == (inv.State == InviteRevoked) {
				f.t.Errorf("half revoked: %+v", inv)
			}
		}
	}
	if _, err := f.Trail.Verify(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	noted := map[string]int{}
	entries, err := f.Trail.Entries(f.t.Context(), 1, 1<<30)
	must(f.t, err)
	for _, e := range entries {
		noted[e.Event]++
	}
	if fmt.Sprint(noted) != fmt.Sprint(deeds) {
		f.t.Errorf("the trail has %v, and done was %v", noted, deeds)
	}
	// Another device is told that the seat is taken, so the seat was read.
	for _, a := range list {
		if a.Invites[0].State == InviteAdmitted {
			if err := f.Bind(f.t.Context(), a.Invites[0].Member, device(2)); !errors.Is(err, wire.ErrSeatTaken) {
				f.t.Error(err)
			}
			break
		}
	}
}
