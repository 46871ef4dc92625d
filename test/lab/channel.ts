import { connect, type ChannelModel, type ConfirmChannel } from "amqplib";

/** A connection and one channel on it, in confirm mode; disposal closes both and never rejects. */
export interface LabChannel extends AsyncDisposable {
  readonly connection: ChannelModel;
  readonly channel: ConfirmChannel;
}

/** Opens a channel at an `amqp://` address. Errors reach the caller by the failing call, not as events. */
export async function openChannel(url: string): Promise<LabChannel> {
  const connection = await connect(url);
  const ignore = (): void => undefined;
  connection.on("error", ignore);
  const channel = await connection.createConfirmChannel();
  channel.on("error", ignore);
  return {
    connection,
    channel,
    [Symbol.asyncDispose]: () => connection.close().catch(ignore),
  };
}
