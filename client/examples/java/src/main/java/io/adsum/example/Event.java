package io.adsum.example;

import java.util.LinkedHashMap;
import java.util.Map;

/** What happened, named and filled as docs/events.md says. The values are still Java's and the contract's own types. */
record Event(String kind, Map<String, Object> fields) {
    /** Makes an event from its kind and pairs of name and value. */
    static Event of(String kind, Object... pairs) {
        var fields = new LinkedHashMap<String, Object>();
        for (int i = 0; i < pairs.length; i += 2) {
            fields.put((String) pairs[i], pairs[i + 1]);
        }
        return new Event(kind, fields);
    }
}
