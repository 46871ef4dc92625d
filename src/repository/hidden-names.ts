import { z } from "zod";
import type { Gap, Manifest, QueueEntry, Reason } from "../domain/manifest.ts";

/** Names of queues and virtual hosts, and all in which they may occur: by definitions, and by queue. */
export interface HiddenNames {
  /** Of the broker. */
  readonly url: string;
  readonly vhosts: readonly string[];
  readonly queues: readonly HiddenQueue[];
}

interface HiddenQueue extends Pick<QueueEntry, (typeof HIDDEN)[number]> {
  readonly skipped: Omit<Reason, "code"> | null;
  /** Their messages. */
  readonly gaps: readonly string[];
}

const HIDDEN = ["vhost", "name", "arguments", "policy", "effectivePolicy", "notes"] as const;

const text = z.string();
const freeForm = z.record(text, z.unknown());

export const hiddenNamesSchema: z.ZodType<HiddenNames> = z.object({
  url: text,
  vhosts: z.array(text),
  queues: z.array(
    z.object({
      vhost: text,
      name: text,
      arguments: freeForm,
      policy: text.nullable(),
      effectivePolicy: freeForm,
      notes: z.array(text),
      skipped: z.object({ message: text, hint: text.nullable() }).nullable(),
      gaps: z.array(text),
    }),
  ),
});

export function namesIn({ broker, definitions, queues }: Manifest): HiddenNames {
  return {
    url: broker.url,
    vhosts: definitions.map(({ vhost }) => vhost),
    queues: queues.map((queue) => ({
      vhost: queue.vhost,
      name: queue.name,
      arguments: queue.arguments,
      policy: queue.policy,
      effectivePolicy: queue.effectivePolicy,
      notes: queue.notes,
      skipped: queue.skipped && { message: queue.skipped.message, hint: queue.skipped.hint },
      gaps: queue.gaps.map(({ message }) => message),
    })),
  };
}

/** Numbers in place of names: of virtual hosts in their order, of queues their ordinals. Codes and counts stay. */
export function withoutNames(manifest: Manifest): Manifest {
  const { broker, definitions, queues } = manifest;
  const vhosts = [...new Set([...queues, ...definitions].map(({ vhost }) => vhost))];
  const vhostName = (vhost: string): string => `vhost-${digits(vhosts.indexOf(vhost) + 1)}`;
  return {
    ...manifest,
    broker: { ...broker, url: withoutPath(broker.url) },
    definitions: definitions.map((entry) => ({ ...entry, vhost: vhostName(entry.vhost) })),
    queues: queues.map((queue) => ({
      ...queue,
      vhost: vhostName(queue.vhost),
      name: `queue-${digits(queue.ordinal)}`,
      arguments: {},
      policy: null,
      effectivePolicy: {},
      notes: [],
      skipped: queue.skipped && { ...queue.skipped, message: "", hint: null },
      gaps: queue.gaps.map((gap) => ({ ...gap, message: "" })),
    })),
  };
}

/** null: these are names of another manifest. */
export function withNames(manifest: Manifest, names: HiddenNames): Manifest | null {
  const { broker, definitions, queues } = manifest;
  if (names.vhosts.length !== definitions.length || names.queues.length !== queues.length) return null;
  return {
    ...manifest,
    broker: { ...broker, url: names.url },
    definitions: definitions.map((entry, at) => ({ ...entry, vhost: names.vhosts[at] ?? "" })),
    queues: queues.map((queue, at) => {
      const { skipped, gaps = [], ...hidden } = names.queues[at] ?? {};
      return {
        ...queue,
        ...hidden,
        skipped: queue.skipped && { ...queue.skipped, ...skipped },
        gaps: queue.gaps.map((gap, nth): Gap => ({ ...gap, message: gaps[nth] ?? "" })),
      };
    }),
  };
}

/** Where a broker's address names a virtual host, that is its path. */
function withoutPath(url: string): string {
  return /^[a-z]+:\/\/[^/?#]*/.exec(url)?.[0] ?? "";
}

function digits(number: number): string {
  return String(number).padStart(5, "0");
}
