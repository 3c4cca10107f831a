package httpui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// importMapOf returns what stands in a page's import map.
func importMapOf(t *testing.T, page string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, `<head><script type="importmap">`)
	content, _, ended := strings.Cut(rest, "</script>")
	if !ok || !ended {
		t.Fatalf("no import map right behind <head> in %.200s", page)
	}
	return content
}

// A page brings the hash of every module, by the URL that a browser will ask
// for, and the policy admits no other inline script than that list.
func TestPagesCarryIntegrity(t *testing.T) {
	ts := newTest(t)
	for _, target := range []string{"/", "/j"} {
		resp := ts.ask("GET " + target + "\nHost: " + local)
		page, _ := io.ReadAll(resp.Body)
		content := importMapOf(t, string(page))
		digest := sha256.Sum256([]byte(content))
		want := "script-src 'self' 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "';"
		if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, want) {
			t.Errorf("%s: policy %s, want %s", target, policy, want)
		}
		var importMap map[string]map[string]string
		if err := json.Unmarshal([]byte(content), &importMap); err != nil {
			t.Fatal(err)
		}
		if len(importMap) != 1 || len(importMap["integrity"]) != 2 {
			t.Errorf("import map %s", content)
		}
		for url, integrity := range importMap["integrity"] {
			resp := ts.ask("GET " + url + "\nHost: " + local)
			body, _ := io.ReadAll(resp.Body)
			digest := sha512.Sum384(body)
			if resp.StatusCode != 200 || integrity != "sha384-"+base64.StdEncoding.EncodeToString(digest[:]) {
				t.Errorf("%s: %s, integrity %s", url, resp.Status, integrity)
			}
		}
	}
}

// Any change to any file, its name included, is another URL for all of them.
func TestHashCoversEverything(t *testing.T) {
	hashes := map[string]string{}
	see := func(what string, pages fstest.MapFS) {
		t.Helper()
		a, err := newAssets(pages)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := hashes[a.hash]; ok {
			t.Errorf("%s and %s have the same hash", what, other)
		}
		hashes[a.hash] = what
	}
	see("the pages", testPages)
	for name, file := range testPages {
		changed := maps.Clone(testPages)
		changed[name] = &fstest.MapFile{Data: append([]byte(nil), append(file.Data, ' ')...)}
		see("a change to "+name, changed)
		renamed := maps.Clone(testPages)
		if !strings.HasSuffix(name, ".html") {
			renamed["x"+name] = file
			see("another copy of "+name, renamed)
		}
	}
}

func TestDamagedPages(t *testing.T) {
	for name, change := range map[string]func(fstest.MapFS){
		"guest.html":     func(p fstest.MapFS) { delete(p, "guest.html") },
		"index.html":     func(p fstest.MapFS) { delete(p, "index.html") },
		"one <head>":     func(p fstest.MapFS) { p["index.html"] = &fstest.MapFile{Data: []byte("<body>")} },
		"make page gues": func(p fstest.MapFS) { p["guest.html"] = &fstest.MapFile{Data: []byte("<head><head>")} },
	} {
		pages := maps.Clone(testPages)
		change(pages)
		if _, err := newAssets(pages); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want an error with %q", err, name)
		}
	}
}

var (
	attribute = regexp.MustCompile(`(?:src|href|data-[a-z]+)="([^"]+)"`)
	imported  = regexp.MustCompile(`(?m)^\s*(?:import|export)\b[^'"\n]*from\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|[^.\w]import\(\s*['"]([^'"]+)['"]\s*\)|^\s*} from ['"]([^'"]+)['"]`)
	comment   = regexp.MustCompile(`(?s)/\*.*?\*/`)
)

// The real pages and modules refer to files that are there, by URLs that stay
// within one version, and to nothing on another host.
func TestPagesReferToTheirOwn(t *testing.T) {
	s, err := New(Config{Listeners: []net.Listener{newMemListener("127.0.0.1:7443")}, InstallID: "x"}, Backend{})
	if err != nil {
		t.Fatal(err)
	}
	a := s.assets
	for name, asset := range a.pages {
		page := bytes.Replace(asset.body, []byte(importMapOf(t, string(asset.body))), nil, 1)
		if bytes.Contains(page, []byte("<style")) || bytes.Count(page, []byte("<script")) != 2+bytes.Count(page, []byte("<script type=\"module\" src=")) {
			t.Errorf("%s has an inline script or style, which the policy forbids", name)
		}
		for _, m := range attribute.FindAllSubmatch(page, -1) {
			file, ok := strings.CutPrefix(string(m[1]), a.base())
			if _, there := a.files[file]; !ok || !there {
				t.Errorf("%s refers to %s", name, m[1])
			}
		}
	}
	for name, file := range a.files {
		if path.Ext(name) != ".js" {
			continue
		}
		for _, m := range imported.FindAllSubmatch(comment.ReplaceAll(file.body, nil), -1) {
			ref := string(bytes.Join(m[1:], nil))
			target := path.Join(path.Dir(name), ref)
			if _, there := a.files[target]; !strings.HasPrefix(ref, ".") || !there {
				t.Errorf("%s imports %s", name, ref)
			}
		}
	}
}

// A page names every module that it comes to import, with its hash, so that a
// browser far away asks for all of them at once.
func TestPagesPreloadTheirModules(t *testing.T) {
	s, err := New(Config{Listeners: []net.Listener{newMemListener("127.0.0.1:7443")}, InstallID: "x"}, Backend{})
	if err != nil {
		t.Fatal(err)
	}
	a := s.assets
	for page, entry := range map[string]string{"guest.html": "guest/guest.js", "index.html": "practitioner/practitioner.js"} {
		want := map[string]bool{}
		for queue := []string{entry}; len(queue) > 0; queue = queue[1:] {
			if want[queue[0]] {
				continue
			}
			want[queue[0]] = true
			for _, m := range imported.FindAllSubmatch(comment.ReplaceAll(a.files[queue[0]].body, nil), -1) {
				queue = append(queue, path.Join(path.Dir(queue[0]), string(bytes.Join(m[1:], nil))))
			}
		}
		got := map[string]bool{}
		for _, m := range regexp.MustCompile(`rel="modulepreload" href="([^"]+)" integrity="(sha384-[^"]+)"`).FindAllSubmatch(a.pages[page].body, -1) {
			file := strings.TrimPrefix(string(m[1]), a.base())
			digest := sha512.Sum384(a.files[file].body)
			if string(m[2]) != "sha384-"+base64.StdEncoding.EncodeToString(digest[:]) {
				t.Errorf("%s: hash of %s", page, file)
			}
			got[file] = true
		}
		got["link/fragment.js"] = true
		want["link/fragment.js"] = true // an entry of its own
		if len(want) < 20 || !maps.Equal(got, want) {
			t.Errorf("%s preloads %d modules of %d", page, len(got), len(want))
		}
	}
}

// What is sent compressed is what is sent otherwise, to those that ask for it.
func TestCompressed(t *testing.T) {
	ts := newTest(t)
	for _, c := range []struct {
		accept  string
		gzipped bool
	}{{"gzip, deflate, br, zstd", true}, {"gzip", true}, {"", false}, {"br", false}, {"gzip;q=0", false}, {"xgzip", false}} {
		resp := ts.ask("GET /\nHost: localhost:7443\nAccept-Encoding: " + c.accept)
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Header.Get("Content-Encoding") == "gzip"; got != c.gzipped || resp.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: %v", c.accept, resp.Header)
		} else if got {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(body, ts.assets.pages["index.html"].body) {
			t.Errorf("%q: another page", c.accept)
		}
	}
}
