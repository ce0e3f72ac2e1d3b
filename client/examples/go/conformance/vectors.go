package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"adsum.example/client/adsum"
	pb "adsum.example/gen/adsum/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// runVectors runs the cases of every file that clients need, and writes a line for each.
func runVectors(folder string) error {
	for _, file := range []struct {
		name string
		run  func(content []byte) error
	}{{"signing", runSigning}, {"digest", runDigest}, {"audience", runAudience}, {"roster", runRoster}} {
		content, err := os.ReadFile(filepath.Join(folder, file.name+".json"))
		if err == nil {
			err = file.run(content)
		}
		if err != nil {
			return fmt.Errorf("%s.json: %w", file.name, err)
		}
	}
	return nil
}

// check runs one case. A panic in the client fails the case and not the run.
func check(file, name string, run func() error) {
	line := adsum.Event{"file": file, "case": name, "ok": false}
	func() {
		defer func() {
			if problem := recover(); problem != nil {
				line["why"] = fmt.Sprint("panic: ", problem)
			}
		}()
		if err := run(); err != nil {
			line["why"] = err.Error()
		} else {
			line["ok"] = true
		}
	}()
	os.Stdout.Write(line.ASCII())
}

// hexBytes are bytes that stand in JSON as hex digits.
type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

func expect(what string, got, want any) error {
	if reflect.DeepEqual(got, want) {
		return nil
	}
	return fmt.Errorf("%s: expected %v, got %v", what, want, got)
}

