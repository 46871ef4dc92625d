// The demo's own hands, used by bin/demo: demo.js STEP FILE, where FILE remembers what was published.
import { readFileSync, writeFileSync } from "node:fs";
import { compare } from "./compare.js";
import {
  awaitStatistics,
  brokerVersion,
  demoUrl,
  makeVhost,
  withChannel,
  removeVhost,
} from "./broker-access.js";
import { ALL_QUEUES, EXCHANGE, LIVE, QUEUES } from "./shop.js";
import { liveTraffic } from "./traffic.js";
import { sectionText, watchSections } from "./wire.js";

const [step = "", file = ""] = process.argv.slice(2);
const remembered = () => JSON.parse(readFileSync(file, "utf8"));
const remember = (what) => writeFileSync(file, JSON.stringify(what));
// Whoever read this has gone: bin/demo notices too.
process.stdout.on("error", () => process.exit(1));
const say = (line) => process.stdout.write(`${line}\n`);

const STEPS = {
  url: async () => say(demoUrl()),
  version: async () => say(await brokerVersion(60)),
  vhost: makeVhost,
  fill,
  live: async () => {
    const state = remembered();
    const carts = await liveTraffic(say);
    remember({ ...state, carts });
    say(
      `${carts.published.length} carts were published meanwhile, ${carts.consumed.length} of them consumed`,
    );
  },
  lose,
  compare: async () => {
    if (!(await compare(remembered(), say))) process.exitCode = 1;
  },
  forget: removeVhost,
};

try {
  await STEPS[step]();
} catch (error) {
  process.stderr.write(
    `demo: ${error instanceof AggregateError ? error.errors[0].message : error.message}\n`,
  );
  process.exitCode = 1;
}

async function fill() {
  const published = await withChannel(async (channel, connection) => {
    await channel.assertExchange(EXCHANGE, "topic", { durable: true });
    for (const { name, type, arguments: more, key } of ALL_QUEUES) {
      await channel.assertQueue(name, { durable: true, arguments: { "x-queue-type": type, ...more } });
      await channel.bindQueue(name, EXCHANGE, key);
    }
    const sections = watchSections(connection, "write");
    const done = [];
    for (const queue of QUEUES) done.push([queue.name, await fillQueue(channel, sections, queue)]);
    return Object.fromEntries(done);
  });
  say(`  ${LIVE.name.padEnd(10)}${LIVE.type.padEnd(9)}     0 messages`);
  remember({ published });
  const counted = QUEUES.filter(({ type }) => type !== "stream").map(({ name, count }) => [name, count]);
  await awaitStatistics(Object.fromEntries([...counted, [LIVE.name, 0]]));
}

async function fillQueue(channel, sections, { name, type, count, make }) {
  const messages = Array.from({ length: count }, (_, n) => make(n));
  const before = sections.length;
  for (const { key, body, properties } of messages) channel.publish(EXCHANGE, key, body, properties);
  await channel.waitForConfirms();
  say(`  ${name.padEnd(10)}${type.padEnd(9)}${String(count).padStart(6)} messages`);
  return messages.map(({ key, body, properties }, n) => ({
    key,
    priority: properties.priority ?? 0,
    properties: sectionText(sections[before + n]),
    body: body.toString("base64"),
  }));
}

async function lose() {
  await withChannel(async (channel) => {
    for (const { name } of ALL_QUEUES) await channel.deleteQueue(name);
    await channel.deleteExchange(EXCHANGE);
  });
  say(`deleted: the queues ${ALL_QUEUES.map(({ name }) => name).join(", ")} and the exchange ${EXCHANGE}`);
}
