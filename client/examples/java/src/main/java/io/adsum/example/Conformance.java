package io.adsum.example;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.ByteString;
import io.adsum.v1.Profile;
import io.adsum.v1.Status;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Locale;

/** The client as docs/conformance.md wants it: commands in, events out. Not part of what one starts a client from. */
final class Conformance {
    private Client client;
    private JsonLines lines;

    private Conformance() {}

    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 2 && arguments[0].equals("vectors")) {
            new Vectors(Path.of(arguments[1]), Watch.stdout()).run();
        } else if (arguments.length == 1 && arguments[0].equals("live")) {
            new Conformance().live();
        } else if (arguments.length == 2 && arguments[0].equals("train")) {
            train(Path.of(arguments[1]));
        } else {
            System.err.println("usage: conformance vectors FOLDER | conformance live");
            System.exit(2);
        }
    }

    /** Uses every class once, so that the build can keep them in a form that loads twice as fast. */
    private static void train(Path folder) throws Exception {
        var nowhere = new PrintStream(OutputStream.nullOutputStream());
        new Vectors(folder, nowhere).run();
        // Nobody listens there, but all that dials does its work.
        var client = new Client(Target.parse("127.0.0.1:1"), new Identity(new byte[Identity.KEY_BYTES]), "lobby", true,
            Profile.getDefaultInstance(), new JsonLines("lobby", nowhere));
        Thread.sleep(500);
        client.leave();
        client.join();
    }

    private void live() throws Exception {
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            try {
                obey(JsonParser.parseString(line).getAsJsonObject());
            } catch (RuntimeException e) {
                System.err.println("not obeyed: " + e);
            }
        }
        if (client != null) {
            client.leave();
            client.join();
        }
    }

    private void obey(JsonObject command) throws Exception {
        String name = text(command, "command");
        if (name.equals("connect") && client == null) {
            lines = new JsonLines(text(command, "lobby"), Watch.stdout());
            boolean isObserver = command.has("observer") && command.get("observer").getAsBoolean();
            client = new Client(Target.parse(text(command, "target")), new Identity(Watch.seed(text(command, "seed"))),
                text(command, "lobby"), isObserver, Profile.newBuilder().setName(text(command, "name")).build(), lines);
            new Thread(() -> System.exit(client.join())).start();
        } else if (name.equals("leave")) {
            client.leave();
        } else {
            client.run(() -> perform(name, command));
        }
    }

    /** What is done on the client's own thread, so that what it prints stands at its place in the order of events. */
    private void perform(String name, JsonObject command) {
        Session session = client.session;
        switch (name) {
            case "update" -> session.update(Profile.newBuilder().setName(text(command, "name"))
                .setStatus(Status.valueOf("STATUS_" + text(command, "status").toUpperCase(Locale.ROOT)))
                .setStatusText(text(command, "status_text")).build());
            case "select" -> session.select(key(command));
            case "send" -> session.send(key(command), ByteString.copyFromUtf8(text(command, "text")), (outcome, revision) ->
                lines.accept(Event.of("sent", "id", text(command, "id"), "outcome", outcome, "revision", revision)));
            case "roster" -> lines.accept(Event.of("roster", "id", text(command, "id"),
                "epoch", HexFormat.of().toHexDigits(session.roster.epoch()),
                "digest", HexFormat.of().toHexDigits(session.roster.digest()),
                "revision", session.roster.revision(), "is_stale", session.isStale(), "members", session.roster.members()));
            default -> { }  // A later harness may know more commands.
        }
    }

    private static String text(JsonObject command, String name) {
        return command.has(name) ? command.get(name).getAsString() : "";
    }

    private static ByteString key(JsonObject command) {
        return ByteString.copyFrom(HexFormat.of().parseHex(text(command, "key")));
    }
}
