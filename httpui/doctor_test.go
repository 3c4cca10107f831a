package httpui

import "testing"

// The node looks at itself at once, which contacts other nodes, only for a page
// that may ask for it: not for who has a link, or a cookie alone.
func TestDoctorComesForTheSignedInOnly(t *testing.T) {
	ts := newTest(t)
	lee := ts.signedIn()
	post := "POST /api/doctor\nHost: " + local + "\nOrigin: http://" + local + "\nContent-Type: application/json\n"
	cookie := "Cookie: " + lee.cookie.Name + "=" + lee.cookie.Value + "\n"
	token := tabHeader + ": " + lee.tab + "\n"
	for _, request := range []string{
		"GET /api/doctor\nHost: " + local + "\n" + cookie + token,
		"HEAD /api/doctor\nHost: " + local + "\n" + cookie + token,
		post + "\n{}",
		post + cookie + "\n{}",
		post + token + "\n{}",
		"POST /api/doctor\nHost: " + public + "\nOrigin: https://" + public + "\nContent-Type: application/json\n" + cookie + token + "\n{}",
		"POST /api/doctor\nHost: " + local + "\nOrigin: http://evil.example\nContent-Type: application/json\n" + cookie + token + "\n{}",
	} {
		if resp := ts.ask(request); resp.StatusCode < 400 {
			t.Errorf("%s\nis answered with %s", request, resp.Status)
		}
	}
	if ts.backend.examined != 0 {
		t.Errorf("examined %d times", ts.backend.examined)
	}
	lee.expect(200, "POST", "/api/doctor", nothing{})
	if ts.backend.examined != 1 {
		t.Errorf("examined %d times on demand", ts.backend.examined)
	}
}
