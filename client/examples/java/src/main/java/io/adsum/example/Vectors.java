package io.adsum.example;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import io.adsum.v1.Challenge;
import io.adsum.v1.Hello;
import io.adsum.v1.Member;
import io.adsum.v1.PresenceRequest;
import io.adsum.v1.PresenceResponse;
import io.adsum.v1.Profile;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** Runs the vectors in protos/vectors: the client's own test, without a network. */
final class Vectors {
    private static final Gson GSON = new Gson();

    private final Path folder;
    private final PrintStream out;

    Vectors(Path folder, PrintStream out) {
        this.folder = folder;
        this.out = out;
    }

    private interface Case {
        /** Returns what is wrong; null if nothing is. */
        String run() throws Exception;
    }

    void run() throws IOException {
        for (JsonObject proof : objects(read("signing").get("proofs"))) {
            report("signing", text(proof, "name"), () -> signs(proof));
        }
        JsonObject digests = read("digest");
        for (JsonObject member : objects(digests.get("members"))) {
            report("digest", text(member, "name"), () ->
                differ("digest", text(member, "digest"), Long.toUnsignedString(digest(member))));
        }
        for (JsonObject sum : objects(digests.get("sums"))) {
            report("digest", text(sum, "name"), () -> sums(sum, digests.getAsJsonArray("members")));
        }
        for (JsonObject each : objects(read("audience").get("cases"))) {
            String dialled = text(each, "dialled");
            report("audience", dialled, () -> differ("audience", text(each, "audience"), audience(dialled)));
        }
        JsonObject rosters = read("roster");
        for (JsonObject each : objects(rosters.get("cases"))) {
            report("roster", text(each, "name"), () -> new Transcript(rosters, each.get("observer").getAsBoolean()).play(each));
        }
    }

    private void report(String file, String name, Case body) {
        String why;
        try {
            why = body.run();
        } catch (Exception | AssertionError e) {
            why = e.toString();
        }
        var line = new LinkedHashMap<String, Object>();
        line.put("file", file);
        line.put("case", name);
        line.put("ok", why == null);
        if (why != null) {
            line.put("why", why);
        }
        out.print(JsonLines.ascii(GSON.toJson(line)) + "\n");
        out.flush();
    }

    private static String signs(JsonObject proof) throws Exception {
        var identity = new Identity(bytes(proof, "seed").toByteArray());
        Hello hello = Hello.newBuilder().setAudience(text(proof, "audience")).setClientNonce(bytes(proof, "client_nonce"))
            .setPublicKey(bytes(proof, "public_key")).setLobby(text(proof, "lobby")).build();
        Challenge challenge = Challenge.newBuilder().setServerNonce(bytes(proof, "server_nonce"))
            .setExpiresAtUnixMillis(Long.parseUnsignedLong(text(proof, "expires_at_unix_millis"))).build();
        return Stream.of(
            differ("public key", text(proof, "public_key"), JsonLines.hex(identity.publicKey)),
            differ("fingerprint", text(proof, "fingerprint"), Identity.fingerprint(identity.publicKey)),
            differ("transcript", text(proof, "transcript"), HexFormat.of().formatHex(Identity.transcript(hello, challenge))),
            differ("signature", text(proof, "signature"), JsonLines.hex(identity.prove(hello, challenge)))
        ).filter(why -> why != null).findFirst().orElse(null);
    }

    private static long digest(JsonObject member) {
        return Roster.digest(Member.newBuilder().setPublicKey(bytes(member, "public_key"))
            .setIncarnation(Long.parseUnsignedLong(text(member, "incarnation")))
            .setRevision(Long.parseUnsignedLong(text(member, "revision"))).build());
    }

    private static String sums(JsonObject sum, JsonArray members) {
        var digests = new ArrayList<String>(List.of("0"));
        long total = 0;
        for (JsonElement step : sum.getAsJsonArray("steps")) {
            int index = Integer.parseInt(step.getAsString().substring(1));
            long part = digest(members.get(index).getAsJsonObject());
            total += step.getAsString().startsWith("+") ? part : -part;
            digests.add(Long.toUnsignedString(total));
        }
        return differ("digests", sum.get("digests").toString(), GSON.toJson(digests));
    }

