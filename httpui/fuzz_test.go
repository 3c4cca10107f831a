package httpui

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"anteroom/node/desk/api"
)

// seeds returns the rest of each line of a file in testdata that has a prefix.
func seeds(f *testing.F, file, prefix string) []string {
	f.Helper()
	script, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		f.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(script)) {
		if value, ok := strings.CutPrefix(line, prefix); ok {
			all = append(all, strings.TrimSuffix(value, "\n"))
		}
	}
	if len(all) == 0 {
		f.Fatalf("no seeds in %s", file)
	}
	return all
}

// FuzzHost: whatever a request calls us and wherever it says it comes from, it
// is heard only under our names, and changes something only from our pages.
func FuzzHost(f *testing.F) {
	for _, host := range seeds(f, "hosts.txt", "Host: ") {
		f.Add(host, "http://"+host, "same-origin")
	}
	for _, origin := range seeds(f, "origins.txt", "Origin: ") {
		f.Add(local, origin, "")
	}
	listeners := []net.Listener{newMemListener("127.0.0.1:7443")}
	s, err := newServer(Config{Listeners: listeners, PublicURL: "https://" + public, InstallID: "x"}, Backend{}, testPages)
	if err != nil {
		f.Fatal(err)
	}
	ctx := s.http.BaseContext(s.listeners[0])
	f.Fuzz(func(t *testing.T, host, origin, fetchSite string) {
		r := &request{Request: httptest.NewRequestWithContext(ctx, http.MethodPost, "/api/signin", nil)}
		r.Host = host
		r.Header = http.Header{"Origin": {origin}, "Sec-Fetch-Site": {fetchSite}}
		heard := s.knownHost(r) == nil
		ours := host == "localhost:7443" || host == "127.0.0.1:7443" || host == "[::1]:7443" || host == public
		if heard != ours {
			t.Fatalf("host %q is heard: %v", host, heard)
		}
		if !heard {
			return
		}
		scheme := "http://"
		if host == public {
			scheme = "https://"
		}
		if s.exactOrigin(r) == nil && origin != scheme+host {
			t.Errorf("a page of %q may change %q", origin, host)
		}
		if s.sameSite(r) == nil && fetchSite != "same-origin" {
			t.Errorf("a request from %q may change something", fetchSite)
		}
	})
}

// FuzzJSONBody: a body that is taken has one meaning. Written again, it is
// taken again and means the same; and its fields are those that stand in it.
func FuzzJSONBody(f *testing.F) {
	for _, body := range seeds(f, "bodies.txt", "{") {
		f.Add([]byte("{" + body))
	}
	f.Add([]byte(`{"starts":1,"minutes":30,"label":"\ud83d\ude00","guests":[{"label":"a"},{"label":""}]}`))
	f.Add([]byte(`{"guests":[{"label":"a","label":"b"}]}`))
	f.Add([]byte(`{"starts":1e3,"minutes":-0}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var in api.NewAppointment
		if err := decode(body, &in); err != nil {
			if _, ok := err.(*refusal); !ok {
				t.Fatalf("error %v", err)
			}
			return
		}
		var plain map[string]any
		if err := json.Unmarshal(body, &plain); err != nil {
			t.Fatalf("took what is no JSON object: %v", err)
		}
		for key, value := range plain {
			if value == nil || key != "starts" && key != "minutes" && key != "label" && key != "guests" && key != "hide_addresses" {
				t.Errorf("took the field %q with %v", key, value)
			}
		}
		if label, _ := plain["label"].(string); label != in.Label {
			t.Errorf("label %q was read as %q", label, in.Label)
		}
		if in.Guests == nil {
			in.Guests = []api.NewGuest{}
		}
		again, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var twice api.NewAppointment
		if err := decode(again, &twice); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if !reflect.DeepEqual(in, twice) {
			t.Errorf("%+v became %+v", in, twice)
		}
	})
}
