import { connect, type Channel } from "amqplib";

// The reference for processor time: the same as bare-reader with amqplib as anybody would use it, counting messages and bytes.
//   amqplib-reader <url> <messages of each queue> <hold|window|stream> <queue>...

const MOST_WINDOW = 65_535;
const STREAM_CREDIT = 10_000;

async function main([url = "", count = "0", how = "hold", ...queues]: readonly string[]): Promise<void> {
  const connections = await Promise.all(queues.map(async () => connect(url)));
  const channels = await Promise.all(connections.map(async (each) => each.createChannel()));
  const began = performance.now();
  const read = await Promise.all(
    channels.map(async (channel, i) => readQueue(channel, queues[i] ?? "", Number(count), how)),
  );
  const seconds = (performance.now() - began) / 1000;
  for (const channel of channels) {
    if (how !== "stream") channel.nackAll(true);
    await channel.close();
  }
  const bytes = read.reduce((sum, each) => sum + each, 0);
  process.stdout.write(JSON.stringify({ seconds, bytes }) + "\n", () => process.exit(0));
}

async function readQueue(channel: Channel, queue: string, messages: number, how: string): Promise<number> {
  const credit = how === "hold" ? 0 : how === "stream" ? STREAM_CREDIT : MOST_WINDOW;
  let consumers = 0;
  let read = 0;
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    const consume = async (): Promise<void> => {
      consumers += 1;
      await channel.prefetch(credit);
      const more = how === "stream" ? { arguments: { "x-stream-offset": "first" } } : {};
      await channel.consume(
        queue,
        (message) => {
          if (message === null) {
            reject(new Error("cancelled"));
            return;
          }
          read += 1;
          bytes += message.content.length;
          if (read === messages) resolve();
          else if (how === "stream" && read % (STREAM_CREDIT / 4) === 0) channel.ack(message, true);
          else if (how === "window" && read === consumers * MOST_WINDOW) consume().catch(reject);
        },
        more,
      );
    };
    consume().catch(reject);
  });
  return bytes;
}

await main(process.argv.slice(2));
