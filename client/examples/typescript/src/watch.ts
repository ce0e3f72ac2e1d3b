/** Prints what happens in a lobby as lines of JSON, until Ctrl-C: see README.md. */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import { Client } from "./client.js";
import { line } from "./events.js";
import { Identity } from "./identity.js";
import { ProfileSchema, Status } from "./stubs/adsum/v1/member_pb.js";

const USAGE = "usage: node dist/watch.js TARGET LOBBY [--name N] [--seed HEX | --key FILE] [--observer]";

/** Reads the seed of a private key; a file that isn't there is made, for its owner alone. */
function readSeed(file: string): string {
  const seed = randomBytes(32).toString("hex");
  try {
    writeFileSync(file, `${seed}\n`, { flag: "wx", mode: 0o600 });
    return seed;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return readFileSync(file, "ascii").trim();
  }
}

function open(): Client {
  const text = { type: "string" } as const;
  const options = {
    name: { ...text, default: "watcher" },
    seed: text,
    key: text,
    observer: { type: "boolean", default: false },
  } as const;
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  const [target, lobby] = positionals;
  if (target === undefined || lobby === undefined || positionals.length > 2) throw new Error(USAGE);
  const seed = values.seed ?? (values.key === undefined ? randomBytes(32).toString("hex") : readSeed(values.key));
  if (!/^[0-9a-f]{64}$/i.test(seed)) throw new Error("a seed has 64 hex digits");
  const identity = new Identity(Buffer.from(seed, "hex"));
  const profile = create(ProfileSchema, { name: values.name, status: Status.AVAILABLE });
  const print = (event: Parameters<typeof line>[0]) => process.stdout.write(`${line(event, lobby)}\n`);
  return new Client(target, { lobby, identity, observer: values.observer }, profile, print);
}

try {
  const client = open();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => client.leave());
  // Whoever reads this has gone: `watch ... | head`.
  process.stdout.on("error", () => client.leave());
  process.exit((await client.run()) ? 0 : 1);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(2);
}
