// Reads the queues with amqplib and compares what is there with what was published: routing keys, every property with
// its wire type, bodies, order.
import { withChannel } from "./broker-access.js";
import { LIVE, QUEUES } from "./shop.js";
import { sectionText, watchSections } from "./wire.js";

/** True: nothing is missing. */
export async function compare({ published, carts }, say) {
  const verdicts = [];
  for (const { name, type } of QUEUES) {
    const want = type === "classic" ? byPriority(published[name]) : published[name];
    const have = await (type === "stream" ? readStream(name, want.length) : read(name));
    const wrong = firstDifference(have, want);
    say(line(name, want, have, wrong ?? "the same messages in the same order"));
    verdicts.push(wrong === null);
  }
  verdicts.push(compareLive(carts, await read(LIVE.name), say));
  return verdicts.every(Boolean);
}

function line(name, want, have, verdict) {
  return `  ${name.padEnd(10)}${counted(want.length)} published ${counted(have.length)} there now   ${verdict}`;
}

/** As the broker delivers them: the highest first, each in order. */
function byPriority(messages) {
  return messages.toSorted((a, b) => b.priority - a.priority);
}

/**
 * The backup is of one moment of a queue in use. What was confirmed before it began is back, or was consumed; what came
 * later may be in neither.
 */
function compareLive({ warm, published, consumed }, have, say) {
  const numbers = have.map(({ body }) => JSON.parse(Buffer.from(body, "base64").toString()).cart);
  const back = new Set(numbers);
  const known = new Set([...numbers, ...consumed]);
  const missing = published.slice(0, warm).filter((_, n) => !known.has(n)).length;
  const lost = published.filter((_, n) => !known.has(n)).length - missing;
  const twice = consumed.filter((n) => back.has(n)).length;
  const ordered = numbers.every((n, i) => i === 0 || n > numbers[i - 1]);
  const want = numbers.map((n) => published[n]);
  const wrong = ordered ? firstDifference(have, want) : "DIFFERENT: not in order";
  say(line(LIVE.name, published, have, wrong ?? "the same messages in the same order"));
  const all = missing === 0 ? `all ${warm}` : `MISSING: ${missing} of them are not`;
  say(`              published before the backup began: ${warm}; consumed or back: ${all}`);
  say(`              published after the backup's moment: ${lost} are lost, as with any backup of a moment`);
  say(`              consumed after the backup's moment: ${twice} are back for a second time`);
  return wrong === null && missing === 0;
}

function firstDifference(have, want) {
  const at = want.findIndex(
    (message, i) => !have[i] || ["key", "properties", "body"].some((part) => have[i][part] !== message[part]),
  );
  if (at === -1) return have.length === want.length ? null : `${have.length - want.length} too many`;
  if (!have[at]) return `DIFFERENT: message ${at} and what follows are missing`;
  const part = ["key", "properties", "body"].find((name) => have[at][name] !== want[at][name]);
  return `DIFFERENT: ${part} of message ${at}: ${have[at][part]} instead of ${want[at][part]}`;
}

/** Every ready message, held until all are there, so that the queue keeps them. */
function read(queue) {
  return withChannel(async (channel, connection) => {
    const { messageCount } = await channel.checkQueue(queue);
    const messages = await consume(channel, connection, queue, { count: messageCount });
    const { messageCount: more } = await channel.checkQueue(queue);
    if (more > 0) throw new Error(`${queue} holds ${more} messages more than it said`);
    return messages;
  });
}

function readStream(queue, count) {
  return withChannel(async (channel, connection) => {
    await channel.prefetch(10_000);
    return consume(channel, connection, queue, { count, arguments: { "x-stream-offset": "first" } });
  });
}

async function consume(channel, connection, queue, { count, arguments: more = {} }) {
  const messages = [];
  if (count === 0) return messages;
  const sections = watchSections(connection, "read");
  const { promise, resolve, reject } = withResolvers();
  const timer = setTimeout(
    () => reject(new Error(`${queue} gave ${messages.length} messages of ${count}`)),
    20_000,
  );
  const take = ({ fields, content }) => {
    messages.push({ key: fields.routingKey, body: content.toString("base64") });
    if (messages.length >= count) resolve();
  };
  await channel.consume(queue, take, { arguments: more });
  await promise.finally(() => clearTimeout(timer));
  return messages.map((message, n) => ({ ...message, properties: sectionText(sections[n]) }));
}

function withResolvers() {
  let settle;
  const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle };
}

function counted(n) {
  return n.toLocaleString("en").padStart(6);
}
