package adsum

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	pb "adsum.example/gen/adsum/v1"
	"google.golang.org/protobuf/proto"
)

const (
	maxTodo   = 4096 // what waits to be written; a server that makes us say more than it reads is given up
	maxSecret = 1024 // bytes of a session id, or of a token; they have 16 and 32
	maxDrain  = time.Minute
)

type stage int

const (
	offline  stage = iota // no stream
	greeting              // Hello is said. Challenge leads to proving, Welcome (after Resume) to welcomed
	proving               // Proof is said. Welcome leads to welcomed
	welcomed              // everything else
)

// Session is one client of a member in one lobby, across streams. It has no socket and no clock: Dial, Receive and Lost tell it what
// happens to its stream, Take says what to write next, and Events what to tell the person. It is not safe for concurrent use.
type Session struct {
	Roster Roster
	Events []Event       // to be taken out by the owner
	Lease  time.Duration // after how much silence the server is lost, as of the last Welcome
	Drain  time.Duration // how long after Draining to move to another connection

	key        ed25519.PrivateKey
	hello      *pb.Hello   // what is said first on each stream, with the newest profile
	said       *pb.Profile // the profile in it
	stage      stage
	isNamed    bool // the Hello of this stream names the list held
	isLive     bool // the list has been the server's on this stream
	isDegraded bool
	phase      string
	sessionID  []byte
	token      []byte
	seen       []uint64              // deliveries shown in this session, the newest last
	selected   []byte                // who is selected, as the server has confirmed it,
	selection  any                   // and whether they can be written to; nil if nobody is selected
	todo       []*pb.PresenceRequest // the proof, heartbeats, acknowledgements and the like, which need no list
	asks       []*ask                // selects and sends without an answer, the oldest first
	lastID     uint64                // of updates, selects and sends
	updateID   uint64
	isLeaving  bool
}

// NewSession starts offline. The audience is the host that the user dialled (see Audience), never what a server says.
func NewSession(lobby, audience string, key ed25519.PrivateKey, profile *pb.Profile, isObserver bool) *Session {
	return &Session{key: key, phase: "connecting", Roster: Roster{IsAwaited: true}, hello: &pb.Hello{Lobby: lobby,
		Audience: audience, PublicKey: key.Public().(ed25519.PublicKey), Profile: profile, Observer: isObserver}}
}

// Dial starts on a new stream, with 32 fresh random bytes. It returns what to write first.
func (s *Session) Dial(nonce []byte) *pb.PresenceRequest {
	s.stage, s.isLive, s.isDegraded, s.todo, s.Drain = greeting, false, false, nil, 0
	s.isNamed, s.said = s.Roster.isTrusted(), s.hello.Profile
	s.hello.ClientNonce, s.hello.Resume = nonce, nil
	if len(s.sessionID) > 0 { // an observer has none
		s.hello.Resume = &pb.Resume{SessionId: s.sessionID, Token: s.token}
		if r := &s.Roster; s.isNamed {
			s.hello.Resume.Epoch, s.hello.Resume.Revision, s.hello.Resume.Digest = r.Epoch, r.Revision, r.Digest
		}
	}
	return &pb.PresenceRequest{Request: &pb.PresenceRequest_Hello{Hello: proto.CloneOf(s.hello)}}
}

// Lost ends the stream, or an attempt at one. The session goes on if the next Welcome says so.
func (s *Session) Lost(cause string, retryIn time.Duration) {
	s.stage = offline
	phase := "reconnecting"
	if !s.Roster.IsHeld {
		phase = "connecting"
	}
	s.become(phase, cause, retryIn)
}

// Close ends for good. What became of the messages without an answer, nobody will know.
func (s *Session) Close(cause string) {
	s.stage = offline
	s.forgetSends(func(*ask) bool { return true })
	s.become("closed", cause, 0)
}

// IsStale tells whether the list may be another than the server's.
func (s *Session) IsStale() bool { return s.stage != welcomed || s.Roster.IsAwaited }

// Update replaces what is said about oneself: now, or with the next Hello.
func (s *Session) Update(profile *pb.Profile) {
	if s.hello.Profile = profile; s.stage == welcomed {
		s.sayProfile()
	}
}

// Leave leaves the lobby, once everything else is said. The server then ends the stream.
func (s *Session) Leave() { s.isLeaving = true }

// Take returns what to write next; nil if there is nothing now. What is taken may have reached the server.
func (s *Session) Take() *pb.PresenceRequest {
	if len(s.todo) > 0 {
		next := s.todo[0]
		s.todo = s.todo[1:]
		return next
	}
	for _, ask := range s.asks {
		// While the list is stale they wait: the answer would speak of a list that the person hasn't seen.
		if !ask.isTaken && !s.IsStale() {
			ask.isTaken, ask.mayHaveArrived = true, true
			return ask.request
		}
	}
	if s.isLeaving && s.stage == welcomed {
		s.isLeaving = false
		return &pb.PresenceRequest{Request: &pb.PresenceRequest_Leave{Leave: &pb.Leave{}}}
	}
	return nil
}

