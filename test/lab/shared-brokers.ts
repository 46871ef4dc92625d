import { inject } from "vitest";
import type { Broker } from "./brokers.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Provided by `shared-brokers.setup.ts`. */
    brokers: readonly Broker[];
  }
}

/** The brokers of this test run, one of each version; use `describe.each(sharedBrokers())`. Leave them as they are. */
export function sharedBrokers(): readonly Broker[] {
  return inject("brokers");
}

/** The shared broker with the newest version. */
export function newestBroker(): Broker {
  const newest = sharedBrokers().at(-1);
  if (newest === undefined) throw new Error("no broker in this test run");
  return newest;
}
