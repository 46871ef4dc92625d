import type { LeaseEvent } from "../usecases/held-lease.ts";
import { visible } from "./terminal-text.ts";

/** For every command that takes a lease. */
export function leaseLine(event: LeaseEvent): string {
  const where = visible(event.location);
  switch (event.kind) {
    case "lease-broken":
      return `warning: ${where} was held by ${visible(event.holder)}: that lease is taken away`;
    case "removal-refused":
      return `warning: ${where} lets nothing be removed: small files that runs are done with stay, until a prune with more rights`;
    case "puts-unconditional":
      return `warning: ${where} is used without conditional puts (conditionalPut=no): two runs that begin there in one second can damage each other's backups`;
  }
}

export function leaseJson(event: LeaseEvent): Readonly<Record<string, unknown>> {
  switch (event.kind) {
    case "lease-broken":
      return { event: event.kind, place: event.location, holder: event.holder };
    case "removal-refused":
    case "puts-unconditional":
      return { event: event.kind, target: event.location };
  }
}
