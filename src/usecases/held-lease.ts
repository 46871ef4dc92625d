import { hasCode } from "../domain/errors.ts";
import {
  comesBefore,
  describeHolder,
  hasEnded,
  LEASE_MS,
  leaseHeld,
  leaseLost,
  type FoundLease,
  type Lease,
} from "../domain/lease.ts";
import type { Runs } from "../ports/runs.ts";
import type { Store } from "../ports/store.ts";
import { Leases } from "../repository/leases.ts";

export interface LeaseDeps {
  readonly runs: Runs;
  now(): Date;
  /** Rejects with the signal's reason. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  report(event: LeaseEvent): void;
}

export type LeaseEvent =
  | {
      readonly kind: "lease-broken";
      readonly location: string;
      /** Whose it was, in words. */
      readonly holder: string;
    }
  /** A target lets nothing be removed: leases and reservations that are done with stay there. Told once of each. */
  | { readonly kind: "removal-refused"; readonly location: string }
  /** A target has no conditional puts: what keeps runs of different sets apart is weaker there. */
  | { readonly kind: "puts-unconditional"; readonly location: string };

export interface LeaseWish {
  readonly set: string;
  /** The command at work, as it is typed. */
  readonly command: string;
  /** Takes away the leases others hold on the set. */
  readonly breakLease: boolean;
}

/** Of two that came at once one steps back; the other looks so often until it has. */
const LOOKS = 10;
const LOOK_AGAIN_MS = 500;

/** A lease at one target, from the moment it is held. Disposing gives it back. */
export class HeldLease implements AsyncDisposable {
  readonly #deps: LeaseDeps;
  readonly #leases: Leases;
  readonly #id: string;
  #expiresAt: number;

  private constructor(deps: LeaseDeps, leases: Leases, { id, expiresAt }: Lease) {
    this.#deps = deps;
    this.#leases = leases;
    this.#id = id;
    this.#expiresAt = expiresAt.getTime();
  }

  /**
   * Puts a lease first and then looks for others: of two that come at once, at least one sees the other. Who sees one that has not
   * ended steps back. Removes those that have.
   * Throws LEASE_HELD, and as the store; then nothing of it is left, if the store allows.
   */
  static async acquire(
    deps: LeaseDeps,
    store: Store,
    wish: LeaseWish,
    signal: AbortSignal,
  ): Promise<HeldLease> {
    const leases = new Leases(store, wish.set);
    const now = deps.now();
    const lease: Lease = {
      id: deps.runs.newLeaseId(),
      set: wish.set,
      command: wish.command,
      holder: deps.runs.current,
      acquiredAt: now,
      expiresAt: new Date(now.getTime() + LEASE_MS),
    };
    const held = new HeldLease(deps, leases, lease);
    try {
      await leases.put(lease, { signal });
    } catch (error) {
      // What was refused is not there.
      if (!hasCode(error, "TARGET_REFUSED")) await held[Symbol.asyncDispose]();
      throw error;
    }
    try {
      if (wish.breakLease) await held.#breakOthers(signal);
      await held.#outlast(lease, signal);
      return held;
    } catch (error) {
      await held[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** By this run's clock. */
  endsBefore(time: number): boolean {
    return this.#expiresAt <= time;
  }

  /**
   * Five more minutes. Throws LEASE_HELD when it was taken away, or had run out and may have been; anything else the store throws
   * leaves it as it was.
   */
  async renew(signal: AbortSignal): Promise<void> {
    const begun = this.#deps.now().getTime();
    const until = begun + LEASE_MS;
    await this.#leases.renew(this.#id, new Date(until), { signal });
    // Looked for after the renewal is there: whoever looks from now on finds it in force.
    if ((await this.#leases.putAt(this.#id, { signal })) === null) throw this.#lost("it was taken away");
    if (this.endsBefore(this.#deps.now().getTime())) throw this.#lost("it ran out before it was renewed");
    this.#expiresAt = Math.max(this.#expiresAt, until);
  }

  /** For the moment at which it can be renewed no more. */
  lostFor(cause: unknown): Error {
    return hasCode(cause, "LEASE_HELD") ? cause : this.#lost("it could not be renewed in time", cause);
  }

  /** What cannot be removed now runs out. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leases.remove(this.#id).catch(() => undefined);
  }

  async #breakOthers(signal: AbortSignal): Promise<void> {
    for (const other of await this.#leases.others(this.#id, { signal })) {
      const { place: location } = this.#leases;
      this.#deps.report({ kind: "lease-broken", location, holder: describeHolder(other) });
      await this.#leases.remove(other.id, { signal });
    }
  }

  /** Resolves when there is no other lease in force. */
  async #outlast(own: Lease, signal: AbortSignal): Promise<void> {
    for (let look = 1; ; look += 1) {
      const others = await this.#leases.others(own.id, { signal });
      const targetNow = await this.#leases.putAt(own.id, { signal });
      if (targetNow === null) throw this.#lost("it was taken away");
      const inForce = others.filter((other) => !this.#isOver(other, targetNow));
      const [first] = inForce;
      if (first === undefined) {
        if (this.endsBefore(this.#deps.now().getTime())) throw this.#lost("the target took too long");
        for (const { id } of others) await this.#leases.remove(id, { signal });
        await this.#leases.sweep({ signal });
        return;
      }
      const mayWait = inForce.every(({ lease }) => comesBefore(own, lease));
      if (!mayWait || look === LOOKS) throw leaseHeld(this.#leases.place, first);
      await this.#deps.sleep(LOOK_AGAIN_MS, signal);
    }
  }

  /** `targetNow`: since our own was put, and every later look finds the others older still. */
  #isOver(other: FoundLease, targetNow: Date): boolean {
    if (other.lease !== null && this.#deps.runs.isGone(other.lease.holder)) return true;
    return hasEnded(other, { now: this.#deps.now(), targetNow });
  }

  #lost(why: string, cause?: unknown): Error {
    return leaseLost(this.#leases.place, why, cause);
  }
}
