package adsum

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	pb "adsum.example/gen/adsum/v1"
)

// Without these bounds a server could make us collect members, or ask for the list again, for ever.
const maxMembers, maxSnapshotsInVain = 100_000, 3

// Roster is the copy of one lobby. It follows the rules written beside Snapshot and Delta in member.proto.
type Roster struct {
	Epoch, Revision, Digest uint64 // Digest is our own sum over Members
	Members                 map[Key]*Member
	IsHeld                  bool            // there has been a first list
	IsAwaited               bool            // a snapshot is: until its last chunk, deltas are dropped and nothing is compared
	wrong                   pb.ResyncReason // why the list was given up
	request                 pb.ResyncReason // the Resync that is still to be said
	head                    *pb.Snapshot    // the first chunk of the snapshot being collected,
	chunks                  uint32          // how many chunks of it are here,
	fresh                   map[Key]*Member // and their members
	inVain                  int             // snapshots in a row that contradicted themselves
}

// isTrusted tells whether the server has once confirmed this list, so that Resume may name it.
func (r *Roster) isTrusted() bool { return r.IsHeld && r.wrong != pb.ResyncReason_RESYNC_REASON_DIGEST }

// begin starts on a new stream: its deltas go on from the list held, or a snapshot comes.
func (r *Roster) begin(isContinued bool) {
	r.IsAwaited, r.head, r.inVain = !isContinued, nil, 0
	if isContinued {
		r.wrong = 0
	}
}

func (r *Roster) resync(reason pb.ResyncReason) {
	r.IsAwaited, r.wrong, r.request = true, reason, reason
}

// snapshot collects a chunk. When the last has come, all together replace the list, and the difference is told.
func (r *Roster) snapshot(chunk *pb.Snapshot) ([]Event, error) {
	if chunk.ChunkIndex == 0 {
		if chunk.ChunkCount < 1 || chunk.ChunkCount > max(1, chunk.Count) || chunk.Count > maxMembers {
			return nil, fmt.Errorf("a snapshot of %d members in %d chunks", chunk.Count, chunk.ChunkCount)
		}
		r.IsAwaited, r.head, r.chunks, r.fresh = true, chunk, 0, map[Key]*Member{}
	}
	if r.head == nil || about(chunk) != about(r.head) || chunk.ChunkIndex != r.chunks ||
		chunk.Last != (chunk.ChunkIndex == chunk.ChunkCount-1) {
		return nil, fmt.Errorf("chunk %d of a snapshot out of order", chunk.ChunkIndex)
	}
	members, err := readMembers(chunk.Members)
	if err != nil {
		return nil, err
	}
	for _, member := range members {
		r.fresh[member.Key] = member
	}
	if r.chunks++; len(r.fresh) > int(chunk.Count) {
		return nil, errors.New("a snapshot with more members than it counts")
	}
	if !chunk.Last {
		return nil, nil
	}
	r.head = nil
	digest := uint64(0)
	for _, member := range r.fresh {
		digest += member.Digest()
	}
	if digest != chunk.Digest || len(r.fresh) != int(chunk.Count) {
		if r.inVain++; r.inVain == maxSnapshotsInVain {
			return nil, errors.New("snapshots that contradict their own digest")
		}
		r.resync(pb.ResyncReason_RESYNC_REASON_DIGEST) // and keep the list we had
		return nil, nil
	}
	return r.replace(chunk), nil
}

// about is what all chunks of a snapshot have in common.
func about(s *pb.Snapshot) [5]uint64 {
	return [5]uint64{s.Epoch, s.Revision, s.Digest, uint64(s.Count), uint64(s.ChunkCount)}
}

