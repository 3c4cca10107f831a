package invite

import (
	"bytes"
	"crypto/ecdh"
	"testing"
	"time"

	"anteroom/rendezvous/internal/vectors"
)

// fromVector makes the invite of v from its secret and host key.
func fromVector(t testing.TB, v vectors.Vector) Invite {
	t.Helper()
	priv, err := ecdh.P256().NewPrivateKey(v.HostPriv)
	if err != nil {
		t.Fatal(err)
	}
	return newInvite(newSecret(v.S), priv)
}

func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s = %x, want %x", what, got, want)
	}
}

func TestVectors(t *testing.T) {
	for _, v := range vectors.Load(t) {
		t.Run(v.ID, func(t *testing.T) {
			inv := fromVector(t, v)
			if got := inv.Link.Payload(); got != v.Link {
				t.Errorf("payload = %s, want %s", got, v.Link)
			}
			parsed, err := ParseLink("https://practice.example/j#" + v.Link)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "S", parsed.secret.Reveal(), v.S)
			hc := parsed.Commitment()
			equal(t, "HC in link", hc[:], v.HC)

			host := inv.Host
			pub, hc := host.Public(), host.Commitment()
			equal(t, "host_pub", pub[:], v.HostPub)
			equal(t, "host_priv", host.Private().Reveal(), v.HostPriv)
			equal(t, "HC of host", hc[:], v.HC)

			for _, k := range []Keys{host.Keys, parsed.Keys()} {
				equal(t, "K_psk", k.PSK.Reveal(), v.PSK)
				equal(t, "K_admit", k.Admit.Reveal(), v.AdmitKey)
				equal(t, "K_hello", k.Hello.Reveal(), v.HelloKey)
				rdv, rid := k.Rendezvous.Reveal(), k.Rendezvous.RID()
				equal(t, "K_rdv", rdv[:], v.RendezvousKey)
				equal(t, "rid", rid[:], v.RID)
			}

			rdv := host.Rendezvous
			at := time.Unix(v.UnixTime, 0)
			if got := rdv.Phase(); got != v.Phase {
				t.Errorf("phase = %d, want %d", got, v.Phase)
			}
			epoch := rdv.Epoch(at)
			if int64(epoch) != v.Epoch {
				t.Errorf("epoch = %d, want %d", epoch, v.Epoch)
			}
			equal(t, "K_ep", rdv.epochKey(epoch), v.EpochKey)
			if len(v.Replicas) != Replicas {
				t.Fatalf("%d replicas", len(v.Replicas))
			}
			for i, want := range v.Replicas {
				got := rdv.Replica(epoch, i)
				equal(t, "seed", got.sign.Reveal()[:32], want.Seed)
				equal(t, "pub", got.Name(), want.Pub)
				equal(t, "seal", got.seal.Reveal(), want.Seal)
			}
		})
	}
}
