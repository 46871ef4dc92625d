import type { BackupEvent } from "../usecases/backup-types.ts";
import { visible } from "./terminal-text.ts";
import { formatBytes, formatCounted } from "./units.ts";

/** What every command that makes a backup tells of it. */
export type ArchiveEvent = Extract<BackupEvent, { kind: ArchiveKind }>;

type ArchiveKind =
  | "begun"
  | "resumed"
  | "volume-shipped"
  | "spool-full"
  | "target-given-up"
  | "committed"
  | "copy-begun"
  | "copy-ended";

export function archiveText(event: ArchiveEvent): string {
  switch (event.kind) {
    case "begun":
      return `backup ${event.id} begun`;
    case "resumed":
      return `goes on with backup ${event.id}, of which ${formatCounted(event.volumes, "volume")}, ${formatBytes(event.bytes)}, ${event.volumes === 1 ? "is" : "are"} there`;
    case "volume-shipped":
      return `${event.name} shipped, ${formatBytes(event.bytes)}`;
    case "spool-full":
      return `waiting for the targets: ${formatBytes(event.bytes)} of volumes wait for them in the spool`;
    case "target-given-up":
      return `warning: going on without ${visible(event.location)}: ${visible(event.why.message)}`;
    case "copy-begun":
      return `backup ${event.id} goes to ${visible(event.location)}, ${formatBytes(event.bytes)}`;
    case "copy-ended":
      return `backup ${event.id} copied to ${visible(event.location)}, ${formatBytes(event.bytes)}`;
    case "committed":
      return `backup ${event.id} committed to ${visible(event.location)}`;
  }
}

export function archiveJson(event: ArchiveEvent): Readonly<Record<string, unknown>> {
  switch (event.kind) {
    case "begun":
      return { event: event.kind, id: event.id };
    case "resumed":
      return { event: event.kind, id: event.id, volumes: event.volumes, bytes: event.bytes };
    case "volume-shipped":
      return { event: event.kind, volume: event.name, bytes: event.bytes };
    case "spool-full":
      return { event: event.kind, bytes: event.bytes };
    case "target-given-up": {
      const { code, message } = event.why;
      return { event: event.kind, target: event.location, why: { code, message } };
    }
    case "copy-begun":
    case "copy-ended":
      return { event: event.kind, id: event.id, target: event.location, bytes: event.bytes };
    case "committed":
      return { event: event.kind, id: event.id, target: event.location };
  }
}