func (r *Roster) replace(last *pb.Snapshot) (events []Event) {
	old, sameEpoch, isFirst := r.Members, r.Epoch == last.Epoch, !r.IsHeld
	cause := map[bool]string{true: "gap", false: "epoch"}[sameEpoch]
	if r.wrong == pb.ResyncReason_RESYNC_REASON_DIGEST {
		cause = "digest"
	}
	r.Epoch, r.Revision, r.Digest, r.Members = last.Epoch, last.Revision, last.Digest, r.fresh
	r.IsHeld, r.IsAwaited, r.wrong, r.inVain, r.fresh = true, false, 0, 0, nil
	if isFirst {
		return []Event{{"event": "snapshot", "schema": 1, "revision": r.Revision, "members": r.Sorted()}}
	}
	joined, updated, left := 0, 0, 0
	for key, member := range old {
		if r.Members[key] == nil {
			events, left = append(events, departed(member, "left", r.Revision)), left+1 // nobody tells any more how
		}
	}
	for key, member := range r.Members {
		changes := change(old[key], member, sameEpoch)
		events = append(events, changes...)
		switch {
		case len(changes) == 0:
		case changes[0]["event"] == "joined":
			joined++
		case changes[0]["event"] == "left": // and came back
			joined, left = joined+1, left+1
		default:
			updated++
		}
	}
	return append(inOrder(events), Event{"event": "repaired", "revision": r.Revision, "cause": cause,
		"joined": joined, "updated": updated, "left": left})
}

// delta applies what has changed since the revision held, or asks for a snapshot.
func (r *Roster) delta(d *pb.Delta) (events []Event, err error) {
	// Everything is read before anything is changed: half a delta would leave a list that looks right.
	members, err := readMembers(slices.Concat(d.Joined, d.Updated))
	keys := make([]Key, len(d.Left))
	for i, departure := range d.Left {
		var wrong error
		keys[i], wrong = readKey(departure.PublicKey)
		err = errors.Join(err, wrong)
	}
	switch {
	case err != nil || r.IsAwaited:
		return nil, err
	case d.Epoch != r.Epoch:
		r.resync(pb.ResyncReason_RESYNC_REASON_EPOCH)
		return nil, nil
	case d.Revision <= r.Revision: // a duplicate
		return nil, nil
	case d.BaseRevision != r.Revision:
		r.resync(pb.ResyncReason_RESYNC_REASON_GAP)
		return nil, nil
	}
	for _, member := range members {
		events = append(events, change(r.drop(member.Key), member, true)...)
		r.Members[member.Key] = member
		r.Digest += member.Digest()
	}
	for i, departure := range d.Left {
		if gone := r.drop(keys[i]); gone != nil {
			events = append(events, departed(gone, word(departure.Reason.String(), "DEPARTURE_REASON_"), departure.Revision))
		}
	}
	if len(r.Members) > maxMembers {
		return nil, errors.New("a lobby too large to hold")
	}
	r.Revision = d.Revision
	r.compare(d.Digest, d.Count)
	return inOrder(events), nil
}

// heartbeat compares what the server has sent, as it says, with what is held.
func (r *Roster) heartbeat(beat *pb.ServerHeartbeat) {
	switch {
	case r.IsAwaited:
	case beat.Epoch != r.Epoch:
		r.resync(pb.ResyncReason_RESYNC_REASON_EPOCH)
	case beat.Revision != r.Revision:
		r.resync(pb.ResyncReason_RESYNC_REASON_GAP)
	default:
		r.compare(beat.Digest, beat.Count)
	}
}

func (r *Roster) compare(digest uint64, count uint32) {
	if digest != r.Digest || int(count) != len(r.Members) {
		r.resync(pb.ResyncReason_RESYNC_REASON_DIGEST)
	}
}

func (r *Roster) drop(key Key) *Member {
	member := r.Members[key]
	if member != nil {
		r.Digest -= member.Digest()
		delete(r.Members, key)
	}
	return member
}

// Sorted lists the members by name.
func (r *Roster) Sorted() []*Member {
	members := slices.AppendSeq([]*Member{}, maps.Values(r.Members))
	slices.SortFunc(members, func(a, b *Member) int { return strings.Compare(a.Name+string(a.Key[:]), b.Name+string(b.Key[:])) })
	return members
}
