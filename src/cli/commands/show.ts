import { show as showBackup } from "../../usecases/show.ts";
import { DONE } from "../exit-status.ts";
import { backupDetails, backupDetailsJson } from "../render-repository.ts";
import type { RunCommand } from "../session.ts";
import { wireStores } from "../wiring.ts";

export const show: RunCommand = async ({ settings, output, signal, argument }) => {
  const [store] = await wireStores(settings.target);
  const shown = await showBackup({ store }, { backup: argument ?? "latest" }, signal);
  if (output.options.json) await output.printJson(backupDetailsJson(shown));
  else await output.printLines(backupDetails(shown, output.paint));
  return DONE;
};
