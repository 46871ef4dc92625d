import { METHOD, shortString, u16, u32, u64, u8, Wire } from "./wire.ts";

// The floor of a backup: takes all messages of the queues without acknowledging, counts them, and gives them back.
//   bare-reader <url> <messages of each queue> <hold|window|stream> <queue>...
// hold: one consumer without a limit. window: consumers of 65,535 messages, one after another. stream: acknowledged as it reads.
// Prints {"seconds", "givenBackSeconds"}: from the first request to the last byte; and until the broker has everything back, too.
// Connecting is left out.

const MOST_WINDOW = 65_535;
const STREAM_CREDIT = 10_000;
const ALL = 0;
const PASSIVE = 1;

async function main([url = "", count = "0", how = "hold", ...queues]: readonly string[]): Promise<void> {
  const wires = await Promise.all(queues.map(async () => Wire.connect(url)));
  const began = performance.now();
  await Promise.all(wires.map(async (wire, i) => read(wire, queues[i] ?? "", Number(count), how)));
  const seconds = (performance.now() - began) / 1000;
  await Promise.all(wires.map(async (wire, i) => giveBack(wire, queues[i] ?? "", how)));
  const givenBackSeconds = (performance.now() - began) / 1000;
  process.stdout.write(JSON.stringify({ seconds, givenBackSeconds }) + "\n", () => process.exit(0));
}

/** In bulk; a queue tells its count only after it has what came back before. */
async function giveBack(wire: Wire, queue: string, how: string): Promise<void> {
  if (how === "window") wire.send(METHOD.nack, u64(ALL), u8(0b11));
  await wire.call(METHOD.channelClose, METHOD.channelCloseOk, u16(200), shortString(""), u16(0), u16(0));
  await wire.call(METHOD.channelOpen, METHOD.channelOpenOk, shortString(""));
  await wire.call(METHOD.declare, METHOD.declareOk, u16(0), shortString(queue), u8(PASSIVE), u32(0));
}

async function read(wire: Wire, queue: string, messages: number, how: string): Promise<void> {
  const credit = how === "hold" ? 0 : how === "stream" ? STREAM_CREDIT : MOST_WINDOW;
  let consumers = 0;
  let taken = 0;
  const consume = async (): Promise<void> => {
    consumers += 1;
    await wire.call(METHOD.qos, METHOD.qosOk, u32(0), u16(credit), u8(0));
    await wire.call(METHOD.consume, METHOD.consumeOk, ...consumer(queue, consumers, how === "stream"));
  };
  const done = new Promise<void>((resolve, reject) => {
    wire.socket.on("close", () => reject(new Error("the connection was closed")));
    wire.listener = {
      method: () => undefined,
      body: () => {
        taken += 1;
        if (taken === messages) resolve();
        else if (how === "stream" && taken % (STREAM_CREDIT / 4) === 0)
          wire.send(METHOD.ack, u64(taken), u8(1));
        else if (how === "window" && taken === consumers * MOST_WINDOW) consume().catch(reject);
      },
    };
  });
  await consume();
  await done;
}

function consumer(queue: string, number: number, stream: boolean): Buffer[] {
  const first = Buffer.concat([shortString("x-stream-offset"), Buffer.from("S\0\0\0\x05first", "latin1")]);
  const table = stream ? Buffer.concat([u32(first.length), first]) : u32(0);
  return [u16(0), shortString(queue), shortString(`bare-${number}`), u8(0), table];
}

await main(process.argv.slice(2));
