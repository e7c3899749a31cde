package kube

import "os"

// swapStdout undoes, when called, what Configure does to stdout, so that the test output stays in place.
func swapStdout() func() {
	stdout := os.Stdout
	return func() { os.Stdout = stdout }
}
