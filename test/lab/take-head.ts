import { openChannel } from "./channel.ts";
import type { LabVhost } from "./vhost.ts";

/** Consumes so many messages from the head of a queue and acknowledges them. */
export async function takeHead(vhost: LabVhost, queue: string, count: number): Promise<void> {
  if (count === 0) return;
  await using lane = await openChannel(vhost.url);
  const { channel } = lane;
  await channel.prefetch(count);
  await new Promise<void>((resolve, reject) => {
    let taken = 0;
    const consuming = channel.consume(queue, (message) => {
      taken += 1;
      if (message === null) reject(new Error(`the consumer of ${queue} was cancelled`));
      else if (taken === count) {
        channel.ack(message, true);
        resolve();
      }
    });
    consuming.catch(reject);
  });
  // Closing the connection would overtake the acknowledgement.
  await channel.close();
}
