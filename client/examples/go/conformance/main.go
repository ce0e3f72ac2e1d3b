// Conformance is the adapter of docs/conformance.md: it lets the harness check the client in ../adsum.
package main

import (
	"fmt"
	"os"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "vectors":
		err = runVectors(os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "live":
		err = runLive()
	default:
		fmt.Fprintln(os.Stderr, "usage: conformance vectors FOLDER | live")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
