package invite

import (
	"bytes"
	"testing"
)

func TestHostKeysRoundTrip(t *testing.T) {
	inv, err := New()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := inv.Host.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(stored, inv.Link.secret.Reveal()) {
		t.Error("the stored host keys contain the link's secret")
	}
	var got HostKeys
	if err := got.UnmarshalBinary(stored); err != nil {
		t.Fatal(err)
	}
	clear(stored) // it must not be kept
	again, err := got.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := inv.Host.MarshalBinary(); !bytes.Equal(again, want) {
		t.Error("host keys changed in the store")
	}
	if got.Commitment() != inv.Link.Commitment() {
		t.Error("stored host keys do not fit the link")
	}
}

func TestHostKeysRefuseOtherSizesAndVersions(t *testing.T) {
	inv, err := New()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := inv.Host.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{nil, stored[:len(stored)-1], append(bytes.Clone(stored), 0), append([]byte{2}, stored[1:]...)} {
		var k HostKeys
		if k.UnmarshalBinary(bad) == nil {
			t.Errorf("%d bytes of version %v were accepted", len(bad), bad[:min(1, len(bad))])
		}
	}
}

func TestDecoysDiffer(t *testing.T) {
	a, b := Decoy(), Decoy()
	if a.PSK.Equal(b.PSK) || a.Admit.Equal(b.Admit) || a.Hello.Equal(b.Hello) ||
		a.Rendezvous.RID() == b.Rendezvous.RID() || a.private.Equal(b.private) {
		t.Error("two decoys share a key")
	}
	if a.Admit.Equal(a.PSK) || a.Admit.Equal(a.Hello) {
		t.Error("a decoy uses one key for two purposes")
	}
}