    private static String audience(String dialled) {
        try {
            return Target.parse(dialled).host();
        } catch (IllegalArgumentException e) {
            return "";
        }
    }

    /** One client of roster.json. */
    private static final class Transcript {
        private final List<JsonObject> sent = new ArrayList<>();
        private final List<Event> events = new ArrayList<>();
        private final Session session;
        private long now;

        Transcript(JsonObject rosters, boolean isObserver) throws Exception {
            JsonObject me = rosters.getAsJsonObject("me");
            session = new Session(new Identity(HexFormat.of().parseHex(text(me, "seed"))), text(rosters, "lobby"),
                text(rosters, "audience"), isObserver, Profile.newBuilder().setName(text(me, "name")).build(),
                request -> sent.add(json(request)), events::add);
        }

        /** Plays a case to its end, or to the first step after which something is wrong. */
        String play(JsonObject transcript) throws Exception {
            int number = 0;
            for (JsonObject step : objects(transcript.get("steps"))) {
                sent.clear();
                events.clear();
                now++;  // Far less than any deadline.
                perform(step);
                String why = Stream.of(
                    differ("holds", step.get("holds").toString(), held(step.get("holds")).toString()),
                    differ("send", requests(step, objects(step.get("send"))), requests(step, sent)),
                    differ("events", grouped(objects(step.get("events"))), reported(step))
                ).filter(each -> each != null).findFirst().orElse(null);
                if (why != null) {
                    return "step " + number + ": " + why;
                }
                number++;
            }
            return null;
        }

        private void perform(JsonObject step) throws Exception {
            if (step.has("connect")) {
                session.hello(ByteString.copyFrom(new byte[32]), now);
            } else if (step.has("disconnect")) {
                session.lost("the transcript says so", 0);
            } else if (step.has("select")) {
                session.select(ByteString.copyFrom(Base64.getDecoder().decode(text(step, "select"))));
            } else {
                var response = PresenceResponse.newBuilder();
                JsonFormat.parser().merge(step.get("receive").toString(), response);
                // Through bytes, as a stream would bring it.
                session.receive(PresenceResponse.parseFrom(response.build().toByteArray()), now);
            }
        }

        private JsonElement held(JsonElement expected) {
            Roster roster = session.roster;
            if (!roster.isComplete()) {
                return JsonNull.INSTANCE;
            }
            var held = new JsonObject();
            held.addProperty("epoch", Long.toUnsignedString(roster.epoch()));
            held.addProperty("revision", Long.toUnsignedString(roster.revision()));
            held.addProperty("digest", Long.toUnsignedString(roster.digest()));
            if (expected.isJsonObject() && expected.getAsJsonObject().has("isStale")) {
                held.addProperty("isStale", session.isStale());
            }
            var members = new JsonArray();
            roster.members().stream().sorted(Comparator.comparing(member -> base64(member.getPublicKey()))).forEach(member -> {
                var shown = new JsonObject();
                shown.addProperty("publicKey", base64(member.getPublicKey()));
                shown.addProperty("incarnation", Long.toUnsignedString(member.getIncarnation()));
                shown.addProperty("revision", Long.toUnsignedString(member.getRevision()));
                shown.addProperty("liveness", member.getLiveness().name());
                shown.addProperty("name", member.getProfile().getName());
                members.add(shown);
            });
            held.add("members", members);
            return held;
        }

        /** Requests as comparable text: without what a client is free to choose, in any order, and without extra heartbeats. */
        private static String requests(JsonObject step, List<JsonObject> requests) {
            JsonElement holds = step.get("holds");
            return requests.stream().map(JsonObject::deepCopy).peek(request -> {
                remove(request, "hello", "clientNonce", "profile");
                remove(request, "proof", "signature");
                remove(request, "select", "requestId");
            }).filter(request -> objects(step.get("send")).contains(request) || !isPlainBeat(request, holds))
                .map(Object::toString).sorted().toList().toString();
        }

