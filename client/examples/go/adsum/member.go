package adsum

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	pb "adsum.example/gen/adsum/v1"
)

// Key is a member's identity, a raw Ed25519 public key. As JSON it is 64 hex digits.
type Key [32]byte

func (k Key) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(k[:])), nil }

// Fingerprint is the key's short name for the human eye. Show it beside a name: names are claims.
func (k Key) Fingerprint() string {
	sum := sha256.Sum256(k[:])
	text := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
	return text[:4] + "-" + text[4:]
}

// Member is one member's record as docs/events.md describes it. It never changes: each change brings a new one.
type Member struct {
	Key         Key               `json:"key"`
	Fingerprint string            `json:"fingerprint"`
	Name        string            `json:"name"`
	Status      string            `json:"status"`
	StatusText  string            `json:"status_text"`
	Attributes  map[string]string `json:"attributes"`
	Liveness    string            `json:"liveness"`
	JoinedAt    string            `json:"joined_at"`
	Devices     uint32            `json:"devices"`
	Incarnation uint64            `json:"incarnation"`
	Revision    uint64            `json:"revision"`
}

// Digest is what a member adds to the digest of its lobby. Sums of it wrap around modulo 2^64, as Go's uint64 does.
func (m *Member) Digest() uint64 {
	bytes := append(binary.BigEndian.AppendUint32([]byte("adsum/1"), uint32(len(m.Key))), m.Key[:]...)
	bytes = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(bytes, m.Incarnation), m.Revision)
	sum := sha256.Sum256(bytes)
	return binary.BigEndian.Uint64(sum[:8])
}

// Event is something that happened, with the fields that docs/events.md promises, but "time" and "lobby".
type Event map[string]any

// Line writes an event as a line of JSON. The time is when this client saw it.
func (e Event) Line(lobby string, now time.Time) []byte {
	e = maps.Clone(e)
	e["time"], e["lobby"] = Time(now), lobby
	return e.ASCII()
}

// ASCII writes an object as a line of JSON that is safe to show on a terminal as it is.
func (e Event) ASCII() []byte {
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // all that stands in an event can be written
	}
	var line []byte
	for _, char := range string(text) {
		switch first, second := utf16.EncodeRune(char); {
		case char < 0x7f:
			line = append(line, byte(char))
		case char <= 0xffff:
			line = fmt.Appendf(line, "\\u%04x", char)
		default:
			line = fmt.Appendf(line, "\\u%04x\\u%04x", first, second)
		}
	}
	return append(line, '\n')
}

// change tells what became of a member, who wasn't held if before is nil. Incarnations of two epochs can't be compared.
func change(before, after *Member, sameEpoch bool) (events []Event) {
	add := func(kind string) Event {
		events = append(events, Event{"event": kind, "revision": after.Revision, "member": after})
		return events[len(events)-1]
	}
	if before != nil && sameEpoch && before.Incarnation != after.Incarnation {
		events, before = append(events, departed(before, "left", after.Revision)), nil
	}
	if before == nil {
		add("joined")
		return events
	}
	if before.Liveness != after.Liveness {
		add(map[string]string{"online": "back", "suspect": "suspect"}[after.Liveness])
	}
	same := *after // but for what the person, or the number of devices, says
	same.Name, same.Status, same.StatusText = before.Name, before.Status, before.StatusText
	same.Attributes, same.Devices = before.Attributes, before.Devices
	if !reflect.DeepEqual(same, *after) {
		add("updated")["before"] = before
	}
	return events
}

func departed(member *Member, reason string, revision uint64) Event {
	if reason != "lost" && reason != "removed" { // or one that this client doesn't know
		reason = "left"
	}
	return Event{"event": "left", "revision": revision, "member": member, "reason": reason}
}

// inOrder sorts events as they happened: a merged delta tells the joined first, then the updated, then the left.
func inOrder(events []Event) []Event {
	slices.SortStableFunc(events, func(a, b Event) int {
		return cmp.Compare(a["revision"].(uint64), b["revision"].(uint64))
	})
	return events
}

// readMembers turns records of the wire into Members. A key of another size is a server's fault, all else has a cautious reading.
func readMembers(records []*pb.Member) (members []*Member, err error) {
	for _, record := range records {
		key, err := readKey(record.PublicKey)
		if err != nil {
			return nil, err
		}
		profile := record.GetProfile() // may be nil; its getters may be called all the same
		member := &Member{key, key.Fingerprint(), profile.GetName(), "available", profile.GetStatusText(),
			profile.GetAttributes(), "suspect", Time(record.GetJoinedAt().AsTime()), record.SessionCount,
			record.Incarnation, record.Revision}
		if status := profile.GetStatus(); status == pb.Status_STATUS_AWAY || status == pb.Status_STATUS_BUSY {
			member.Status = word(status.String(), "STATUS_")
		}
		if record.Liveness == pb.Liveness_LIVENESS_ONLINE {
			member.Liveness = "online"
		}
		if member.Attributes == nil {
			member.Attributes = map[string]string{}
		}
		members = append(members, member)
	}
	return members, nil
}

func readKey(bytes []byte) (key Key, err error) {
	if copy(key[:], bytes); len(bytes) != len(key) {
		err = fmt.Errorf("a public key of %d bytes", len(bytes))
	}
	return key, err
}

// Time writes a time in ISO 8601. One that no clock shows is the beginning of 1970.
func Time(at time.Time) string {
	if at = at.UTC(); at.Year() < 1 || at.Year() > 9999 {
		at = time.Unix(0, 0).UTC()
	}
	return at.Format("2006-01-02T15:04:05.000Z")
}

// word turns the name of an enum's value into the word that events use: DEPARTURE_REASON_LEFT into "left".
func word(name, prefix string) string { return strings.ToLower(strings.TrimPrefix(name, prefix)) }
