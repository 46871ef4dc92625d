import type { Store } from "../../ports/store.ts";
import { show as showBackup } from "../../usecases/show.ts";
import { DONE } from "../exit-status.ts";
import { Fallbacks } from "../fallbacks.ts";
import { backupDetails, backupDetailsJson } from "../render-repository.ts";
import type { RunCommand } from "../session.ts";
import { wireReading } from "../wiring/encryption.ts";
import { wireCopies } from "../wiring/targets.ts";

export const show: RunCommand = async (session) => {
  const { settings, output, signal, argument } = session;
  const fallbacks = new Fallbacks();
  const reading = await wireReading(session);
  // Without keys what is public of an encrypted one is shown.
  const read = (store: Store): Store => (reading.keyless ? store : reading.of(store));
  const store = await wireCopies(settings.target, fallbacks.add, read);
  const shown = await showBackup({ store }, { backup: argument ?? "latest" }, signal).finally(() =>
    fallbacks.warn(output),
  );
  if (output.options.json) await output.printJson(backupDetailsJson(shown));
  else await output.printLines(backupDetails(shown, output.paint));
  return DONE;
};
