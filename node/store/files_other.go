//go:build !unix

package store

import "io/fs"

// private accepts every file: there are no modes here, and a user's own folder
// is closed to others by its inherited access list.
func private(string, fs.FileInfo, string) error { return nil }

// syncDir does nothing: a directory cannot be opened for that here.
func syncDir(string) error { return nil }

// Foreign knows nobody's files: owners are not users here.
func Foreign(string) error { return nil }
