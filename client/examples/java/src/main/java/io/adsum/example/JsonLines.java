package io.adsum.example;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import io.adsum.v1.Member;
import java.io.PrintStream;
import java.math.BigInteger;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Collection;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;

/** Writes events as lines of JSON, as docs/events.md promises. */
final class JsonLines implements Consumer<Event> {
    private static final Gson GSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();
    private static final DateTimeFormatter TIME =
        DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);
    private static final long LATEST_SECOND = 253_402_300_799L;  // The end of the year 9999.

    private final String lobby;
    private final PrintStream out;

    JsonLines(String lobby, PrintStream out) {
        this.lobby = lobby;
        this.out = out;
    }

    @Override
    public void accept(Event event) {
        var line = new LinkedHashMap<String, Object>();
        line.put("event", event.kind());
        line.put("time", json(Instant.now()));
        line.put("lobby", lobby);
        event.fields().forEach((name, value) -> line.put(name, json(value)));
        out.print(ascii(GSON.toJson(line)) + "\n");
        if (out.checkError()) {  // It flushes too. Nobody reads us any more:
            new Thread(() -> System.exit(1)).start();
        }
    }

    /** What Gson writes as the page says. */
    static Object json(Object value) {
        if (value instanceof Member member) {
            return member(member);
        } else if (value instanceof Collection<?> values) {
            return values.stream().map(JsonLines::json).toList();
        } else if (value instanceof ByteString bytes) {
            return hex(bytes);
        } else if (value instanceof Long number) {
            return new BigInteger(Long.toUnsignedString(number));
        } else if (value instanceof Enum<?> constant) {
            return name(constant);
        } else if (value instanceof Instant instant) {
            return TIME.format(instant);
        }
        return value;
    }

    private static Map<String, Object> member(Member member) {
        var line = new LinkedHashMap<String, Object>();
        line.put("key", hex(member.getPublicKey()));
        line.put("fingerprint", Identity.fingerprint(member.getPublicKey()));
        line.put("name", member.getProfile().getName());
        line.put("status", name(member.getProfile().getStatus()));
        line.put("status_text", member.getProfile().getStatusText());
        line.put("attributes", member.getProfile().getAttributesMap());
        line.put("liveness", Roster.isOnline(member) ? "online" : "suspect");
        line.put("joined_at", json(instant(member.getJoinedAt())));
        line.put("devices", Integer.toUnsignedLong(member.getSessionCount()));
        line.put("incarnation", json(member.getIncarnation()));
        line.put("revision", json(member.getRevision()));
        return line;
    }

    /** The name of an enum's value without its prefix: SEND_OUTCOME_DELIVERED of SendOutcome is "delivered". */
    static String name(Enum<?> value) {
        String prefix = value.getDeclaringClass().getSimpleName().replaceAll("([a-z])([A-Z])", "$1_$2").toUpperCase(Locale.ROOT);
        String name = value.name().replaceFirst("^" + prefix + "_", "").toLowerCase(Locale.ROOT);
        if (!name.equals("unspecified") && !name.equals("unrecognized")) {
            return name;
        }
        // A later server may have more values than we know; the page has no more.
        return switch (prefix) {
            case "STATUS" -> "available";
            case "DEPARTURE_REASON" -> "left";
            case "SELECTION_REASON" -> "none";
            default -> "unspecified";
        };
    }

    static Instant instant(long unixMillis) {
        // Unsigned, so what is negative is far in the future.
        return Instant.ofEpochMilli(unixMillis < 0 ? LATEST_SECOND * 1000 : Math.min(unixMillis, LATEST_SECOND * 1000));
    }

    static Instant instant(Timestamp time) {
        return Instant.ofEpochSecond(Math.max(0, Math.min(time.getSeconds(), LATEST_SECOND)), time.getNanos() % 1_000_000_000);
    }

    /** Escapes what isn't printable ASCII: no control byte reaches a terminal, and every parser gives the text back. */
    static String ascii(String json) {
        var text = new StringBuilder(json.length());
        json.chars().forEach(c -> text.append(c >= ' ' && c <= '~' ? String.valueOf((char) c) : String.format("\\u%04x", c)));
        return text.toString();
    }

    static String hex(ByteString bytes) {
        return HexFormat.of().formatHex(bytes.toByteArray());
    }
}
