import type { LeaseEvent } from "../usecases/held-lease.ts";
import { visible } from "./terminal-text.ts";

/** For every command that takes a lease. */
export function leaseBrokenLine({ location, holder }: LeaseEvent): string {
  return `warning: ${visible(location)} was held by ${visible(holder)}: that lease is taken away`;
}

export function leaseBrokenJson({ kind, location, holder }: LeaseEvent): Readonly<Record<string, unknown>> {
  return { event: kind, place: location, holder };
}
