package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"adsum.example/client/adsum"
	pb "adsum.example/gen/adsum/v1"
	"google.golang.org/grpc/credentials/insecure"
)

// command is a line of stdin. Which fields it has depends on its kind.
type command struct {
	Command    string `json:"command"`
	Target     string `json:"target"`
	Lobby      string `json:"lobby"`
	Seed       string `json:"seed"`
	Name       string `json:"name"`
	IsObserver bool   `json:"observer"`
	Status     string `json:"status"`
	StatusText string `json:"status_text"`
	Key        string `json:"key"`
	Text       string `json:"text"`
	ID         any    `json:"id"` // comes back as it came
}

// adapter is one client. What it holds is used inside client.Do alone.
type adapter struct {
	lobby  string
	client *adsum.Client
	sends  map[uint64]any // the harness's ids of messages, by ours
}

// runLive reads commands until the client has left (nil) or was refused for good.
func runLive() error {
	lines := bufio.NewReader(os.Stdin)
	first, err := read(lines)
	if err != nil || first.Command != "connect" {
		return errors.Join(err, errors.New("connect comes first"))
	}
	seed, err := hex.DecodeString(first.Seed)
	if err != nil || len(seed) != ed25519.SeedSize {
		return errors.New("a seed has 64 hex digits")
	}
	audience, err := adsum.Audience(first.Target)
	if err != nil {
		return err
	}
	a := &adapter{lobby: first.Lobby, sends: map[uint64]any{}}
	session := adsum.NewSession(first.Lobby, audience, ed25519.NewKeyFromSeed(seed), profileOf(first), first.IsObserver)
	a.client = adsum.New(first.Target, insecure.NewCredentials(), session, a.emit)
	ctx, leave := context.WithCancel(context.Background())
	go func() {
		defer leave() // at the end of stdin too
		for {
			command, err := read(lines)
			if err != nil || command.Command == "leave" {
				return
			}
			a.client.Do(func(session *adsum.Session) { a.obey(command, session) })
		}
	}()
	return a.client.Run(ctx)
}

// read reads the next command. A line that is none is ignored, and said on stderr.
func read(lines *bufio.Reader) (command command, err error) {
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil && len(line) == 0 {
			return command, err
		}
		if err := json.Unmarshal(line, &command); err == nil {
			return command, nil
		}
		fmt.Fprintf(os.Stderr, "not a command: %q\n", line)
	}
}

func (a *adapter) obey(command command, session *adsum.Session) {
	key, err := hex.DecodeString(command.Key)
	if err != nil {
		fmt.Fprintf(os.Stderr, "not a key: %q\n", command.Key)
		return
	}
	switch command.Command {
	case "update":
		session.Update(profileOf(command))
	case "select":
		session.Select(key)
	case "send":
		a.sends[session.Send(key, []byte(command.Text))] = command.ID
	case "roster":
		roster := &session.Roster
		a.emit(adsum.Event{"event": "roster", "id": command.ID, "epoch": fmt.Sprintf("%016x", roster.Epoch),
			"digest": fmt.Sprintf("%016x", roster.Digest), "revision": roster.Revision,
			"is_stale": session.IsStale(), "members": roster.Sorted()})
	}
}

func (a *adapter) emit(event adsum.Event) {
	if event["event"] == "sent" {
		ours := event["id"].(uint64)
		event["id"] = a.sends[ours]
		delete(a.sends, ours)
	}
	os.Stdout.Write(event.Line(a.lobby, time.Now()))
}

func profileOf(command command) *pb.Profile {
	// A word that isn't in the contract becomes UNSPECIFIED, which the server reads as available.
	status := pb.Status(pb.Status_value["STATUS_"+strings.ToUpper(command.Status)])
	return &pb.Profile{Name: command.Name, Status: status, StatusText: command.StatusText}
}