        private static boolean isPlainBeat(JsonObject request, JsonElement holds) {
            if (!request.has("heartbeat") || !holds.isJsonObject()) {
                return false;
            }
            var beat = new JsonObject();
            for (String name : List.of("epoch", "revision", "digest")) {
                if (!text(holds.getAsJsonObject(), name).equals("0")) {
                    beat.add(name, holds.getAsJsonObject().get(name));
                }
            }
            return request.get("heartbeat").equals(beat);
        }

        private static void remove(JsonObject request, String kind, String... names) {
            if (request.has(kind)) {
                List.of(names).forEach(request.getAsJsonObject(kind)::remove);
            }
        }

        private String reported(JsonObject step) {
            List<String> departed = objects(step.get("events")).stream()
                .filter(event -> text(event, "kind").equals("left") && event.has("reason"))
                .map(event -> text(event, "publicKey")).toList();
            var shown = new ArrayList<JsonObject>();
            for (Event event : events) {
                var line = new JsonObject();
                line.addProperty("kind", event.kind());
                Map<String, Object> fields = event.fields();
                switch (event.kind()) {
                    case "snapshot" -> { }
                    case "joined", "left", "suspect", "back", "updated" -> {
                        String key = base64(((Member) fields.get("member")).getPublicKey());
                        line.addProperty("publicKey", key);
                        if (event.kind().equals("left") && departed.contains(key)) {
                            line.addProperty("reason", fields.get("reason").toString());
                        }
                    }
                    case "selection" -> {
                        line.addProperty("publicKey", base64((ByteString) fields.get("key")));
                        line.addProperty("state", fields.get("state").toString());
                        if (!fields.get("reason").toString().endsWith("_UNSPECIFIED")) {
                            line.addProperty("reason", fields.get("reason").toString());
                        }
                    }
                    case "message" -> {
                        line.addProperty("publicKey", base64((ByteString) fields.get("sender_key")));
                        line.addProperty("deliveryId", Long.toUnsignedString((Long) fields.get("delivery_id")));
                    }
                    default -> {
                        continue;  // The state of the connection and what else is the client's own affair.
                    }
                }
                shown.add(line);
            }
            return grouped(shown);
        }

        /** Events as comparable text, by member: their order counts for each of them only. */
        private static String grouped(List<JsonObject> events) {
            var groups = new TreeMap<String, List<Map<String, JsonElement>>>();
            for (JsonObject event : events) {
                groups.computeIfAbsent(event.has("publicKey") ? text(event, "publicKey") : "", key -> new ArrayList<>())
                    .add(new TreeMap<>(event.asMap()));
            }
            return groups.toString();
        }
    }

    private JsonObject read(String name) throws IOException {
        return JsonParser.parseString(Files.readString(folder.resolve(name + ".json"))).getAsJsonObject();
    }

    private static String differ(String what, String expected, String got) {
        return expected.equals(got) ? null : what + ": expected " + expected + ", got " + got;
    }

    private static List<JsonObject> objects(JsonElement array) {
        return StreamSupport.stream(array.getAsJsonArray().spliterator(), false).map(JsonElement::getAsJsonObject).toList();
    }

    private static String text(JsonObject object, String name) {
        return object.get(name).getAsString();
    }

    private static ByteString bytes(JsonObject object, String name) {
        return ByteString.copyFrom(HexFormat.of().parseHex(text(object, name)));
    }

    private static String base64(ByteString key) {
        return Base64.getEncoder().encodeToString(key.toByteArray());
    }

    private static JsonObject json(PresenceRequest request) {
        try {
            return JsonParser.parseString(JsonFormat.printer().print(request)).getAsJsonObject();
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalStateException(e);
        }
    }
}
