// Package mediatest is a practitioner's page without a page, for tests of
// whatever carries calls: a Host attends a room over a wire.Conn, answers offers
// while their guests wait, admits, proves who it is, sends a test pattern and
// counts what comes back.
//
// It shares no code with package media, so that the two check each other.
package mediatest
