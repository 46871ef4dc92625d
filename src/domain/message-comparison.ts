import type { MessageRecord } from "./message.ts";
import { editedProperties, type PropertyEdits } from "./outgoing.ts";
import { canonicalSection, stripAnnotations } from "./property-section.ts";
import type { Route } from "./restore-request.ts";

/** The part of a message in which two differ. */
export type MessagePart = "exchange" | "routing key" | "properties" | "body";

export interface ComparisonRules extends PropertyEdits {
  readonly route: Route;
  readonly queueName: string;
}

/**
 * Is a message read back what was published of this record? Null: yes. The exchange counts only on the route `origin`: the others
 * cannot keep it. On the route `default` the routing key is the queue's name. The order of headers does not count: brokers change it.
 */
export function differingPart(
  record: MessageRecord,
  found: MessageRecord,
  rules: ComparisonRules,
): MessagePart | null {
  if (!equal(record.body, found.body)) return "body";
  const properties = stripAnnotations(editedProperties(record, rules)).properties;
  if (!equal(canonicalSection(properties), canonicalSection(found.properties))) return "properties";
  const routingKey =
    rules.route === "default" ? new TextEncoder().encode(rules.queueName) : record.routingKey;
  if (!equal(routingKey, found.routingKey)) return "routing key";
  return rules.route === "origin" && !equal(record.exchange, found.exchange) ? "exchange" : null;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}
