import { createHash } from "node:crypto";
import { z } from "zod";
import { leaseFolder } from "../domain/entry-name.ts";
import { hasCode } from "../domain/errors.ts";
import type { FoundLease, Lease } from "../domain/lease.ts";
import { FORMAT } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { bytesBody, readObject } from "./objects.ts";
import { ifAllowed } from "./removal.ts";
import { damaged, decodeDocument, encodeDocument } from "./sealed-document.ts";

/** Below it lie the leases on all sets. */
export const LEASES = "leases/";

/** A few hundred, and room for what later versions may add. */
const MAX_BYTES = 1024 * 1024;

/** There is a lease, whatever it says. */
const UNREADABLE = ["MANIFEST_DAMAGED", "FORMAT_NEWER", "TARGET_REFUSED", "TARGET_FAILED"] as const;

const time = z.iso.datetime().transform((text) => new Date(text));
const leaseSchema = z.object({
  id: z.string(),
  set: z.string(),
  command: z.string(),
  host: z.string(),
  machine: z.string(),
  pid: z.number().int().nonnegative(),
  run: z.string(),
  acquiredAt: time,
  expiresAt: time,
});
const renewalSchema = z.object({ id: z.string(), expiresAt: time });

/** Below it lie the leases on one set. */
export function setPrefix(set: string): string {
  return `${folderOf(set)}/`;
}

function folderOf(set: string): string {
  return leaseFolder(createHash("sha256").update(set).digest("hex").slice(0, 16), set);
}

type Part = "lease" | "renewal" | "release";

/** Where below the folder of a set an object of a lease lies. */
const PART_NAMES = { lease: ".json", renewal: ".renewed.json", release: ".released.json" } as const;

/** What lies in the folder of a set. */
interface Item {
  readonly id: string;
  readonly part: Part;
  readonly key: string;
  readonly modifiedAt: Date;
}

/** Of which lease an object below `leases/` is, and what of it; null: other names are not ours to judge. */
export function leasePart(key: string): { readonly lease: string; readonly part: Part } | null {
  const [, lease, more] = /^(leases\/[^/]+\/[0-9a-z]+)(\.renewed|\.released)?\.json$/.exec(key) ?? [];
  if (lease === undefined) return null;
  return { lease, part: more === undefined ? "lease" : more === ".renewed" ? "renewal" : "release" };
}

/**
 * The leases on one set at one target. Each is an object put once and never written again: who finds his own removed knows that
 * it was taken from him. That it is renewed is told by a second object beside it, which means nothing without the first. Where
 * nothing may be removed a third one says that it is given back, or taken away: with that beside it, a lease is as good as gone.
 */
export class Leases {
  /** For people. */
  readonly place: string;
  readonly #store: Store;
  readonly #folder: string;

  constructor(store: Store, set: string) {
    this.#store = store;
    this.place = `set "${set}" at ${store.location}`;
    this.#folder = folderOf(set);
  }

  async put(lease: Lease, options: Abortable = {}): Promise<void> {
    const { id, set, command, holder, acquiredAt, expiresAt } = lease;
    const bytes = encodeDocument({ format: FORMAT, id, set, command, ...holder, acquiredAt, expiresAt });
    await this.#store.put(this.#key(id), bytesBody(bytes), { ...options, ifAbsent: true });
  }

  async renew(id: string, expiresAt: Date, options: Abortable = {}): Promise<void> {
    const bytes = encodeDocument({ format: FORMAT, id, expiresAt });
    await this.#store.put(this.#key(id, "renewal"), bytesBody(bytes), options);
  }

  /** When this lease was put, by the target's clock; null: it is not there. */
  async putAt(id: string, options: Abortable = {}): Promise<Date | null> {
    const items = await this.#items(options);
    return standingIn(items).find((item) => item.id === id)?.modifiedAt ?? null;
  }

  /** All but this one. Throws only what keeps it from listing: a lease that cannot be read is found as such. */
  async others(own: string, options: Abortable = {}): Promise<FoundLease[]> {
    const items = await this.#items(options);
    const found: FoundLease[] = [];
    for (const item of standingIn(items)) {
      if (item.id === own) continue;
      const renewal = items.find((each) => each.part === "renewal" && each.id === item.id) ?? null;
      const lease = await this.#read(item, renewal, options);
      if (lease !== null) found.push(lease);
    }
    return found;
  }

