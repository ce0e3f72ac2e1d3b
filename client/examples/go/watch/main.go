// Watch enters a lobby and prints what happens there, as the lines of `adsum watch --json`, until Ctrl-C.
//
//	watch [--name NAME] [--key FILE | --seed HEX] [--observer] TARGET LOBBY
package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"adsum.example/client/adsum"
	pb "adsum.example/gen/adsum/v1"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	name := flag.String("name", "gopher", "the display `name`")
	file := flag.String("key", "", "a `file` with the 64 hex digits of the secret seed; made if it is missing")
	seed := flag.String("seed", "", "the seed itself, as 64 `hex` digits; without both a new one is used")
	isObserver := flag.Bool("observer", false, "look without being present")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: watch [OPTIONS] TARGET LOBBY [OPTIONS]")
		flag.PrintDefaults()
	}
	// Options may stand behind TARGET and LOBBY too.
	var words []string
	for flag.Parse(); flag.NArg() > 0; flag.CommandLine.Parse(flag.Args()[1:]) {
		words = append(words, flag.Arg(0))
	}
	if len(words) != 2 {
		flag.Usage()
		os.Exit(2)
	}
	key, keyErr := loadKey(*file, *seed)
	audience, err := adsum.Audience(words[0])
	_, _, portErr := net.SplitHostPort(words[0])
	if err = cmp.Or(err, portErr, keyErr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	profile := &pb.Profile{Name: *name, Status: pb.Status_STATUS_AVAILABLE}
	session := adsum.NewSession(words[1], audience, key, profile, *isObserver)
	// For TLS: credentials.NewTLS(&tls.Config{}), which trusts the system's roots.
	client := adsum.New(words[0], insecure.NewCredentials(), session, func(event adsum.Event) {
		os.Stdout.Write(event.Line(words[1], time.Now()))
	})
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if err := client.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// loadKey takes the seed that was given, or the one in the file, or a new one, which is kept if there is a file to keep it in.
func loadKey(file, seed string) (ed25519.PrivateKey, error) {
	if file != "" {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			text = []byte(hex.EncodeToString(newSeed()) + "\n")
			err = os.WriteFile(file, text, 0o600)
		}
		if err != nil {
			return nil, err
		}
		seed = strings.TrimSpace(string(text))
	}
	secret, err := hex.DecodeString(seed)
	if file == "" && seed == "" {
		secret = newSeed()
	}
	if err != nil || len(secret) != ed25519.SeedSize {
		return nil, errors.New("a seed has 64 hex digits")
	}
	return ed25519.NewKeyFromSeed(secret), nil
}

func newSeed() []byte {
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed) // never fails
	return seed
}