func runSigning(content []byte) error {
	var file struct {
		Proofs []struct {
			Name, Fingerprint, Audience, Lobby string
			Seed, Transcript, Signature        hexBytes
			PublicKey                          hexBytes `json:"public_key"`
			ServerNonce                        hexBytes `json:"server_nonce"`
			ClientNonce                        hexBytes `json:"client_nonce"`
			ExpiresAtUnixMillis                uint64   `json:"expires_at_unix_millis,string"`
		}
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return err
	}
	for _, proof := range file.Proofs {
		check("signing", proof.Name, func() error {
			// The session makes its proof as it does on a stream.
			session := adsum.NewSession(proof.Lobby, proof.Audience, ed25519.NewKeyFromSeed(proof.Seed), &pb.Profile{}, false)
			hello := session.Dial(proof.ClientNonce).GetHello()
			challenge := &pb.Challenge{ServerNonce: proof.ServerNonce, ExpiresAtUnixMillis: proof.ExpiresAtUnixMillis}
			if err := session.Receive(&pb.PresenceResponse{Response: &pb.PresenceResponse_Challenge{Challenge: challenge}}); err != nil {
				return err
			}
			return first(
				expect("public key", hello.PublicKey, []byte(proof.PublicKey)),
				expect("fingerprint", adsum.Key(hello.PublicKey).Fingerprint(), proof.Fingerprint),
				expect("transcript", adsum.Transcript(hello, challenge), []byte(proof.Transcript)),
				expect("signature", session.Take().GetProof().GetSignature(), []byte(proof.Signature)))
		})
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func runDigest(content []byte) error {
	var file struct {
		Members []struct {
			Name        string
			PublicKey   hexBytes `json:"public_key"`
			Incarnation uint64   `json:",string"`
			Revision    uint64   `json:",string"`
			Digest      uint64   `json:",string"`
		}
		Sums []struct {
			Name           string
			Steps, Digests []string
		}
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return err
	}
	digest := func(index int) uint64 {
		member := file.Members[index]
		return (&adsum.Member{Key: adsum.Key(member.PublicKey), Incarnation: member.Incarnation, Revision: member.Revision}).Digest()
	}
	for index, member := range file.Members {
		check("digest", member.Name, func() error { return expect("digest", digest(index), member.Digest) })
	}
	for _, sum := range file.Sums {
		check("digest", sum.Name, func() error {
			total := uint64(0)
			digests := []string{"0"}
			for _, step := range sum.Steps {
				index, err := strconv.Atoi(step[1:])
				if err != nil {
					return err
				}
				if step[0] == '+' {
					total += digest(index)
				} else {
					total -= digest(index)
				}
				digests = append(digests, strconv.FormatUint(total, 10))
			}
			return expect("digests", digests, sum.Digests)
		})
	}
	return nil
}

func runAudience(content []byte) error {
	var file struct {
		Cases []struct{ Dialled, Audience string }
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return err
	}
	for _, c := range file.Cases {
		check("audience", c.Dialled, func() error {
			audience, err := adsum.Audience(c.Dialled)
			return first(expect("audience", audience, c.Audience), expect("is refused", err != nil, c.Audience == ""))
		})
	}
	return nil
}

// A transcript of roster.json.
type transcript struct {
	Name     string
	Observer bool
	Steps    []struct {
		Connect, Disconnect bool
		Select              *[]byte // base64, as encoding/json reads bytes
		Receive             json.RawMessage
		Holds               *holds
		Send                []json.RawMessage
		Events              []map[string]string
	}
}

type holds struct {
	Epoch    uint64 `json:",string"`
	Revision uint64 `json:",string"`
	Digest   uint64 `json:",string"`
	IsStale  *bool
	Members  []struct {
		PublicKey      []byte
		Incarnation    uint64 `json:",string"`
		Revision       uint64 `json:",string"`
		Liveness, Name string
	}
}

func runRoster(content []byte) error {
	var file struct {
		Lobby, Audience string
		Me              struct {
			Name string
			Seed hexBytes
		}
		Cases []transcript
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return err
	}
	for _, c := range file.Cases {
		check("roster", c.Name, func() error {
			key := ed25519.NewKeyFromSeed(file.Me.Seed)
			session := adsum.NewSession(file.Lobby, file.Audience, key, &pb.Profile{Name: file.Me.Name}, c.Observer)
			return play(session, c)
		})
	}
	return nil
}

// play leads a session through a transcript, as its connection would, and compares after each step.
func play(session *adsum.Session, c transcript) error {
	for number, step := range c.Steps {
		var sent []*pb.PresenceRequest
		session.Events = nil
		switch {
		case step.Connect:
			sent = append(sent, session.Dial(make([]byte, 32)))
		case step.Disconnect:
			session.Lost("the transcript says so", 0)
		case step.Select != nil:
			session.Select(*step.Select)
		default:
			response := &pb.PresenceResponse{}
			if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(step.Receive, response); err != nil {
				return err
			}
			if err := session.Receive(response); err != nil {
				return fmt.Errorf("step %d: %w", number, err)
			}
		}
		for request := session.Take(); request != nil; request = session.Take() {
			sent = append(sent, request)
		}
		if err := first(compareHolds(session, step.Holds), compareSent(session, sent, step.Send),
			compareEvents(session.Events, step.Events)); err != nil {
			return fmt.Errorf("step %d: %w", number, err)
		}
	}
	return nil
}

func compareHolds(session *adsum.Session, want *holds) error {
	roster := &session.Roster
	if want == nil {
		return expect("holds a list", roster.IsHeld, false)
	}
	var members, wanted []string
	for _, m := range roster.Members {
		members = append(members, fmt.Sprint(m.Key, m.Incarnation, m.Revision, "LIVENESS_"+strings.ToUpper(m.Liveness), m.Name))
	}
	for _, m := range want.Members {
		wanted = append(wanted, fmt.Sprint(adsum.Key(m.PublicKey), m.Incarnation, m.Revision, m.Liveness, m.Name))
	}
	slices.Sort(members)
	slices.Sort(wanted)
	var staleErr error
	if want.IsStale != nil {
		staleErr = expect("is stale", session.IsStale(), *want.IsStale)
	}
	return first(expect("holds a list", roster.IsHeld, true), expect("epoch", roster.Epoch, want.Epoch),
		expect("revision", roster.Revision, want.Revision), expect("digest", roster.Digest, want.Digest),
		expect("members", members, wanted), staleErr)
}

func compareSent(session *adsum.Session, sent []*pb.PresenceRequest, want []json.RawMessage) error {
	var wanted []string
	for _, text := range want {
		request := &pb.PresenceRequest{}
		if err := protojson.Unmarshal(text, request); err != nil {
			return err
		}
		wanted = append(wanted, comparableText(request))
	}
	roster := &session.Roster
	beat := comparableText(&pb.PresenceRequest{Request: &pb.PresenceRequest_Heartbeat{
		Heartbeat: &pb.ClientHeartbeat{Epoch: roster.Epoch, Revision: roster.Revision, Digest: roster.Digest}}})
	var got []string
	for _, request := range sent {
		// A heartbeat that tells what is held may come more often than is listed.
		if text := comparableText(request); text != beat || slices.Contains(wanted, text) {
			got = append(got, text)
		}
	}
	slices.Sort(got)
	slices.Sort(wanted)
	return expect("send", got, wanted)
}

// comparableText writes a request without what a client is free to choose, and without the spaces that protojson varies on purpose.
func comparableText(request *pb.PresenceRequest) string {
	request = proto.CloneOf(request)
	if hello := request.GetHello(); hello != nil {
		hello.ClientNonce, hello.Profile = nil, nil
	}
	if proof := request.GetProof(); proof != nil {
		proof.Signature = nil
	}
	if selected := request.GetSelect(); selected != nil {
		selected.RequestId = 0
	}
	text, _ := protojson.Marshal(request)
	var compact bytes.Buffer
	json.Compact(&compact, text)
	return compact.String()
}

// compareEvents compares the events of each member, in their order; between members the order is free.
func compareEvents(events []adsum.Event, want []map[string]string) error {
	got, wanted := map[string][]string{}, map[string][]string{}
	isReasonTold := map[string]bool{}
	for _, event := range want {
		if event["kind"] == "left" {
			isReasonTold[event["publicKey"]] = event["reason"] != ""
		}
		wanted[event["publicKey"]] = append(wanted[event["publicKey"]], fmt.Sprint(event))
	}
	for _, event := range events {
		kind := event["event"].(string)
		shown := map[string]string{"kind": kind}
		switch kind {
		case "snapshot":
		case "joined", "updated", "suspect", "back", "left":
			key := event["member"].(*adsum.Member).Key
			shown["publicKey"] = base64.StdEncoding.EncodeToString(key[:])
			if kind == "left" && isReasonTold[shown["publicKey"]] {
				shown["reason"] = "DEPARTURE_REASON_" + strings.ToUpper(event["reason"].(string))
			}
		case "selection":
			key, _ := hex.DecodeString(event["key"].(string))
			shown["publicKey"] = base64.StdEncoding.EncodeToString(key)
			shown["state"] = "SELECTION_STATE_" + strings.ToUpper(event["state"].(string))
			if reason := event["reason"].(string); reason != "none" {
				shown["reason"] = "SELECTION_REASON_" + strings.ToUpper(reason)
			}
		case "message":
			key := event["sender_key"].(adsum.Key)
			shown["publicKey"] = base64.StdEncoding.EncodeToString(key[:])
			shown["deliveryId"] = fmt.Sprint(event["delivery_id"])
		default: // what else it tells is its own affair
			continue
		}
		got[shown["publicKey"]] = append(got[shown["publicKey"]], fmt.Sprint(shown)) // maps are printed in order
	}
	return expect("events", got, wanted)
}
