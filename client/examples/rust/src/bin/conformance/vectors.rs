//! `conformance vectors FOLDER`: the cases of protos/vectors, by the rules of its README.
use adsum::identity::{audience, fingerprint, transcript};
use adsum::roster::{Kind, digest_of};
use adsum::session::{Event, Session};
use adsum::v1::presence_request::Request;
use adsum::v1::{
    Challenge, ClientHeartbeat, FILE_DESCRIPTOR_SET, Hello, Member, PresenceRequest, PresenceResponse,
    Profile, SelectionReason,
};
use data_encoding::{BASE64, HEXLOWER as HEX};
use ed25519_dalek::{Signer, SigningKey};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// What is wrong with a case, in words.
type Outcome = Result<(), String>;

pub fn run(folder: &Path) {
    let load = |file: &str| -> Value {
        let text = std::fs::read_to_string(folder.join(format!("{file}.json"))).expect("the file of vectors");
        serde_json::from_str(&text).expect("a file of JSON")
    };
    for proof in list(&load("signing")["proofs"]) {
        tell("signing", text(&proof["name"]), check_proof(proof));
    }
    let digests = load("digest");
    for member in list(&digests["members"]) {
        let got = digest_of(&member_of(member)).to_string();
        tell("digest", text(&member["name"]), equal("digest", &json!(got), &member["digest"]));
    }
    for sum in list(&digests["sums"]) {
        tell("digest", text(&sum["name"]), check_sum(sum, list(&digests["members"])));
    }
    for case in list(&load("audience")["cases"]) {
        let got = audience(text(&case["dialled"])).unwrap_or_default();
        tell("audience", text(&case["dialled"]), equal("audience", &json!(got), &case["audience"]));
    }
    let rosters = load("roster");
    // The global pool has the well-known types.
    let mut pool = DescriptorPool::global();
    pool.decode_file_descriptor_set(FILE_DESCRIPTOR_SET).expect("the descriptors of the stubs");
    for case in list(&rosters["cases"]) {
        tell("roster", text(&case["name"]), check_roster(&rosters, case, &pool));
    }
}

fn check_proof(proof: &Value) -> Outcome {
    let seed: [u8; 32] = hex(&proof["seed"]).try_into().expect("a seed of 32 bytes");
    let key = SigningKey::from_bytes(&seed);
    let hello = Hello {
        audience: text(&proof["audience"]).to_owned(),
        client_nonce: hex(&proof["client_nonce"]),
        public_key: key.verifying_key().to_bytes().to_vec(),
        lobby: text(&proof["lobby"]).to_owned(),
        ..Hello::default()
    };
    let challenge = Challenge {
        server_nonce: hex(&proof["server_nonce"]),
        expires_at_unix_millis: number(&proof["expires_at_unix_millis"]),
        ..Challenge::default()
    };
    let bytes = transcript(&hello, &challenge);
    for (field, got) in [
        ("public_key", HEX.encode(&hello.public_key)),
        ("fingerprint", fingerprint(&hello.public_key)),
        ("transcript", HEX.encode(&bytes)),
        ("signature", HEX.encode(&key.sign(&bytes).to_bytes())),
    ] {
        equal(field, &json!(got), &proof[field])?;
    }
    Ok(())
}

fn check_sum(case: &Value, members: &[Value]) -> Outcome {
    let mut sum = 0_u64;
    let mut got = vec![sum.to_string()];
    for step in list(&case["steps"]) {
        let (sign, index) = text(step).split_at(1);
        let digest = digest_of(&member_of(&members[index.parse::<usize>().expect("an index")]));
        sum = if sign == "+" { sum.wrapping_add(digest) } else { sum.wrapping_sub(digest) };
        got.push(sum.to_string());
    }
    equal("digests", &json!(got), &case["digests"])
}

fn check_roster(rosters: &Value, case: &Value, pool: &DescriptorPool) -> Outcome {
    let seed: [u8; 32] = hex(&rosters["me"]["seed"]).try_into().expect("a seed of 32 bytes");
    let profile = Profile { name: text(&rosters["me"]["name"]).to_owned(), ..Profile::default() };
    let (lobby, host) = (text(&rosters["lobby"]), text(&rosters["audience"]));
    let mut session = Session::new(seed, lobby, host, profile, case["observer"] == true);
    let now = Instant::now();
    for (number, step) in list(&case["steps"]).iter().enumerate() {
        if step["connect"] == true {
            session.dial([7; 32], now);
        } else if step["disconnect"] == true {
            session.lost("the transcript says so", Duration::ZERO);
        } else if let Some(key) = step.get("select") {
            session.select(base64(key));
        } else {
            // The vectors call the first Select 1, and so does this client.
            let response: PresenceResponse = parse(&step["receive"], "adsum.v1.PresenceResponse", pool);
            session.receive(response, now).map_err(|fault| format!("step {number}: {fault}"))?;
        }
        let sent = sent(&mut session, step, pool);
        let expected =
            list(&step["send"]).iter().map(|request| parse(request, "adsum.v1.PresenceRequest", pool));
        let what = |what: &str| format!("step {number}: {what}");
        equal_text(&what("send"), &sorted(sent), &sorted(expected.collect()))?;
        equal(&what("holds"), &held(&session, &step["holds"]), &sorted_members(&step["holds"]))?;
        equal(&what("events"), &told(&mut session, &step["events"]), &by_key(list(&step["events"])))?;
    }
    Ok(())
}

