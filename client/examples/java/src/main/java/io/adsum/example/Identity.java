package io.adsum.example;

import com.google.protobuf.ByteString;
import io.adsum.v1.Challenge;
import io.adsum.v1.Hello;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.interfaces.EdECPrivateKey;
import java.security.spec.NamedParameterSpec;
import java.util.Arrays;
import java.util.List;

/** Who someone is: an Ed25519 key, and the exact bytes that prove that one holds it. */
final class Identity {
    static final int KEY_BYTES = 32;
    private static final byte[] DOMAIN = "adsum/1 proof\r\n".getBytes(StandardCharsets.US_ASCII);
    private static final String BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

    final ByteString publicKey;
    private final PrivateKey privateKey;

    /** Derives the keys from the 32 secret bytes of the seed (RFC 8032). */
    Identity(byte[] seed) throws GeneralSecurityException {
        // The JDK has no call for "the public key of this seed". Its generator draws the seed from the source of
        // randomness that it is given, so it is given one that says ours; and then it is checked that it took that.
        var source = new SecureRandom() {
            @Override
            public void nextBytes(byte[] bytes) {
                System.arraycopy(seed, 0, bytes, 0, bytes.length);
            }
        };
        var generator = KeyPairGenerator.getInstance("Ed25519");
        generator.initialize(NamedParameterSpec.ED25519, source);
        KeyPair pair = generator.generateKeyPair();
        if (!Arrays.equals(((EdECPrivateKey) pair.getPrivate()).getBytes().orElseThrow(), seed)) {
            throw new GeneralSecurityException("this Java makes another key of the seed");
        }
        privateKey = pair.getPrivate();
        // The encoding (RFC 8410) ends with the raw key.
        byte[] encoded = pair.getPublic().getEncoded();
        publicKey = ByteString.copyFrom(encoded, encoded.length - KEY_BYTES, KEY_BYTES);
    }

    /** Signs what the server must see to believe the key of the Hello. */
    ByteString prove(Hello hello, Challenge challenge) {
        try {
            Signature signature = Signature.getInstance("Ed25519");
            signature.initSign(privateKey);
            signature.update(transcript(hello, challenge));
            return ByteString.copyFrom(signature.sign());
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);  // The constructor has used the same algorithm already.
        }
    }

    /** Lays out the signed bytes: the domain, then each field after its length. ByteBuffer is big endian. */
    static byte[] transcript(Hello hello, Challenge challenge) {
        byte[] expiry = ByteBuffer.allocate(Long.BYTES).putLong(challenge.getExpiresAtUnixMillis()).array();
        var fields = List.of(hello.getAudienceBytes(), challenge.getServerNonce(), hello.getClientNonce(),
            hello.getPublicKey(), hello.getLobbyBytes(), ByteString.copyFrom(expiry));
        ByteString all = ByteString.copyFrom(DOMAIN);
        for (ByteString field : fields) {
            byte[] length = ByteBuffer.allocate(Integer.BYTES).putInt(field.size()).array();
            all = all.concat(ByteString.copyFrom(length)).concat(field);
        }
        return all.toByteArray();
    }

    /** Names a key for the human eye: the first 40 bits of its SHA-256 in base 32, in two groups of four. */
    static String fingerprint(ByteString publicKey) {
        long bits = ByteBuffer.wrap(sha256(publicKey.toByteArray())).getLong() >>> 24;
        var text = new StringBuilder();
        for (int shift = 35; shift >= 0; shift -= 5) {
            text.append(BASE32.charAt((int) (bits >>> shift) & 31)).append(shift == 20 ? "-" : "");
        }
        return text.toString();
    }

    static byte[] sha256(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);  // Every Java has SHA-256.
        }
    }
}
