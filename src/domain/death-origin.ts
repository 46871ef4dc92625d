import { viewProperties, type TextView, type TypedEntry, type TypedValue } from "./property-view.ts";

/** Where a message was published to before it was dead-lettered for the first time. */
export interface DeathOrigin {
  readonly exchange: Uint8Array;
  readonly routingKey: Uint8Array;
}

/** What the broker writes into a message it dead-letters. */
export const DEATH_HEADERS = [
  "x-death",
  "x-first-death-exchange",
  "x-first-death-queue",
  "x-first-death-reason",
  "x-last-death-exchange",
  "x-last-death-queue",
  "x-last-death-reason",
] as const;

/**
 * By its `x-death` header; null: it has none, or none that tells. The broker keeps one entry for each queue and reason and puts the
 * one that grew last in front, so the oldest entry is not always the first death: `x-first-death-queue` and `-reason` name it.
 * Of several routing keys (CC) the first is the one it was published with.
 */
export function deathOrigin(section: Uint8Array): DeathOrigin | null {
  const { headers } = viewProperties(section);
  if (headers === undefined || "hex" in headers) return null;
  const death = firstDeath(headers);
  if (death === null) return null;
  const exchange = textAt(death, "exchange");
  const [routingKey] = listAt(death, "routing-keys");
  if (exchange === null || routingKey?.type !== "string" || !isText(routingKey.value)) return null;
  return { exchange: bytesOf(exchange), routingKey: bytesOf(routingKey.value) };
}

type Table = readonly TypedEntry[];

function firstDeath(headers: Table): Table | null {
  const deaths = listAt(headers, "x-death").flatMap((death) => (isTable(death) ? [death.value] : []));
  const queue = textAt(headers, "x-first-death-queue");
  const reason = textAt(headers, "x-first-death-reason");
  if (queue === null || reason === null) return deaths.at(-1) ?? null;
  const isFirst = (death: Table): boolean =>
    isSame(textAt(death, "queue"), queue) && isSame(textAt(death, "reason"), reason);
  return deaths.find(isFirst) ?? null;
}

function valueAt(table: Table, name: string): TypedEntry | undefined {
  return table.find((entry) => entry.name === name);
}

function textAt(table: Table, name: string): TextView | null {
  const found = valueAt(table, name);
  return found?.type === "string" && isText(found.value) ? found.value : null;
}

function listAt(table: Table, name: string): readonly TypedValue[] {
  const found = valueAt(table, name);
  return found?.type === "array" && Array.isArray(found.value) ? found.value : [];
}

function isTable(value: TypedValue): value is TypedValue & { readonly value: Table } {
  return value.type === "table" && Array.isArray(value.value);
}

function isText(value: TypedValue["value"]): value is TextView {
  return typeof value === "string" || (typeof value === "object" && value !== null && "base64" in value);
}

function isSame(a: TextView | null, b: TextView): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function bytesOf(text: TextView): Uint8Array {
  if (typeof text === "string") return new TextEncoder().encode(text);
  return Uint8Array.from(atob(text.base64), (byte) => byte.charCodeAt(0));
}
