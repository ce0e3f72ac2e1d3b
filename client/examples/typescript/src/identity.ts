/** Who someone is: an Ed25519 key, the bytes that prove it, its short name, and the host that a proof is meant for. Pure. */
import { createHash, createPrivateKey, createPublicKey, sign, type KeyObject } from "node:crypto";

/** What stands before the 32 bytes of a seed in the PKCS #8 form that Node.js reads (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

export class Identity {
  readonly publicKey: Uint8Array;
  readonly #privateKey: KeyObject;

  constructor(seed: Uint8Array) {
    if (seed.length !== 32) throw new RangeError(`a seed has 32 bytes, not ${seed.length}`);
    this.#privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
    this.publicKey = Buffer.from(createPublicKey(this.#privateKey).export({ format: "jwk" }).x!, "base64url");
  }

  sign(transcript: Uint8Array): Uint8Array {
    return sign(null, transcript, this.#privateKey);
  }
}

/** Lays out the bytes that a Proof signs (see Challenge in presence.proto): the domain, then each field after its length. */
export function proofTranscript(proof: {
  audience: string;
  serverNonce: Uint8Array;
  clientNonce: Uint8Array;
  publicKey: Uint8Array;
  lobby: string;
  expiresAtUnixMillis: bigint;
}): Uint8Array {
  const { audience, serverNonce, clientNonce, publicKey, lobby } = proof;
  const expiry = Buffer.alloc(8);
  expiry.writeBigUInt64BE(proof.expiresAtUnixMillis);
  const fields = [Buffer.from(audience), serverNonce, clientNonce, publicKey, Buffer.from(lobby), expiry];
  const prefixed = fields.flatMap((field) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(field.length);
    return [length, field];
  });
  return Buffer.concat([Buffer.from("adsum/1 proof\r\n"), ...prefixed]);
}

/** Names a key in eight characters, to be shown beside the name: 40 bits of its SHA-256 in base32, such as `k7q2-m4xd`. */
export function fingerprint(publicKey: Uint8Array): string {
  const bits = createHash("sha256").update(publicKey).digest().readUIntBE(0, 5);
  const digits = bits.toString(32).padStart(8, "0");
  const text = digits.replace(/./g, (digit) => BASE32[parseInt(digit, 32)]!);
  return `${text.slice(0, 4)}-${text.slice(4)}`;
}

/**
 * Takes apart what the user dialled: `host`, `host:port`, `[v6]:port` or `v6`. The host is the audience: what a signature is
 * good for. It comes from the user and never from a server. Throws a RangeError if there is no host in it.
 */
export function parseTarget(target: string): { host: string; port: number | undefined } {
  const text = target.trim();
  const isBareV6 = !text.startsWith("[") && text.split(":").length > 2;
  const match = isBareV6 ? [text, text] : /^(?:\[([^\]]*)\]|([^:]*))(?::([0-9]+))?$/.exec(text);
  const host = (match?.[1] ?? match?.[2] ?? "").toLowerCase().replace(/\.$/, "");
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  if (!host || /[\s/]/.test(host) || (port ?? 0) > 65535)
    throw new RangeError(`${JSON.stringify(target)} is not HOST:PORT`);
  return { host, port };
}
