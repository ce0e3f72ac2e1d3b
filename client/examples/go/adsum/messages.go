package adsum

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	pb "adsum.example/gen/adsum/v1"
)

// What a person asks for and gets: selections, messages, and what is refused. It is part of Session.

const (
	maxSeen = 1024 // delivery ids remembered, to show a message once
	maxAsks = 1024 // selects and sends without an answer; a further send is answered at once, as one that came too fast
)

// ask is a select or a send without an answer.
type ask struct {
	id      uint64
	request *pb.PresenceRequest
	isTaken bool // on this stream
	// On any stream of the session: it may have reached the server. A resume resets only isTaken, as another session may still come
	// before it is said again.
	mayHaveArrived bool
}

func (a *ask) isSend() bool { return a.request.GetSend() != nil }

// Select selects a member, or clears the selection if the key is empty. "selection" events answer it.
func (s *Session) Select(key []byte) {
	s.lastID++
	s.ask(&pb.PresenceRequest{Request: &pb.PresenceRequest_Select{Select: &pb.Select{RequestId: s.lastID, PublicKey: key}}})
}

// Send sends a message to whoever holds the key then, and returns its id. Exactly one "sent" with this id tells what became of it.
func (s *Session) Send(key, payload []byte) uint64 {
	s.lastID++
	send := &pb.Send{RequestId: s.lastID, Recipient: key, Payload: payload}
	s.ask(&pb.PresenceRequest{Request: &pb.PresenceRequest_Send{Send: send}})
	return send.RequestId
}

func (s *Session) ask(request *pb.PresenceRequest) {
	if ask := (&ask{id: s.lastID, request: request}); len(s.asks) < maxAsks {
		s.asks = append(s.asks, ask)
	} else if ask.isSend() {
		s.sent(ask.id, pb.SendOutcome_SEND_OUTCOME_RATE_LIMITED, s.Roster.Revision)
	}
}

// answered takes out the send (or else the select) that has got its answer; false if none with this id waits for one.
func (s *Session) answered(id uint64, isSend bool) bool {
	i := slices.IndexFunc(s.asks, func(ask *ask) bool { return ask.id == id && ask.isSend() == isSend })
	if i >= 0 {
		s.asks = slices.Delete(s.asks, i, i+1)
	}
	return i >= 0
}

// forgetSends takes out messages that nobody will answer any more.
func (s *Session) forgetSends(which func(*ask) bool) {
	s.asks = slices.DeleteFunc(s.asks, func(ask *ask) bool {
		isForgotten := ask.isSend() && which(ask)
		if isForgotten {
			s.sent(ask.id, pb.SendOutcome_SEND_OUTCOME_UNCONFIRMED, s.Roster.Revision)
		}
		return isForgotten
	})
}

func (s *Session) sent(id uint64, outcome pb.SendOutcome, revision uint64) {
	if outcome == 0 || pb.SendOutcome_name[int32(outcome)] == "" { // one that this client doesn't know
		outcome = pb.SendOutcome_SEND_OUTCOME_UNCONFIRMED
	}
	s.report("sent", Event{"id": id, "outcome": word(outcome.String(), "SEND_OUTCOME_"), "revision": revision})
}

func (s *Session) delivered(d *pb.Delivery) error {
	sender, err := readKey(d.Sender)
	if err != nil {
		return err
	}
	s.say(&pb.PresenceRequest{Request: &pb.PresenceRequest_Ack{Ack: &pb.Ack{DeliveryId: d.DeliveryId}}})
	if slices.Contains(s.seen, d.DeliveryId) {
		return nil // it came again after a resume: acknowledged again, shown once
	}
	if s.seen = append(s.seen, d.DeliveryId); len(s.seen) > maxSeen {
		s.seen = s.seen[1:]
	}
	event := Event{"delivery_id": d.DeliveryId, "sender_key": sender, "sender_fingerprint": sender.Fingerprint(),
		"sender_name": nil, "text": string(d.Payload), "sent_at": Time(time.UnixMilli(int64(d.SentAtUnixMillis)))}
	if member := s.Roster.Members[sender]; member != nil {
		event["sender_name"] = member.Name
	}
	s.report("message", event)
	return nil
}

func (s *Session) refused(e *pb.RequestError) {
	s.report("refused", Event{"request_id": e.RequestId, "reason": word(e.Reason.String(), "REASON_"), "message": e.Message})
	s.answered(e.RequestId, false)
	me := s.Roster.Members[Key(s.hello.PublicKey)]
	if s.answered(e.RequestId, true) {
		s.sent(e.RequestId, pb.SendOutcome_SEND_OUTCOME_UNCONFIRMED, s.Roster.Revision)
	} else if e.RequestId != 0 && e.RequestId == s.updateID && me != nil {
		// Said again in the next Hello it would be refused for good: go back to what the lobby shows.
		status := pb.Status(pb.Status_value["STATUS_"+strings.ToUpper(me.Status)])
		s.hello.Profile = &pb.Profile{Name: me.Name, Status: status, StatusText: me.StatusText, Attributes: me.Attributes}
	}
}

func (s *Session) selectionChanged(u *pb.SelectionUpdate) error {
	if _, err := readKey(u.PublicKey); err != nil && len(u.PublicKey) > 0 {
		return err
	}
	s.answered(u.RequestId, false)
	key := u.PublicKey
	if len(key) == 0 {
		key = s.selected
	} else if u.RequestId == 0 && !bytes.Equal(key, s.selected) {
		return nil // the last word about an earlier selection
	}
	s.selects(key, word(u.State.String(), "SELECTION_STATE_"), word(u.Reason.String(), "SELECTION_REASON_"), u.Revision)
	return nil
}

// selects reports the selection. While the state isn't "live", take what was reported last for a memory and not for a fact.
func (s *Session) selects(key []byte, state, reason string, revision uint64) {
	if reason == "unspecified" {
		reason = "none"
	}
	was := s.selection
	if s.selected, s.selection = key, state; state == "cleared" || reason == "not_present" {
		s.selected, s.selection = nil, nil
	}
	s.report("selection", Event{"revision": revision, "key": hex.EncodeToString(key), "state": state, "reason": reason, "was": was})
}
