/** The adapter of docs/conformance.md: `conformance.js vectors FOLDER`, or `conformance.js live`. */
import { createInterface } from "node:readline";
import { create } from "@bufbuild/protobuf";
import { Client } from "./client.js";
import { line, type Event } from "./events.js";
import { Identity } from "./identity.js";
import { ProfileSchema, Status } from "./stubs/adsum/v1/member_pb.js";
import { runVectors } from "./vectors.js";

type Command = { [field: string]: string } & { observer?: boolean };

let client: Client | undefined;
let lobby = "";

function print(event: Event | { event: string; [field: string]: unknown }): void {
  process.stdout.write(`${line(event, lobby)}\n`);
}

function profileOf({ name = "", status = "available", status_text: statusText = "" }: Command) {
  return create(ProfileSchema, { name, status: Status[status.toUpperCase() as keyof typeof Status], statusText });
}

async function connect(command: Command): Promise<void> {
  lobby = command.lobby ?? "";
  const identity = new Identity(Buffer.from(command.seed ?? "", "hex"));
  const purpose = { lobby, identity, observer: command.observer === true };
  client = new Client(command.target ?? "", purpose, profileOf(command), print);
  process.exit((await client.run()) ? 0 : 1);
}

function showRoster(client: Client, id: unknown): void {
  const { roster, phase } = client.session;
  const { epoch, digest, revision, members } = roster;
  const isStale = phase !== "live" && phase !== "degraded";
  const [epochText, digestText] = [epoch, digest].map((number) => number.toString(16).padStart(16, "0"));
  const facts = { epoch: epochText, digest: digestText, revision, is_stale: isStale, members: [...members.values()] };
  print({ event: "roster", id, ...facts });
}

function obey(command: Command): void {
  const { command: name, id = "", key = "", text = "" } = command;
  if (name === "connect") void connect(command);
  else if (name === "leave") leave();
  if (!client) return;
  if (name === "update") client.session.update(profileOf(command));
  else if (name === "select") client.session.select(Buffer.from(key, "hex"));
  else if (name === "send") client.session.send(id, Buffer.from(key, "hex"), Buffer.from(text));
  else if (name === "roster") showRoster(client, id);
}

function leave(): void {
  if (client) client.leave();
  else process.exit(0);
}

const [mode, folder] = process.argv.slice(2);
if (mode === "vectors" && folder !== undefined) runVectors(folder);
else if (mode === "live") {
  process.stdout.on("error", () => process.exit(1));
  createInterface({ input: process.stdin })
    .on("line", (text) => obey(JSON.parse(text)))
    .on("close", leave);
} else {
  console.error("usage: conformance.js vectors FOLDER | live");
  process.exitCode = 2;
}
