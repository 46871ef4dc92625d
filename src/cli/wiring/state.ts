import type { Store } from "../../ports/store.ts";
import type { Session } from "../session.ts";
import { defaultStateDirectory } from "../state-directory.ts";

/** Where a run notes how far it came. */
export async function wireState({ settings, env }: Session): Promise<Store> {
  const { fileStore } = await import("../../adapters/store/file-store.ts");
  return fileStore(settings.stateDir ?? defaultStateDirectory(env), { create: true });
}
