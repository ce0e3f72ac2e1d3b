package io.adsum.example;

import io.adsum.v1.Profile;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.HexFormat;

/** Enters a lobby and prints what happens there, as lines of JSON, until Ctrl-C. */
final class Watch {
    private static final String USAGE = "usage: watch TARGET LOBBY [--name NAME] [--seed HEX | --key FILE] [--observer]";

    private Watch() {}

    public static void main(String[] arguments) {
        String target = null, lobby = null, name = "java";
        boolean isObserver = false;
        Client client;
        try {
            byte[] seed = new byte[Identity.KEY_BYTES];
            new SecureRandom().nextBytes(seed);
            for (int i = 0; i < arguments.length; i++) {
                switch (arguments[i]) {
                    case "--name" -> name = arguments[++i];
                    case "--seed" -> seed = seed(arguments[++i]);
                    case "--key" -> seed = load(Path.of(arguments[++i]), seed);
                    case "--observer" -> isObserver = true;
                    default -> {
                        if (target == null) {
                            target = arguments[i];
                        } else if (lobby == null) {
                            lobby = arguments[i];
                        } else {
                            throw new IllegalArgumentException(arguments[i]);
                        }
                    }
                }
            }
            if (lobby == null) {
                throw new IllegalArgumentException("TARGET and LOBBY are needed");
            }
            client = new Client(Target.parse(target), new Identity(seed), lobby, isObserver,
                Profile.newBuilder().setName(name).build(), new JsonLines(lobby, stdout()));
        } catch (Exception e) {
            System.err.println(e.getMessage() + "\n" + USAGE);
            System.exit(2);
            return;
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            client.leave();
            client.join();
        }));
        System.exit(client.join());
    }

    /** Standard output, written a whole line at a time. */
    static PrintStream stdout() {
        return new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16), false);
    }

    static byte[] seed(String hex) {
        byte[] seed = HexFormat.of().parseHex(hex);
        if (seed.length != Identity.KEY_BYTES) {
            throw new IllegalArgumentException("a seed has 64 hex digits");
        }
        return seed;
    }

    /** Reads the seed from a file, which is made first, with a fresh one, if it isn't there. Nobody else may read it. */
    private static byte[] load(Path file, byte[] fresh) throws IOException {
        var onlyMe = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
        try {
            Files.createFile(file, onlyMe);
            Files.writeString(file, HexFormat.of().formatHex(fresh) + "\n");
        } catch (FileAlreadyExistsException e) {
            // Made earlier.
        }
        return seed(Files.readString(file).strip());
    }
}