// Receive takes in what the server says. An error means that no server may say that: end the stream.
func (s *Session) Receive(response *pb.PresenceResponse) (err error) {
	var events []Event
	switch r := response.GetResponse().(type) {
	case nil: // of a kind that this client doesn't know
	case *pb.PresenceResponse_Challenge:
		err = s.challenged(r.Challenge)
	case *pb.PresenceResponse_Welcome:
		err = s.welcome(r.Welcome)
	case *pb.PresenceResponse_Draining:
		s.Drain = min(time.Duration(r.Draining.ReconnectDelayMillis)*time.Millisecond, maxDrain)
	case *pb.PresenceResponse_RequestError:
		s.refused(r.RequestError)
	default:
		if s.stage != welcomed {
			return fmt.Errorf("%T before Welcome", r)
		}
	}
	switch r := response.GetResponse().(type) {
	case *pb.PresenceResponse_Snapshot:
		events, err = s.Roster.snapshot(r.Snapshot)
	case *pb.PresenceResponse_Delta:
		events, err = s.Roster.delta(r.Delta)
	case *pb.PresenceResponse_Heartbeat:
		s.Roster.heartbeat(r.Heartbeat)
		s.isDegraded = r.Heartbeat.Degraded
		s.beat(r.Heartbeat.Nonce)
	case *pb.PresenceResponse_SelectionUpdate:
		err = s.selectionChanged(r.SelectionUpdate)
	case *pb.PresenceResponse_SendResult:
		if s.answered(r.SendResult.RequestId, true) {
			s.sent(r.SendResult.RequestId, r.SendResult.Outcome, r.SendResult.Revision)
		}
	case *pb.PresenceResponse_Delivery:
		err = s.delivered(r.Delivery)
	}
	s.Events = append(s.Events, events...)
	if err != nil || s.stage != welcomed {
		return err
	}
	if reason := s.Roster.request; reason != 0 {
		s.Roster.request = 0
		s.say(&pb.PresenceRequest{Request: &pb.PresenceRequest_Resync{Resync: &pb.Resync{Reason: reason}}})
	}
	if !s.isLive && !s.Roster.IsAwaited {
		s.isLive = true
		s.beat(0)
	}
	switch {
	case !s.isLive:
	case s.Roster.IsAwaited:
		s.become("stale", "the list is being fetched again", 0)
	case s.isDegraded:
		s.become("degraded", "the server has trouble", 0)
	default:
		s.become("live", "", 0)
	}
	if len(s.todo) > maxTodo {
		return errors.New("more than it lets us answer")
	}
	return nil
}

func (s *Session) say(request *pb.PresenceRequest) { s.todo = append(s.todo, request) }

func (s *Session) beat(echo uint64) {
	beat := &pb.ClientHeartbeat{Epoch: s.Roster.Epoch, Revision: s.Roster.Revision, Digest: s.Roster.Digest, Echo: echo}
	s.say(&pb.PresenceRequest{Request: &pb.PresenceRequest_Heartbeat{Heartbeat: beat}})
}

func (s *Session) sayProfile() {
	s.lastID++
	s.updateID = s.lastID
	update := &pb.UpdateProfile{RequestId: s.lastID, Profile: s.hello.Profile}
	s.say(&pb.PresenceRequest{Request: &pb.PresenceRequest_UpdateProfile{UpdateProfile: update}})
}

// Transcript is what a proof signs: each field after its length. Protobuf bytes won't do, as they can be written in several ways.
func Transcript(hello *pb.Hello, challenge *pb.Challenge) []byte {
	text := []byte("adsum/1 proof\r\n")
	for _, field := range [][]byte{[]byte(hello.Audience), challenge.ServerNonce, hello.ClientNonce, hello.PublicKey,
		[]byte(hello.Lobby), binary.BigEndian.AppendUint64(nil, challenge.ExpiresAtUnixMillis)} {
		text = append(binary.BigEndian.AppendUint32(text, uint32(len(field))), field...)
	}
	return text
}

func (s *Session) challenged(challenge *pb.Challenge) error {
	if s.stage != greeting || len(challenge.ServerNonce) != 32 {
		return errors.New("a Challenge out of turn, or one with a nonce of another size")
	}
	s.stage = proving
	proof := &pb.Proof{Signature: ed25519.Sign(s.key, Transcript(s.hello, challenge))}
	s.say(&pb.PresenceRequest{Request: &pb.PresenceRequest_Proof{Proof: proof}})
	return nil
}

func (s *Session) welcome(w *pb.Welcome) error {
	isOther := s.hello.Resume == nil || !bytes.Equal(s.hello.Resume.SessionId, w.SessionId)
	if s.stage != greeting && s.stage != proving || w.Resumed && isOther || max(len(w.SessionId), len(w.ResumeToken)) > maxSecret {
		return errors.New("a Welcome out of turn, to a session that was not offered, or with a secret too long to keep")
	}
	hadSession := len(s.sessionID) > 0
	s.stage, s.sessionID, s.token = welcomed, w.SessionId, w.ResumeToken
	if s.Lease = time.Duration(w.LeaseMillis) * time.Millisecond; s.Lease == 0 {
		s.Lease = 12 * time.Second
	}
	if hadSession && !w.Resumed {
		s.seen = nil
		s.forgetSends(func(ask *ask) bool { return ask.mayHaveArrived }) // the old session may have delivered them
		if s.selected != nil {
			s.selects(s.selected, "cleared", "session_lost", s.Roster.Revision) // nothing is ever selected again by itself
		}
	}
	for _, ask := range s.asks {
		ask.isTaken = false // say it again, with the same id
	}
	if s.hello.Profile != s.said {
		s.sayProfile()
	}
	s.Roster.begin(w.Resumed && s.isNamed)
	return nil
}

// become reports a change of the connection. retryIn says when the next attempt is, if it isn't made at once.
func (s *Session) become(phase, cause string, retryIn time.Duration) {
	if phase == s.phase && retryIn == 0 {
		return
	}
	event := Event{"phase": phase, "before": s.phase, "cause": cause, "retry_in_seconds": nil}
	if retryIn > 0 {
		event["retry_in_seconds"] = retryIn.Seconds()
	}
	s.phase = phase
	s.report("state", event)
}

func (s *Session) report(kind string, event Event) {
	event["event"] = kind
	s.Events = append(s.Events, event)
}