  /** The lease first: its renewal alone is nothing. Where the store refuses to remove it, it is said to be over. */
  async remove(id: string, options: Abortable = {}): Promise<void> {
    try {
      await this.#store.delete(this.#key(id), options);
    } catch (error) {
      if (!hasCode(error, "TARGET_REFUSED")) throw error;
      await this.#store.put(
        this.#key(id, "release"),
        bytesBody(encodeDocument({ format: FORMAT, id })),
        options,
      );
      return;
    }
    await this.#store.delete(this.#key(id, "renewal"), options);
  }

  /**
   * Removes what is left of leases that are over, if the store allows. What says that one is over stays until a later sweep finds the
   * lease gone: no listing that is under way may miss the one and still see the other.
   */
  async sweep(options: Abortable = {}): Promise<void> {
    const items = await this.#items(options);
    const standing = new Set(standingIn(items).map(({ id }) => id));
    const there = new Set(items.flatMap(({ id, part }) => (part === "lease" ? [id] : [])));
    const over = items.filter(({ id, part }) => !standing.has(id) && !(part === "release" && there.has(id)));
    await ifAllowed(async () => {
      for (const { key } of over) await this.#store.delete(key, options);
    });
  }

  /** Other names are not ours to judge. */
  async #items(options: Abortable): Promise<Item[]> {
    const items: Item[] = [];
    for await (const { key, modifiedAt } of this.#store.list(`${this.#folder}/`, options)) {
      const found = leasePart(key);
      if (found === null) continue;
      const { lease, part } = found;
      items.push({ id: lease.slice(this.#folder.length + 1), part, key, modifiedAt });
    }
    return items;
  }

  /** null: removed since it was listed. */
  async #read(item: Item, renewal: Item | null, options: Abortable): Promise<FoundLease | null> {
    const { id } = item;
    const renewedAt =
      renewal !== null && renewal.modifiedAt > item.modifiedAt ? renewal.modifiedAt : item.modifiedAt;
    try {
      const { host, machine, pid, run, ...rest } = await this.#document(item, leaseSchema, options);
      const lease = { ...rest, holder: { host, machine, pid, run } };
      const expiresAt = renewal === null ? lease.expiresAt : await this.#renewedTo(renewal, options);
      return { id, lease: { ...lease, expiresAt: expiresAt ?? lease.expiresAt }, damage: null, renewedAt };
    } catch (error) {
      if (hasCode(error, "OBJECT_MISSING")) return null;
      if (!hasCode(error, ...UNREADABLE)) throw error;
      return { id, lease: null, damage: error, renewedAt };
    }
  }

  /** null: removed since it was listed; that alone ends no lease. */
  async #renewedTo(renewal: Item, options: Abortable): Promise<Date | null> {
    try {
      return (await this.#document(renewal, renewalSchema, options)).expiresAt;
    } catch (error) {
      if (hasCode(error, "OBJECT_MISSING")) return null;
      throw error;
    }
  }

  async #document<T extends { readonly id: string }>(
    { id, key }: Item,
    schema: z.ZodType<T>,
    options: Abortable,
  ): Promise<T> {
    const bytes = await readObject(this.#store, key, { ...options, maxBytes: MAX_BYTES });
    const parsed = schema.safeParse(decodeDocument(bytes, key));
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw damaged(key, `${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`);
    }
    if (parsed.data.id === id) return parsed.data;
    throw damaged(key, `it is that of ${parsed.data.id}`);
  }

  #key(id: string, part: Part = "lease"): string {
    return `${this.#folder}/${id}${PART_NAMES[part]}`;
  }
}

/** Leases that are neither given back nor taken away. */
function standingIn(items: readonly Item[]): readonly Item[] {
  const released = new Set(items.flatMap(({ id, part }) => (part === "release" ? [id] : [])));
  return items.filter(({ id, part }) => part === "lease" && !released.has(id));
}