/// What was sent in a step, without what a client chooses, and without heartbeats beyond those listed.
fn sent(session: &mut Session, step: &Value, pool: &DescriptorPool) -> Vec<PresenceRequest> {
    let expected: Vec<PresenceRequest> =
        list(&step["send"]).iter().map(|request| parse(request, "adsum.v1.PresenceRequest", pool)).collect();
    let holds = &step["holds"];
    let beat = (!holds.is_null()).then(|| {
        let (epoch, revision, digest) =
            (number(&holds["epoch"]), number(&holds["revision"]), number(&holds["digest"]));
        Request::Heartbeat(ClientHeartbeat { epoch, revision, digest, echo: 0 })
    });
    let mut sent: Vec<PresenceRequest> = session.requests.drain(..).collect();
    for request in &mut sent {
        match &mut request.request {
            Some(Request::Hello(hello)) => (hello.client_nonce, hello.profile) = (Vec::new(), None),
            Some(Request::Proof(proof)) => proof.signature.clear(),
            Some(Request::Select(select)) => select.request_id = 0,
            _ => {}
        }
    }
    sent.retain(|request| expected.contains(request) || request.request != beat);
    sent
}

fn held(session: &Session, expected: &Value) -> Value {
    let roster = &session.roster;
    if !roster.is_complete {
        return Value::Null;
    }
    let members = roster.members.values().map(|member| {
        json!({
            "publicKey": BASE64.encode(&member.public_key),
            "incarnation": member.incarnation.to_string(),
            "revision": member.revision.to_string(),
            "liveness": member.liveness().as_str_name(),
            "name": member.profile.as_ref().map_or("", |profile| &profile.name),
        })
    });
    let mut holds = json!({
        "epoch": roster.epoch.to_string(),
        "revision": roster.revision.to_string(),
        "digest": roster.digest.to_string(),
        "members": members.collect::<Vec<_>>(),
    });
    if expected.get("isStale").is_some() {
        holds["isStale"] = session.is_stale().into();
    }
    sorted_members(&holds)
}

/// What was told in a step, by whom it is about: only the order of one member's events counts.
fn told(session: &mut Session, expected: &Value) -> Value {
    let mut events = Vec::new();
    for event in session.events.drain(..) {
        let about = |kind: &str, key: &[u8]| json!({"kind": kind, "publicKey": BASE64.encode(key)});
        events.push(match event {
            Event::Snapshot { .. } => json!({"kind": "snapshot"}),
            Event::Change(change) => {
                let mut told = about("", &change.member.public_key);
                told["kind"] = match change.kind {
                    Kind::Joined => "joined".into(),
                    Kind::Updated { .. } => "updated".into(),
                    Kind::Suspect => "suspect".into(),
                    Kind::Back => "back".into(),
                    Kind::Left { reason } => {
                        let has_reason =
                            |it: &Value| it["publicKey"] == told["publicKey"] && it.get("reason").is_some();
                        if list(expected).iter().any(has_reason) {
                            told["reason"] = reason.as_str_name().into();
                        }
                        "left".into()
                    }
                };
                told
            }
            Event::Selection { update, .. } => {
                let mut selection = about("selection", &update.public_key);
                selection["state"] = update.state().as_str_name().into();
                if update.reason() != SelectionReason::Unspecified {
                    selection["reason"] = update.reason().as_str_name().into();
                }
                selection
            }
            Event::Message { delivery, .. } => {
                let mut message = about("message", &delivery.sender);
                message["deliveryId"] = delivery.delivery_id.to_string().into();
                message
            }
            // Of its connection a client tells what it likes.
            _ => continue,
        });
    }
    by_key(&events)
}

fn by_key(events: &[Value]) -> Value {
    let mut grouped: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for event in events {
        grouped
            .entry(event["publicKey"].as_str().unwrap_or_default().to_owned())
            .or_default()
            .push(event.clone());
    }
    json!(grouped)
}

fn sorted(requests: Vec<PresenceRequest>) -> String {
    let mut shown: Vec<String> = requests.iter().map(|request| format!("{request:?}")).collect();
    shown.sort();
    shown.join(", ")
}

fn sorted_members(holds: &Value) -> Value {
    let mut holds = holds.clone();
    if let Some(members) = holds.get_mut("members").and_then(Value::as_array_mut) {
        members.sort_by_key(|member| member["publicKey"].to_string());
    }
    holds
}

/// Reads proto3 JSON, which takes the descriptors, into a message of the generated code.
fn parse<M: Message + Default>(json: &Value, name: &str, pool: &DescriptorPool) -> M {
    let descriptor = pool.get_message_by_name(name).expect("a message of the contract");
    let message = DynamicMessage::deserialize(descriptor, json).expect("proto3 JSON");
    M::decode(message.encode_to_vec().as_slice()).expect("bytes just encoded")
}

fn member_of(vector: &Value) -> Member {
    Member {
        public_key: hex(&vector["public_key"]),
        incarnation: number(&vector["incarnation"]),
        revision: number(&vector["revision"]),
        ..Member::default()
    }
}

fn tell(file: &str, case: &str, outcome: Outcome) {
    match outcome {
        Ok(()) => println!("{}", json!({"file": file, "case": case, "ok": true})),
        Err(why) => println!("{}", json!({"file": file, "case": case, "ok": false, "why": why})),
    }
}

fn equal(what: &str, got: &Value, expected: &Value) -> Outcome {
    equal_text(what, &got.to_string(), &expected.to_string())
}

fn equal_text(what: &str, got: &str, expected: &str) -> Outcome {
    if got == expected { Ok(()) } else { Err(format!("{what}: expected {expected}, got {got}")) }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn number(value: &Value) -> u64 {
    text(value).parse().expect("a number of 64 bits")
}

fn hex(value: &Value) -> Vec<u8> {
    HEX.decode(text(value).as_bytes()).expect("hex digits")
}

fn base64(value: &Value) -> Vec<u8> {
    BASE64.decode(text(value).as_bytes()).expect("base64")
}
