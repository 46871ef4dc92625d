// The broker of MQBACKUP_URL and its management API, as the demo itself uses them.
import plain from "node:http";
import https from "node:https";
import { text } from "node:stream/consumers";

import { connect } from "amqplib";

/** Made by the demo, and deleted by it. */
const VHOST = "mqbackup-demo";

const MARK = "made by bin/demo of mqbackup, deleted when it ends";

/** Both addresses with credentials. */
function addresses() {
  const amqp = new URL(process.env.MQBACKUP_URL ?? "");
  amqp.pathname = `/${encodeURIComponent(VHOST)}`;
  const tls = amqp.protocol === "amqps:";
  const http = new URL(
    process.env.MQBACKUP_MANAGEMENT_URL ||
      `${tls ? "https" : "http"}://${amqp.hostname}:${tls ? 15_671 : 15_672}`,
  );
  const login = http.username === "" ? amqp : http;
  const credentials = `${decodeURIComponent(login.username || "guest")}:${decodeURIComponent(login.password || "guest")}`;
  return {
    amqp: amqp.href,
    http: http.origin,
    authorization: `Basic ${Buffer.from(credentials).toString("base64")}`,
  };
}

/** The URL of the demo's virtual host. */
export function demoUrl() {
  return addresses().amqp;
}

/** Runs `work` with a channel in confirm mode, on a connection of its own that is closed afterwards. */
export async function withChannel(work) {
  const connection = await connect(demoUrl());
  connection.on("error", () => undefined);
  try {
    const channel = await connection.createConfirmChannel();
    channel.on("error", () => undefined);
    return await work(channel, connection);
  } finally {
    await connection.close().catch(() => undefined);
  }
}

/** One call; JSON in and out. Rejects when nothing answers. */
async function management(method, path, body) {
  const { http, authorization } = addresses();
  const { request } = http.startsWith("https:") ? https : plain;
  const response = await new Promise((resolve, reject) => {
    const call = request(http + path, {
      method,
      headers: { authorization, "content-type": "application/json" },
      timeout: 10_000,
    });
    call.on("timeout", () => call.destroy(new Error("no answer")));
    call.on("error", reject);
    call.on("response", resolve);
    call.end(body === undefined ? "" : JSON.stringify(body));
  });
  const answer = await text(response);
  return { status: response.statusCode, content: answer.startsWith("{") ? JSON.parse(answer) : null };
}

/** Waits until the broker's management API answers; resolves its version. */
export async function brokerVersion(seconds) {
  const { http } = addresses();
  for (const end = Date.now() + seconds * 1000; ;) {
    const answer = await management("GET", "/api/overview").catch((error) => ({ error }));
    if (answer.status === 200) return answer.content.rabbitmq_version;
    if (answer.status === 401) throw new Error(`the management API at ${http} refuses this user`);
    if (Date.now() > end)
      throw new Error(`no management API answers at ${http} (set MQBACKUP_MANAGEMENT_URL)`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

export async function makeVhost() {
  const path = `/api/vhosts/${VHOST}`;
  const found = await management("GET", path);
  if (found.status === 200) {
    throw new Error(
      `a virtual host ${VHOST} is there already; if no other demo runs, delete it: rabbitmqctl delete_vhost ${VHOST}`,
    );
  }
  const made = await management("PUT", path, { description: MARK });
  if (made.status >= 300)
    throw new Error("this user may not make virtual hosts; the demo needs the administrator tag");
}

/** Waits until the statistics, some seconds behind, know what is in the queues. */
export async function awaitStatistics(counts) {
  for (const [queue, count] of Object.entries(counts)) {
    for (const end = Date.now() + 20_000; Date.now() < end;) {
      const { content } = await management("GET", `/api/queues/${VHOST}/${queue}`);
      if (content?.messages_ready === count && content.message_bytes_ready !== undefined) break;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** Only what `makeVhost` has made. Never rejects. */
export async function removeVhost() {
  const path = `/api/vhosts/${VHOST}`;
  const found = await management("GET", path).catch(() => null);
  const mark = found?.content?.description ?? found?.content?.metadata?.description;
  if (found?.status === 200 && mark === MARK) await management("DELETE", path).catch(() => undefined);
}
