import { BackupError } from "../../domain/errors.ts";

/** AMQP 0-9-1 reply codes (specification 1.2 and RabbitMQ) that decide what a failure means. */
export const REPLY = {
  accessRefused: 403,
  notFound: 404,
  resourceLocked: 405,
  preconditionFailed: 406,
  internalError: 541,
} as const;

/** Of a channel or connection error by amqplib; null when it is none of these. */
export function replyCode(error: unknown): number | null {
  if (typeof error !== "object" || error === null) return null;
  const code: unknown = Reflect.get(error, "code");
  return typeof code === "number" ? code : null;
}

/** The broker's own words, without amqplib's around them. */
export function brokerText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const quoted = /with message "(.*)"$/s.exec(text);
  return oneLine(quoted?.[1] ?? text);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}

/** Maps what amqplib throws while connecting. `url` is fit to be shown. */
export function connectError(error: unknown, url: string, vhost: string): BackupError {
  const text = error instanceof Error ? error.message : String(error);
  if (text.includes("ACCESS-REFUSED") || text.includes("ACCESS_REFUSED")) {
    return new BackupError("LOGIN_REFUSED", `broker ${url} refused the login`, {
      hint: "Check user and password (MQBACKUP_URL, MQBACKUP_PASSWORD_FILE); the user must exist at this broker.",
      cause: error,
    });
  }
  // amqplib does not pass on the broker's words here: it closes with 530 for both an absent and a forbidden virtual host.
  if (text.includes("Expected ConnectionOpenOk")) {
    return new BackupError(
      "VHOST_MISSING",
      `virtual host ${vhost} at ${url} does not exist, or the user may not enter it`,
      {
        hint: "Check the name after the last / of the URL, or --vhost, and the user's permissions there.",
        cause: error,
      },
    );
  }
  if (text.includes("SASL mechanism")) {
    return new BackupError(
      "LOGIN_REFUSED",
      `broker ${url} does not offer this kind of login: ${oneLine(text)}`,
      {
        hint: "For --auth external the broker needs the plugin rabbitmq_auth_mechanism_ssl.",
        cause: error,
      },
    );
  }
  return new BackupError(
    "BROKER_UNREACHABLE",
    `broker ${url} cannot be reached: ${whyUnreachable(error, text)}`,
    {
      hint: unreachableHint(error, text),
      cause: error,
    },
  );
}

function systemCode(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  const nested: unknown = Reflect.get(error, "errors");
  const code: unknown = Reflect.get(error, "code") ?? (Array.isArray(nested) ? systemCode(nested[0]) : "");
  return typeof code === "string" ? code : "";
}

function whyUnreachable(error: unknown, text: string): string {
  const code = systemCode(error);
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: "connection refused",
    ENOTFOUND: "the host name is not known",
    EAI_AGAIN: "the host name could not be looked up",
    ETIMEDOUT: "no answer in time",
    EHOSTUNREACH: "no route to the host",
    ECONNRESET: "the connection was cut",
    DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is not trusted",
    SELF_SIGNED_CERT_IN_CHAIN: "its certificate is not trusted",
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is not trusted",
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is not trusted",
    CERT_HAS_EXPIRED: "its certificate has expired",
    ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host name",
    ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS on this port",
  };
  return known[code] ?? oneLine(text);
}

function unreachableHint(error: unknown, text: string): string {
  const why = whyUnreachable(error, text);
  if (why.includes("not trusted")) return "Name the certificate authority with --tls-ca.";
  if (why.includes("TLS")) return "Use amqp:// for a port without TLS; 5671 is the usual port with TLS.";
  return "Check that the broker runs and that host and port are right; several --url are tried in order.";
}

/** What a lost connection means. 541, 540 and the like come from the broker itself and are never worth a second try. */
export function lostError(error: unknown, url: string): BackupError {
  const code = replyCode(error);
  const why = error === undefined || error === null ? "closed by the other side" : brokerText(error);
  return new BackupError("BROKER_LOST", `connection to ${url} was lost: ${why}`, {
    hint:
      code === 541
        ? "The broker failed on a message itself; AMQP 1.0 properties of type uuid or char are one known cause. Do not retry blindly."
        : "The broker gives back what was held. Run again when it is up.",
    cause: error,
  });
}
