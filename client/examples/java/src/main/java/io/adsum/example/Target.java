package io.adsum.example;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the user dialled. The host is signed as the audience, so it never comes from anything that a server says. */
record Target(String host, int port) {
    private static final int DEFAULT_PORT = 7557;
    // [v6]:port, or v6 alone (two colons or more), or host:port; the port may be left out.
    private static final Pattern SHAPE =
        Pattern.compile("\\[([^\\]]*)\\](?::([0-9]{1,9}))?|([^\\[:]*:[^:]*:.*)|([^\\[:]*)(?::([0-9]{1,9}))?");

    static Target parse(String dialled) {
        Matcher found = SHAPE.matcher(dialled.strip());
        if (found.matches()) {
            String host = first(found.group(1), found.group(3), found.group(4)).toLowerCase(Locale.ROOT);
            int port = Integer.parseInt(first(found.group(2), found.group(5), "" + DEFAULT_PORT));
            host = host.endsWith(".") ? host.substring(0, host.length() - 1) : host;
            if (!host.isEmpty() && !host.matches("(?sU).*[\\s/].*") && port < 65536) {
                return new Target(host, port);
            }
        }
        throw new IllegalArgumentException("not HOST:PORT: " + dialled);
    }

    private static String first(String... texts) {
        for (String text : texts) {
            if (text != null) {
                return text;
            }
        }
        return "";
    }
}
