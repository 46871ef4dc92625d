import { BackupError } from "../../domain/errors.ts";
import type { Abortable } from "../../ports/abortable.ts";
import type { HttpJson, JsonAnswer, JsonRequest } from "./http-json.ts";
import { objectOf, textOf } from "./queue-facts.ts";

export interface GetJsonOptions extends Abortable {
  /** A status that is an answer here, not a failure. */
  readonly alsoStatus?: number;
}

/** RabbitMQ's management API: what its statuses mean. Paths are below `/api`, encoded. */
export class ManagementApi {
  readonly #http: HttpJson;

  constructor(http: HttpJson) {
    this.#http = http;
  }

  /** Throws LOGIN_REFUSED, MANAGEMENT_REFUSED, MANAGEMENT_UNREACHABLE. */
  async get(path: string, options: GetJsonOptions = {}): Promise<unknown> {
    const answer = await this.#http.send({ method: "GET", path: `/api${path}` }, options);
    if (answer.status !== 200 && answer.status !== options.alsoStatus) throw refusal(answer, path);
    if (answer.body === undefined) throw this.unexpected(path);
    return answer.body;
  }

  /** null: the broker says that there is no such thing (404), or none this user may see. */
  async getOrNull(path: string, options: Abortable = {}): Promise<unknown> {
    return (await this.get(path, { ...options, alsoStatus: 404 }).then(withoutMissing)) ?? null;
  }

  /** null: the login is right, but its tags do not suffice. */
  async getIfAllowed(path: string, options: Abortable = {}): Promise<unknown> {
    const answer = await this.get(path, { ...options, alsoStatus: 401 });
    if (!isError(answer)) return answer;
    if (isKnownUser(answer)) return null;
    throw loginRefused("management API", answer);
  }

  /** Throws as `get`. */
  async put(path: string, body: unknown, options: Abortable = {}): Promise<void> {
    await this.#change({ method: "PUT", path: `/api${path}`, body }, options);
  }

  /** What is not there is deleted already. Throws as `get`. */
  async delete(path: string, options: Abortable = {}): Promise<void> {
    await this.#change({ method: "DELETE", path: `/api${path}` }, options);
  }

  async #change(request: JsonRequest, options: Abortable): Promise<void> {
    const answer = await this.#http.send(request, options);
    if (answer.status === 201 || answer.status === 204) return;
    if (request.method === "DELETE" && answer.status === 404 && isError(answer.body)) return;
    const path = request.path.replace(/^\/api/, "");
    throw answer.status === 401 ? changeRefused(answer, path) : refusal(answer, path);
  }

  unexpected(path: string): BackupError {
    return new BackupError(
      "MANAGEMENT_REFUSED",
      `management API did not answer ${pathOf(path)} as RabbitMQ does`,
      {
        hint: "Look whether --management-url names a RabbitMQ management API.",
      },
    );
  }
}

function withoutMissing(body: unknown): unknown {
  return isError(body) ? null : body;
}

function isError(body: unknown): boolean {
  return textOf(objectOf(body)?.["error"]) !== null;
}

/** The API spells `not_authorized` when the login fails, `not_authorised` when the user may not do this. */
function isKnownUser(body: unknown): boolean {
  return objectOf(body)?.["error"] === "not_authorised";
}

function refusal(answer: JsonAnswer, path: string): BackupError {
  const what = `management API ${answer.url}`;
  const reason = textOf(objectOf(answer.body)?.["reason"]) ?? `status ${answer.status}`;
  if (answer.status === 401) {
    if (/virtual host/i.test(reason)) return vhostRefused(what, reason);
    return loginRefused(what, answer.body);
  }
  if (answer.status === 404 && answer.body === undefined) {
    return new BackupError("MANAGEMENT_REFUSED", `${what} knows no ${pathOf(path)}`, {
      hint: "Look whether --management-url names a RabbitMQ management API, and at its path prefix if it has one.",
    });
  }
  return new BackupError("MANAGEMENT_REFUSED", `${what} refused ${pathOf(path)}: ${reason}`, {
    hint: "Look at the broker's log, and whether --management-url names a RabbitMQ management API.",
  });
}

function vhostRefused(what: string, reason: string): BackupError {
  return new BackupError("MANAGEMENT_REFUSED", `${what}: ${reason.toLowerCase()}`, {
    hint: "Give the user a permission in this virtual host, for instance rabbitmqctl set_permissions -p <vhost> <user> '^$' '^$' '.*'.",
  });
}

function loginRefused(what: string, body: unknown): BackupError {
  const known = isKnownUser(body);
  const why = known ? "the user lacks the tag management" : "wrong user or password";
  return new BackupError("LOGIN_REFUSED", `${what} refused the login: ${why}`, {
    hint: known
      ? "Give the user the tag with rabbitmqctl set_user_tags <user> management, or name the queues and say --management-url none."
      : "Look at user and password; a user also needs the tag management here, which some versions report in the same way.",
  });
}

/** Whoever may look may not always change. */
function changeRefused(answer: JsonAnswer, path: string): BackupError {
  const what = `management API ${answer.url}`;
  if (!isKnownUser(answer.body)) return loginRefused(what, answer.body);
  return new BackupError(
    "LOGIN_REFUSED",
    `${what} does not let this user change ${pathOf(path)}: the user lacks the tag administrator`,
    { hint: "Give the user the tag with rabbitmqctl set_user_tags <user> administrator." },
  );
}

function pathOf(path: string): string {
  return path.replace(/\?.*$/s, "");
}
