import type { SettingEntry } from "./setting-entry.ts";

const BROKER = ["full", "incremental", "restore", "drill", "check"] as const;
const READING = ["full", "incremental", "check"] as const;

/** How the broker is reached, and which of its queues are meant. */
export const BROKER_SETTINGS = {
  url: {
    kind: "list",
    value: "amqp[s]://user@host:port/vhost",
    help: "broker; repeat it for fail-over",
    default: "amqp://localhost:5672",
    group: "Broker",
    commands: BROKER,
  },
  managementUrl: {
    kind: "list",
    value: "http[s]://host:port",
    help: "management API; none: do without, queues are then named exactly (default: the broker's host, user and password, port 15672 or 15671)",
    group: "Broker",
    commands: BROKER,
  },
  password: {
    kind: "text",
    help: "password of the user in the URLs",
    secret: true,
    group: "Broker",
    commands: BROKER,
  },
  passwordFile: {
    kind: "text",
    value: "file",
    help: "file with the password of the user in the URLs",
    group: "Broker",
    commands: BROKER,
  },
  auth: {
    kind: "text",
    value: "method",
    help: "plain: user and password; external: the TLS client certificate",
    default: "plain",
    choices: ["plain", "external"],
    group: "Broker",
    commands: BROKER,
  },
  tlsCa: {
    kind: "text",
    value: "file",
    help: "certificates of the authorities to trust (PEM)",
    group: "Broker",
    commands: BROKER,
  },
  tlsCert: {
    kind: "text",
    value: "file",
    help: "TLS client certificate (PEM)",
    group: "Broker",
    commands: BROKER,
  },
  tlsKey: { kind: "text", value: "file", help: "its private key (PEM)", group: "Broker", commands: BROKER },
  vhost: {
    kind: "list",
    value: "name",
    help: "virtual host; repeatable (default: the URL's)",
    group: "Queues",
    commands: [...READING, "restore", "drill", "diff", "cat"],
  },
  allVhosts: {
    kind: "switch",
    help: "every virtual host the user may see",
    group: "Queues",
    commands: READING,
  },
  queue: {
    kind: "list",
    value: "pattern",
    help: "queues by name; * ? [a-z] {a,b} are wildcards; repeatable (default: all)",
    group: "Queues",
    commands: [...BROKER, "diff", "cat"],
  },
  exclude: {
    kind: "list",
    value: "pattern",
    help: "queues to leave out; repeatable",
    group: "Queues",
    commands: [...BROKER, "diff", "cat"],
  },
  queueType: {
    kind: "text",
    value: "type",
    help: "type of the named queues, where no management API tells it",
    choices: ["classic", "quorum", "stream"],
    group: "Queues",
    commands: READING,
  },
  deliveryLimit: {
    kind: "text",
    value: "n",
    help: "their effective delivery limit, or unlimited, where no management API tells it",
    group: "Queues",
    commands: READING,
  },
} as const satisfies Readonly<Record<string, SettingEntry>>;
