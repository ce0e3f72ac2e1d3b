//! Events as lines of JSON: those of `adsum watch --json` (docs/events.md).
use crate::identity::fingerprint;
use crate::roster::Kind;
use crate::session::Event;
use crate::v1::{DepartureReason, Member};
use data_encoding::HEXLOWER as HEX;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

pub fn line(event: &Event, lobby: &str) -> String {
    let (kind, facts) = facts(event);
    record(kind, lobby, facts)
}

/// Writes these facts and what every event has as one line of printable ASCII, safe for any terminal.
pub fn record(kind: &str, lobby: &str, mut facts: Value) -> String {
    facts["event"] = kind.into();
    facts["time"] = time(SystemTime::now()).into();
    facts["lobby"] = lobby.into();
    let mut line = String::new();
    for character in facts.to_string().chars() {
        match character {
            ' '..='~' => line.push(character),
            _ => {
                character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| line += &format!("\\u{unit:04x}"))
            }
        }
    }
    line
}

pub fn member(member: &Member) -> Value {
    let profile = member.profile.clone().unwrap_or_default();
    let joined_at = member.joined_at.unwrap_or_default();
    let joined_millis =
        joined_at.seconds.saturating_mul(1000).saturating_add(joined_at.nanos as i64 / 1_000_000);
    json!({
        "key": HEX.encode(&member.public_key), "fingerprint": fingerprint(&member.public_key),
        "name": profile.name, "status": word(profile.status().as_str_name(), "STATUS_"),
        "status_text": profile.status_text, "attributes": profile.attributes,
        "liveness": word(member.liveness().as_str_name(), "LIVENESS_"), "joined_at": time(unix(joined_millis)),
        "devices": member.session_count, "incarnation": member.incarnation, "revision": member.revision,
    })
}

fn facts(event: &Event) -> (&'static str, Value) {
    match event {
        Event::Snapshot { revision, members } => {
            let members: Vec<Value> = members.iter().map(member).collect();
            ("snapshot", json!({"schema": 1, "revision": revision, "members": members}))
        }
        Event::Change(change) => {
            let mut facts = json!({"revision": change.revision, "member": member(&change.member)});
            let kind = match &change.kind {
                Kind::Joined => "joined",
                Kind::Suspect => "suspect",
                Kind::Back => "back",
                Kind::Updated { before } => {
                    facts["before"] = member(before);
                    "updated"
                }
                Kind::Left { reason } => {
                    let told = [DepartureReason::Lost, DepartureReason::Removed].contains(reason);
                    let reason = if told { *reason } else { DepartureReason::Left };
                    facts["reason"] = word(reason.as_str_name(), "DEPARTURE_REASON_").into();
                    "left"
                }
            };
            (kind, facts)
        }
        Event::Repaired { revision, cause, joined, updated, left } => {
            let facts = json!({"revision": revision, "cause": cause, "joined": joined, "updated": updated, "left": left});
            ("repaired", facts)
        }
        Event::State { phase, before, cause, retry_in } => {
            let [phase, before] = [phase, before].map(|phase| format!("{phase:?}").to_lowercase());
            let seconds = retry_in.map(|delay| delay.as_millis() as f64 / 1000.0);
            ("state", json!({"phase": phase, "before": before, "cause": cause, "retry_in_seconds": seconds}))
        }
        Event::Selection { update, was } => {
            let [state, was] = [Some(update.state()), *was]
                .map(|state| state.map(|state| word(state.as_str_name(), "SELECTION_STATE_")));
            let reason =
                word(update.reason().as_str_name(), "SELECTION_REASON_").replace("unspecified", "none");
            let key = HEX.encode(&update.public_key);
            let facts = json!({"revision": update.revision, "key": key, "state": state, "reason": reason, "was": was});
            ("selection", facts)
        }
        Event::Message { delivery, sender } => {
            let facts = json!({
                "delivery_id": delivery.delivery_id, "sender_key": HEX.encode(&delivery.sender),
                "sender_fingerprint": fingerprint(&delivery.sender),
                "sender_name": sender.as_ref().and_then(|sender| sender.profile.as_ref()).map(|profile| &profile.name),
                "text": String::from_utf8_lossy(&delivery.payload),
                "sent_at": time(unix(delivery.sent_at_unix_millis.try_into().unwrap_or(i64::MAX))),
            });
            ("message", facts)
        }
        Event::Sent(result) => {
            let outcome = word(result.outcome().as_str_name(), "SEND_OUTCOME_");
            ("sent", json!({"id": result.request_id, "outcome": outcome, "revision": result.revision}))
        }
        Event::Refused(error) => {
            let reason = word(error.reason().as_str_name(), "REASON_");
            ("refused", json!({"request_id": error.request_id, "reason": reason, "message": error.message}))
        }
    }
}

/// Calls an enum's value by the name that events have for it.
pub fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase()
}

/// A server can say any number; what can be written are the years 1970 to 9999.
fn unix(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis.clamp(0, 253_402_300_799_999) as u64)
}

fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}
